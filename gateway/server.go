package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// server is the connection to the XMPP server. One goroutine calls next and
// restart; any goroutine may write.
type server struct {
	sock  *socket
	split *framing.Splitter
	out   queue
	done  latch // the goroutine that calls next has ended

	leaving atomic.Bool // hangUp has begun
	late    int         // bytes read since
}

// serverQueue is how much may wait for a slow server before its browser is
// read no further.
const serverQueue = 128 << 10

// newServer takes a connection that has not been read from. start and failed
// are the queue's.
func newServer(conn net.Conn, stall time.Duration, start func(func()) bool, failed func(error)) *server {
	c := &server{
		sock: newSocket(conn), split: framing.NewSplitter(framing.ServerLimits),
	}
	c.out = queue{sock: c.sock, limit: serverQueue, stall: stall, start: start, failed: failed}
	return c
}

// newOwnServer is for sessions of the gateway itself: its goroutines end when
// conn is closed.
func newOwnServer(conn net.Conn, stall time.Duration) *server {
	return newServer(conn, stall,
		func(f func()) bool { go f(); return true },
		func(error) { _ = conn.Close() }) // whoever waits for an answer waits in vain
}

// next returns the stream's next item, which lives until the next call. Before
// it waits for bytes it calls before. io.EOF means that the connection ended;
// a *framing.Error that the server sent what cannot be passed on.
func (c *server) next(before func()) (framing.Item, error) {
	for {
		item, err := c.split.Next()
		if !errors.Is(err, framing.ErrNeedMore) {
			return item, err
		}
		before()
		n, err := c.sock.fill(c.split)
		if c.tooLate(n) {
			return framing.Item{}, io.EOF
		}
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, errRest) {
				return framing.Item{}, err
			}
			return framing.Item{}, fmt.Errorf("gateway: reading from the server: %w", err)
		}
	}
}

// restart expects a new stream header next (RFC 6120 section 6.4.6).
func (c *server) restart() { c.split.Reset() }

// queue adds bytes to the next flush. It never waits.
func (c *server) queue(b []byte) { c.out.add(b) }

// flush writes what is queued. A server that takes nothing for the stall limit
// counts as lost.
func (c *server) flush() error {
	if err := c.out.flush(); err != nil {
		return fmt.Errorf("gateway: writing to the server: %w", err)
	}
	return nil
}

// flushNow drops the error: the next read reports it.
func (c *server) flushNow() { _ = c.out.flush() }

// end closes the connection: after the last words, </stream:stream> and the
// server's own end of the stream, or without a word. It returns within twice the patience.
func (c *server) end(how serverEnd, last []byte, patience time.Duration) {
	defer c.close()
	if how == cut {
		c.hangUp(patience)
		return
	}
	c.out.hurry(patience) // a write that hangs must not hold up the end
	c.out.finish(framing.AppendStreamEnd(last))
	if !c.out.settled(patience) {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.done.wait():
	case <-t.C:
	}
}

// close closes the connection, whatever is under way.
func (c *server) close() {
	_ = c.sock.Close()
	c.out.abandon()
}
