package gateway

import (
	"context"
	"sync"
	"time"
)

// latch is something that happens once. Until somebody waits for it, it holds
// no memory. The zero value is ready; any goroutine may call its methods.
type latch struct {
	mu       sync.Mutex
	happened bool
	waiting  chan struct{} // nil until somebody waits
}

// past is what waits for what has happened.
var past = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// set lets it happen, and reports whether this was the first time.
func (l *latch) set() (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.happened {
		return false
	}
	l.happened = true
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
	return true
}

// isSet reports whether it has happened.
func (l *latch) isSet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.happened
}

// wait returns a channel that is closed when it has happened.
func (l *latch) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.happened {
		return past
	}
	if l.waiting == nil {
		l.waiting = make(chan struct{})
	}
	return l.waiting
}

// lifetime is a context that ends with a latch. It costs a live stream nothing.
type lifetime struct{ over *latch }

var _ context.Context = lifetime{}

func (lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }
func (l lifetime) Done() <-chan struct{}     { return l.over.wait() }
func (lifetime) Value(any) any               { return nil }

func (l lifetime) Err() error {
	if l.over.isSet() {
		return context.Canceled
	}
	return nil
}
