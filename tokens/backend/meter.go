package backend

import (
	"container/list"
	"slices"
	"time"
)

// pace is how a meter treats failures.
type pace struct {
	free    int           // so many failures are not delayed
	first   time.Duration // the delay after one more; it doubles with each further one
	longest time.Duration
	forget  time.Duration // one failure is forgotten each
}

// maxKeys bounds a meter's memory to some megabytes. The key that was used longest
// ago is forgotten first.
const maxKeys = 1 << 15

// meter counts failures by key. Its owner locks it.
type meter struct {
	pace  pace
	keys  map[string]*list.Element
	order list.List // of *tally, the latest first
}

type tally struct {
	key      string
	failures int
	last     time.Time
	seen     [4]uint64 // marks, the latest first: of failures, or of what was right; 0 is none
	trusted  time.Time // until when, after a success
}

func newMeter(p pace) *meter {
	return &meter{pace: p, keys: map[string]*list.Element{}}
}

// find returns what is counted for key, or nil.
func (m *meter) find(key string) *tally {
	if e := m.keys[key]; e != nil {
		return e.Value.(*tally)
	}
	return nil
}

// wait is how long the next try for key must wait.
func (m *meter) wait(key string, now time.Time) time.Duration {
	t := m.find(key)
	if t == nil {
		return 0
	}
	return max(0, t.last.Add(m.pace.delay(m.now(t, now))).Sub(now))
}

// now is how many failures count at this time.
func (m *meter) now(t *tally, now time.Time) int {
	return max(0, t.failures-int(now.Sub(t.last)/m.pace.forget))
}

// delay follows the given number of failures.
func (p pace) delay(failures int) time.Duration {
	over := failures - p.free
	if over <= 0 {
		return 0
	}
	return min(p.longest, p.first<<min(over-1, 20))
}

// entry is what is counted for key, made if need be, and the last to be forgotten.
func (m *meter) entry(key string, now time.Time) *tally {
	e := m.keys[key]
	if e == nil {
		if len(m.keys) >= maxKeys {
			delete(m.keys, m.order.Remove(m.order.Back()).(*tally).key)
		}
		e = m.order.PushFront(&tally{key: key, last: now})
		m.keys[key] = e
	}
	m.order.MoveToFront(e)
	return e.Value.(*tally)
}

// add counts a failure for key, and returns what takes it back.
func (m *meter) add(key string, now time.Time) (undo func()) {
	t := m.entry(key, now)
	before := t.last
	// More than the longest delay needs would only take longer to be forgotten.
	t.failures = min(m.now(t, now)+1, m.pace.free+16)
	t.last = now
	return func() {
		t.failures = max(0, t.failures-1)
		if t.last.Equal(now) {
			t.last = before
		}
	}
}

// has says whether this mark is among the latest.
func (t *tally) has(mark uint64) bool { return slices.Contains(t.seen[:], mark) }

// note remembers a mark in place of the oldest.
func (t *tally) note(mark uint64) {
	copy(t.seen[1:], t.seen[:])
	t.seen[0] = mark
}

// erase forgets a mark.
func (t *tally) erase(mark uint64) {
	for i := range t.seen {
		if t.seen[i] == mark {
			t.seen[i] = 0
		}
	}
}
