package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// keeping is when the state of a stream is saved. A change of what it shows is
// saved at once, any other when a second has passed since the save before; both on
// a goroutine that lives for as long as there is something to save. What
// widens what it shows is saved before the server gets it, see keepFirst. Saves are
// renewed while the stream lives, and the last one is settle's.
type keeping struct {
	one  sync.Mutex   // held while the state is saved or deleted
	last atomic.Int64 // when it was last renewed, in Unix nanoseconds

	used  bucket       // saves, of which savesAtOnce may come at once
	saved atomic.Int64 // when there was one, by the clock of the paces

	mu     sync.Mutex
	busy   bool          // keep runs
	stale  bool          // what is saved is not right
	urgent bool          // nor as to what the stream shows
	soon   chan struct{} // keep's: closed when it becomes urgent; nil: nobody waits
}

// savesAtOnce is how many changes of what a stream shows are saved, before they
// too come one in a second: more than the walk to hidden and back takes.
const savesAtOnce = 10

// markStale has the state saved, if there is one: soon, or at once if it is
// urgent. It expects s.mu to be held.
func (s *stream) markStale(urgent bool) {
	if !s.isKept() {
		return
	}
	k := &s.keeping
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale, k.urgent = true, k.urgent || urgent
	if urgent && k.soon != nil {
		close(k.soon)
		k.soon = nil
	}
	if !k.busy {
		k.busy = s.start(s.keep)
	}
}

// keep saves until nothing is stale, or the stream is over.
func (s *stream) keep() {
	for {
		soon, ok := s.keeping.next()
		if !ok || !s.pauseSaving(s.secondLeft(), soon) || !s.pauseSaving(s.saveTurn(), nil) {
			return
		}
		s.keeping.begin()
		_ = s.save(false) // it has been logged; the next change tries again
	}
}

// next says whether there is something to save, and what is closed when it cannot
// wait.
func (k *keeping) next() (soon chan struct{}, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stale {
		k.busy = false
		return nil, false
	}
	soon = make(chan struct{})
	if k.urgent {
		close(soon)
	} else {
		k.soon = soon
	}
	return soon, true
}

// begin comes before the state is looked at: what changes from now on is for the
// next save.
func (k *keeping) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale, k.urgent, k.soon = false, false, nil
}

// secondLeft is for how long what is not urgent has to wait.
func (s *stream) secondLeft() time.Duration {
	last := s.keeping.saved.Load()
	if last == 0 {
		return 0
	}
	return s.g.limits.SaveEvery - time.Duration(s.g.paces.now()-last)
}

// saveTurn takes a save, and says how long it is until there may be one.
func (s *stream) saveTurn() time.Duration {
	every := s.g.limits.SaveEvery
	return s.keeping.used.take(rate{each: float64(every), depth: savesAtOnce * every}, s.g.paces.now(), 1)
}

// pauseSaving reports false when the stream is over: what is stale then is settle's.
func (s *stream) pauseSaving(d time.Duration, soon <-chan struct{}) bool {
	if s.isOver() {
		return false
	}
	select {
	case <-soon:
		return true
	default:
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-soon:
	case <-s.over.wait():
		return false
	}
	return true
}

// keepFirst saves the state before the server gets a step after which somebody may
// see more of the stream, so that nobody resumes it as more hidden than it is. If
// that fails twice the stream ends, and the session with it. It expects s.mu to be held, and lets go of it
// meanwhile; false: the step must not be taken.
func (s *stream) keepFirst() bool {
	p, agreed := s.policy, s.policy.Consent().Presence
	if !s.saveUnlocked() {
		return false
	}
	if agreed && !p.Consent().Presence { // withdrawn meanwhile
		s.finish(endConsent)
		return false
	}
	return true
}

// saveUnlocked expects s.mu to be held, and lets go of it.
func (s *stream) saveUnlocked() bool {
	s.mu.Unlock()
	defer s.mu.Lock()
	s.slow(s.saveTurn())
	err := s.save(false)
	if err != nil {
		s.slow(s.g.limits.SaveEvery)
		err = s.save(false)
	}
	if err != nil {
		s.finish(endUnsaved.with(err))
	}
	return err == nil
}

// refresh renews the saved state when it is time.
func (s *stream) refresh() {
	now := time.Now().UnixNano()
	switch last := s.keeping.last.Load(); {
	case last == 0:
		s.keeping.last.Store(now)
	case time.Duration(now-last) >= s.g.limits.RefreshState:
		s.keeping.last.Store(now)
		s.start(func() { _ = s.save(true) })
	}
}
