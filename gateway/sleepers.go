package gateway

import (
	"container/heap"
	"slices"
	"time"
)

// dormant is a session that sleepers hold, and where in their rows it stands.
type dormant struct {
	sleeper
	expiring, ending int // -1: not in that row
}

// sleepers are the sessions that hibernation knows. Finding the one that is over
// first, or due first, costs next to nothing, and a change the logarithm of how
// many there are. Whoever uses them holds the hibernation's lock.
type sleepers struct {
	byID     map[string]*dormant   // by SM id
	of       map[string][]*dormant // by account
	expiring byTime                // all, by expiry
	ending   byTime                // those that are due, by when the gateway has to end them
}

func newSleepers() sleepers {
	return sleepers{
		byID: map[string]*dormant{}, of: map[string][]*dormant{},
		expiring: byTime{when: func(s *dormant) time.Time { return s.expires }, place: func(s *dormant) *int { return &s.expiring }},
		ending:   byTime{when: func(s *dormant) time.Time { return s.end }, place: func(s *dormant) *int { return &s.ending }},
	}
}

// put adds a session, in the place of one with the same SM id.
func (k *sleepers) put(s sleeper) {
	k.remove(s.previd)
	e := &dormant{sleeper: s, expiring: -1, ending: -1}
	k.byID[s.previd] = e
	k.of[s.account] = append(k.of[s.account], e)
	heap.Push(&k.expiring, e)
	if s.due() {
		heap.Push(&k.ending, e)
	}
}

// remove does nothing for a session that is not there.
func (k *sleepers) remove(previd string) {
	e := k.byID[previd]
	if e == nil {
		return
	}
	delete(k.byID, previd)
	heap.Remove(&k.expiring, e.expiring)
	if e.ending >= 0 {
		heap.Remove(&k.ending, e.ending)
	}
	rest := k.of[e.account]
	i := slices.Index(rest, e)
	if rest = slices.Delete(rest, i, i+1); len(rest) == 0 {
		delete(k.of, e.account)
	} else {
		k.of[e.account] = rest
	}
}

// firstOf is that of an account's sessions which the server ends first, nil if
// there is none.
func (k *sleepers) firstOf(account string) *dormant {
	var first *dormant
	for _, e := range k.of[account] {
		if first == nil || e.expires.Before(first.expires) {
			first = e
		}
	}
	return first
}

// byTime is a heap (container/heap): whose time is first stands in front.
type byTime struct {
	list  []*dormant
	when  func(*dormant) time.Time
	place func(*dormant) *int
}

var _ heap.Interface = (*byTime)(nil)

// first is nil if there is none.
func (r *byTime) first() *dormant {
	if len(r.list) == 0 {
		return nil
	}
	return r.list[0]
}

func (r *byTime) Len() int           { return len(r.list) }
func (r *byTime) Less(i, j int) bool { return r.when(r.list[i]).Before(r.when(r.list[j])) }

func (r *byTime) Swap(i, j int) {
	r.list[i], r.list[j] = r.list[j], r.list[i]
	*r.place(r.list[i]), *r.place(r.list[j]) = i, j
}

// Push is for container/heap alone.
func (r *byTime) Push(x any) {
	e := x.(*dormant)
	*r.place(e) = len(r.list)
	r.list = append(r.list, e)
}

// Pop is for container/heap alone.
func (r *byTime) Pop() any {
	last := len(r.list) - 1
	e := r.list[last]
	r.list[last] = nil
	r.list = r.list[:last]
	*r.place(e) = -1
	return e
}
