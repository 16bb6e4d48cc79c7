package gateway

import (
	"context"
	"sync"
	"time"
)

// pulseSlots is in how many groups the live streams are looked at, one after
// the other, so that they are not all pinged at once.
const pulseSlots = 64

// pulse is the one clock of all streams that have nothing to do: each is
// looked at once in every turn. Any goroutine may call its methods.
type pulse struct {
	mu    sync.Mutex
	slots [pulseSlots][]*stream
	next  int // slot for the next stream
}

// add has s looked at from now on.
func (p *pulse) add(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.slot, s.place = p.next, len(p.slots[p.next])
	p.slots[s.slot] = append(p.slots[s.slot], s)
	p.next = (p.next + 1) % pulseSlots
}

// remove undoes add.
func (p *pulse) remove(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := p.slots[s.slot]
	last := len(slot) - 1
	slot[s.place] = slot[last]
	slot[s.place].place = s.place
	slot[last] = nil
	p.slots[s.slot] = slot[:last]
}

// of adds the streams of one slot to list.
func (p *pulse) of(slot int, list []*stream) []*stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(list, p.slots[slot]...)
}

// queued is how many bytes wait for the live streams' browsers, and for the
// slowest of them.
func (p *pulse) queued() (all, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, slot := range p.slots {
		for _, s := range slot {
			n := s.browser.queue.waits()
			all, most = all+n, max(most, n)
		}
	}
	return all, most
}

// turn is the time in which the pulse looks at every stream once.
func (l Limits) turn() time.Duration { return max(l.PingEvery/10, pulseSlots*time.Millisecond) }

// run looks at each stream once in every turn until ctx ends.
func (p *pulse) run(ctx context.Context, turn time.Duration) {
	t := time.NewTicker(turn / pulseSlots)
	defer t.Stop()
	var list []*stream
	for slot := 0; ; slot = (slot + 1) % pulseSlots {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		list = p.of(slot, list[:0])
		for _, s := range list {
			s.look(turn)
		}
		clear(list)
	}
}
