package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// keeping is when the state of a stream is saved: soon after it changed, on a
// goroutine that lives for as long as there is something to save, and again
// and again while the stream lives.
type keeping struct {
	one   sync.Mutex   // held while the state is saved or deleted
	state atomic.Int32 // clean, saving or stale
	last  atomic.Int64 // when it was last renewed, in Unix nanoseconds
}

const (
	clean  = iota // what is saved is right
	saving        // a goroutine saves
	stale         // and has to do it again
)

// markStale has the state saved soon.
func (s *stream) markStale() {
	k := &s.keeping.state
	for {
		switch k.Load() {
		case clean:
			if k.CompareAndSwap(clean, saving) {
				s.start(s.keep)
				return
			}
		case saving:
			if k.CompareAndSwap(saving, stale) {
				return
			}
		default:
			return
		}
	}
}

// keep saves until nothing is stale.
func (s *stream) keep() {
	for {
		s.save(false)
		if s.keeping.state.CompareAndSwap(saving, clean) {
			return
		}
		s.keeping.state.Store(saving)
	}
}

// refresh renews the saved state when it is time.
func (s *stream) refresh() {
	now := time.Now().UnixNano()
	switch last := s.keeping.last.Load(); {
	case last == 0:
		s.keeping.last.Store(now)
	case time.Duration(now-last) >= s.g.limits.RefreshState:
		s.keeping.last.Store(now)
		s.start(func() { s.save(true) })
	}
}
