package gateway

import (
	"context"
	"sync"
)

// queue holds frames between the server's reader and the browser's writer.
// put waits for room, so that at most limit bytes wait for a slow browser (a
// single larger frame passes when nothing else waits); the writer's stall
// limit ends the stream if the room never comes.
type queue struct {
	limit int

	mu     sync.Mutex
	frames [][]byte
	bytes  int // in frames and taken but not yet written
	last   bool
	room   chan struct{} // closed and replaced when bytes shrink
	ready  chan struct{} // holds one token while there is something to take
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, room: make(chan struct{}), ready: make(chan struct{}, 1)}
}

// put adds a frame; it must not be changed afterwards. After finish it reports
// false and the frame is dropped.
func (q *queue) put(ctx context.Context, frame []byte) bool {
	for {
		q.mu.Lock()
		if q.last {
			q.mu.Unlock()
			return false
		}
		if q.bytes == 0 || q.bytes+len(frame) <= q.limit {
			q.add(frame)
			q.mu.Unlock()
			return true
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// finish adds the last frames, whatever the limit, and closes the queue.
func (q *queue) finish(frames ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last {
		return
	}
	for _, f := range frames {
		q.add(f)
	}
	q.last = true
	q.signal()
}

// add expects q.mu to be held.
func (q *queue) add(frame []byte) {
	q.frames = append(q.frames, frame)
	q.bytes += len(frame)
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns what waits, up to about max bytes, and whether more can come.
// It is called by one goroutine, after a token from q.ready, until it returns
// no frames.
func (q *queue) take(max int) (frames [][]byte, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.frames) && (n == 0 || size+len(q.frames[n]) <= max) {
		size += len(q.frames[n])
		n++
	}
	frames = q.frames[:n:n]
	q.frames = q.frames[n:]
	if len(q.frames) == 0 {
		q.frames = nil
	}
	return frames, len(q.frames) > 0 || !q.last
}

// written makes room for what take returned.
func (q *queue) written(frames [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range frames {
		q.bytes -= len(f)
	}
	close(q.room)
	q.room = make(chan struct{})
}
