package gateway

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// rate is how fast a bucket fills, and how much it holds. The zero value is no
// limit.
type rate struct {
	each  float64       // nanoseconds for one
	depth time.Duration // how long an empty bucket takes to be full
}

// newRate is a rate of so many a second, of which burst's worth can be saved
// up, and one of size in any case. A negative number is no limit.
func newRate(perSecond, size int, burst time.Duration) rate {
	if perSecond <= 0 {
		return rate{}
	}
	each := float64(time.Second) / float64(perSecond)
	return rate{each: each, depth: max(burst, time.Duration(each*float64(size)))}
}

// cost is what n take, at most a century.
func (r rate) cost(n int) int64 {
	return int64(min(float64(n)*r.each, math.MaxInt64/4))
}

// bucket measures one rate. The zero value is full. Any goroutine may use it.
type bucket struct {
	full atomic.Int64 // when it is full again, nanoseconds of the clock that take is given
}

// take takes n and returns how long to wait until they are there. What was
// taken counts at once, so that those who wait stand in line.
func (b *bucket) take(r rate, now int64, n int) time.Duration {
	if r.each == 0 {
		return 0
	}
	cost := r.cost(n)
	for {
		old := b.full.Load()
		full := max(old, now) + cost
		if b.full.CompareAndSwap(old, full) {
			return max(0, time.Duration(full-now)-r.depth)
		}
	}
}

// charge is take for what has been used already and cannot be given back. The debt
// that it leaves is one of patience at most: who waits no longer than that gains
// nothing by it, and those who come later do not wait for what others did long ago.
func (b *bucket) charge(r rate, now int64, n int, patience time.Duration) time.Duration {
	if r.each == 0 {
		return 0
	}
	cost, most := r.cost(n), now+int64(r.depth+patience)
	for {
		old := b.full.Load()
		full := max(old, min(max(old, now)+cost, most)) // take may have gone further
		if b.full.CompareAndSwap(old, full) {
			return max(0, time.Duration(full-now)-r.depth)
		}
	}
}

// isFull says that nothing of it is used up.
func (b *bucket) isFull(now int64) bool { return b.full.Load() <= now }

// give puts back what take took.
func (b *bucket) give(r rate, n int) { b.full.Add(-r.cost(n)) }

// tableSize is how many entries a table holds at most.
const tableSize = 1 << 15

// table keeps a value for each of the keys that were used last: at least the
// last quarter of its size, at most all of it. Beyond
// that it keeps up to a quarter of those of which keeps is true. Keys are hashed under a seed of the
// process, so that nobody can choose two that are one. Any goroutine may use it.
type table[V any] struct {
	seed  maphash.Seed
	size  int
	keeps func(*V) bool // nil: of none

	mu         sync.Mutex
	young, old map[uint64]*V
}

func newTable[V any](size int) *table[V] {
	return &table[V]{seed: maphash.MakeSeed(), size: size, young: map[uint64]*V{}}
}

// key is what parts are kept under, each a part for itself.
func (t *table[V]) key(parts []string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for _, p := range parts {
		_, _ = h.WriteString(p)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// find is the value of a key, nil if there is none.
func (t *table[V]) find(parts ...string) *V {
	key := t.key(parts)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lookup(key)
}

// at is the value of a key, a new one if there is none.
func (t *table[V]) at(parts ...string) *V {
	key := t.key(parts)
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.lookup(key)
	if v == nil {
		v = new(V)
		t.put(key, v)
	}
	return v
}

// lookup expects t.mu to be held.
func (t *table[V]) lookup(key uint64) *V {
	if v := t.young[key]; v != nil {
		return v
	}
	v := t.old[key]
	if v != nil {
		delete(t.old, key)
		t.put(key, v)
	}
	return v
}

// put expects t.mu to be held.
func (t *table[V]) put(key uint64, v *V) {
	if len(t.young) >= t.size/2 {
		t.rotate()
	}
	t.young[key] = v
}

// rotate forgets those that were not used since the last time. It expects t.mu to
// be held.
func (t *table[V]) rotate() {
	kept := map[uint64]*V{}
	if t.keeps != nil {
		for key, v := range t.old {
			if len(kept) >= t.size/4 {
				break
			}
			if t.keeps(v) {
				kept[key] = v
			}
		}
	}
	t.young, t.old = kept, t.young
}

// len is how many entries there are.
func (t *table[V]) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.young) + len(t.old)
}
