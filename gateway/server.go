package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// readBuffer is how much one read from the server takes.
const readBuffer = 16 << 10

// flushAt is how much may wait for a flush.
const flushAt = 32 << 10

// server is the connection to the XMPP server. One goroutine calls next and
// restart; any goroutine may write.
type server struct {
	conn  net.Conn
	split *framing.Splitter
	in    []byte
	stall time.Duration
	done  chan struct{} // closed when the goroutine that calls next has ended

	writing sync.Mutex // held while bytes go out, so that they stay in order
	mu      sync.Mutex
	out     []byte
	err     error // of the first write that failed
}

func newServer(conn net.Conn, stall time.Duration) *server {
	return &server{
		conn: conn, split: framing.NewSplitter(framing.ServerLimits), in: make([]byte, readBuffer),
		stall: stall, done: make(chan struct{}),
	}
}

// next returns the stream's next item. io.EOF means that the connection ended;
// a *framing.Error that the server sent what cannot be passed on.
func (c *server) next() (framing.Item, error) {
	for {
		item, err := c.split.Next()
		if !errors.Is(err, framing.ErrNeedMore) {
			return item, err
		}
		n, err := c.conn.Read(c.in)
		c.split.Feed(c.in[:n])
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				return framing.Item{}, io.EOF
			}
			return framing.Item{}, fmt.Errorf("gateway: reading from the server: %w", err)
		}
	}
}

// restart expects a new stream header next (RFC 6120 section 6.4.6).
func (c *server) restart() { c.split.Reset() }

// queue adds bytes to the next flush. It never waits.
func (c *server) queue(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, b...)
}

// isFull says that a flush is due.
func (c *server) isFull() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) >= flushAt
}

// flush writes what is queued in one write. A server that takes nothing for
// the stall limit counts as lost.
func (c *server) flush() error {
	c.mu.Lock()
	empty, err := len(c.out) == 0, c.err
	c.mu.Unlock()
	if empty || err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	out, stall := c.out, c.stall
	c.out = nil
	err = c.err
	c.mu.Unlock()
	if len(out) == 0 || err != nil {
		return err
	}
	err = c.conn.SetWriteDeadline(time.Now().Add(stall))
	if err == nil {
		_, err = c.conn.Write(out)
	}
	clear(out) // a login may have been in it
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = fmt.Errorf("gateway: writing to the server: %w", err)
	} else if c.out == nil {
		c.out = out[:0]
	}
	return c.err
}

// end closes the connection: after the last words, </stream:stream> and the
// server's own end of the stream, or without a word. It returns within twice the patience.
func (c *server) end(how serverEnd, last []byte, patience time.Duration) {
	defer c.conn.Close()
	if how == cut {
		return
	}
	// A write that hangs must not hold up the end.
	c.mu.Lock()
	c.out = framing.AppendStreamEnd(append(c.out, last...))
	c.stall = patience
	c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if c.flush() != nil {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	}
}
