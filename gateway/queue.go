package gateway

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// flushAt is how much may wait for a flush, and how much one write takes that
// has to wait.
const flushAt = 32 << 10

// chunkSize is what a queue takes from the pool; chunks that grew beyond
// maxChunk are not kept.
const (
	chunkSize = 16 << 10
	maxChunk  = 64 << 10
)

type chunk struct{ b []byte }

var chunks = sync.Pool{New: func() any { return &chunk{make([]byte, 0, chunkSize)} }}

// recycle overwrites the chunk: a secret may have been in it.
func (c *chunk) recycle() {
	clear(c.b)
	if cap(c.b) <= maxChunk {
		c.b = c.b[:0]
		chunks.Put(c)
	}
}

// queue holds the bytes on their way to one side. add collects them, flush
// writes them in one write by the goroutine that calls it; only what the
// connection does not take at once is left to a goroutine of its own, which
// ends when it has caught up. An empty queue holds no memory. Any goroutine may
// call its methods.
type queue struct {
	sock  *socket
	limit int // bytes for which room waits
	// start runs the goroutine, or reports that it is too late for one.
	start func(func()) bool
	// failed is told once why a write failed: os.ErrDeadlineExceeded when
	// nothing was taken for the stall limit.
	failed func(error)

	mu      sync.Mutex
	stall   time.Duration
	waiting *chunk // for the next write, nil if there is nothing
	under   int    // bytes of the write under way
	busy    bool   // somebody writes
	closed  bool   // add refuses
	err     error
	changed chan struct{} // closed at the next change; nil while nobody waits for one
}

// add takes bytes for the next flush. It never waits. After finish, or when
// the connection is lost, it reports false.
func (q *queue) add(parts ...[]byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.err != nil {
		return false
	}
	q.append(parts)
	return true
}

// finish adds the last bytes of all, once.
func (q *queue) finish(parts ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.append(parts)
	}
}

// overtime adds bytes after finish.
func (q *queue) overtime(parts ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.append(parts)
}

// append expects q.mu to be held.
func (q *queue) append(parts [][]byte) {
	for _, p := range parts {
		if len(p) == 0 || q.err != nil {
			continue
		}
		if q.waiting == nil {
			q.waiting = chunks.Get().(*chunk)
		}
		q.waiting.b = append(q.waiting.b, p...)
	}
}

// size expects q.mu to be held.
func (q *queue) size() int {
	if q.waiting == nil {
		return q.under
	}
	return q.under + len(q.waiting.b)
}

// waits is how many bytes have not been written.
func (q *queue) waits() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size()
}

// isFull says that a flush is due.
func (q *queue) isFull() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting != nil && len(q.waiting.b) >= flushAt
}

// isEmpty says that everything has been written.
func (q *queue) isEmpty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size() == 0
}

// room waits until n bytes fit under the limit, or nothing waits at all. It
// reports false when they never will, or ctx has ended.
func (q *queue) room(ctx context.Context, n int) bool {
	for {
		q.mu.Lock()
		size, over := q.size(), q.closed || q.err != nil
		var change chan struct{}
		if !over && size > 0 && size+n > q.limit {
			change = q.change()
		}
		q.mu.Unlock()
		if change == nil {
			return !over
		}
		_ = q.flush()
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

// settled waits until everything has been written, and reports whether it was.
func (q *queue) settled(patience time.Duration) bool {
	_ = q.flush()
	t := time.NewTimer(patience)
	defer t.Stop()
	for {
		q.mu.Lock()
		size, err, change := q.size(), q.err, q.change()
		q.mu.Unlock()
		if size == 0 || err != nil {
			return err == nil
		}
		select {
		case <-change:
		case <-t.C:
			return false
		}
	}
}

// change expects q.mu to be held.
func (q *queue) change() chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

// tell expects q.mu to be held.
func (q *queue) tell() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// hurry sets how long a write may stand still from now on.
func (q *queue) hurry(stall time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stall = stall
	if q.busy {
		_ = q.sock.SetWriteDeadline(time.Now().Add(stall))
	}
}

// flush writes what is there, without waiting. The error is that of the first
// write that failed.
func (q *queue) flush() error {
	q.mu.Lock()
	for !q.busy && q.err == nil && q.waiting != nil {
		c := q.take()
		q.mu.Unlock()
		n, err := q.sock.tryWrite(c.b)
		if err == nil && n < len(c.b) {
			if q.start(func() { q.writeOn(c, n) }) {
				return nil
			}
			err = net.ErrClosed
		}
		q.wrote(c, err)
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	return q.err
}

// take expects q.mu to be held.
func (q *queue) take() *chunk {
	c := q.waiting
	q.waiting, q.busy, q.under = nil, true, len(c.b)
	return c
}

// wrote ends a write. failed is told outside of the lock.
func (q *queue) wrote(c *chunk, err error) {
	c.recycle()
	q.mu.Lock()
	q.busy, q.under = false, 0
	if err != nil && q.err == nil {
		q.err = err
		q.drop()
	} else {
		err = nil
	}
	q.tell()
	q.mu.Unlock()
	if err != nil {
		q.failed(err)
	}
}

// writeOn writes the rest of c from n on, and then what came meanwhile, as the
// connection takes it.
func (q *queue) writeOn(c *chunk, n int) {
	for c != nil {
		err := q.writeSlowly(c.b[n:])
		if err == nil {
			err = q.sock.SetWriteDeadline(time.Time{})
		}
		q.wrote(c, err)
		q.mu.Lock()
		c, n = nil, 0
		if !q.busy && q.err == nil && q.waiting != nil {
			c = q.take()
		}
		q.mu.Unlock()
	}
}

// writeSlowly writes b piece by piece; each has the stall limit's time.
func (q *queue) writeSlowly(b []byte) error {
	for len(b) > 0 {
		q.mu.Lock()
		err := q.sock.SetWriteDeadline(time.Now().Add(q.stall))
		q.mu.Unlock()
		n := 0
		if err == nil {
			n, err = q.sock.Write(b[:min(len(b), flushAt)])
		}
		b = b[n:]
		q.mu.Lock()
		q.under -= n
		q.tell()
		q.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// abandon drops everything but a write under way, which drops its own.
func (q *queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.err == nil {
		q.err = errAbandoned
	}
	q.drop()
	q.tell()
}

// drop expects q.mu to be held.
func (q *queue) drop() {
	if q.waiting != nil {
		q.waiting.recycle()
		q.waiting = nil
	}
}

var errAbandoned = errors.New("gateway: the connection is closed")
