package gateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// hijacker gives the WebSocket library a connection that the gateway still has
// a hand on: see browserConn.
type hijacker struct {
	http.ResponseWriter
	conn *browserConn
}

// Hijack is http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: %w", err)
	}
	setNoDelay(conn)
	// The HTTP server's deadlines are not the stream's.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("gateway: %w", err)
	}
	h.conn.Conn = conn
	return h.conn, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(h.conn)), nil
}

// browserConn is the browser's TCP connection under the WebSocket. It joins
// the frames written between cork and uncork into one write, tells the stream
// before a read that may wait, and knows when the browser was last heard of.
type browserConn struct {
	net.Conn
	stall time.Duration
	// beforeRead is called by the reading goroutine; set it from there.
	beforeRead func()
	heard      atomic.Int64 // time of the last byte read, unix nanoseconds

	mu     sync.Mutex
	corked bool
	held   []byte
}

// Read is net.Conn's.
func (c *browserConn) Read(p []byte) (int, error) {
	if c.beforeRead != nil {
		c.beforeRead()
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// Write is net.Conn's. While corked it keeps p and cannot fail.
func (c *browserConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.corked {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.write(p)
}

func (c *browserConn) write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *browserConn) cork() {
	c.mu.Lock()
	c.corked = true
	c.mu.Unlock()
}

// uncork writes what was kept.
func (c *browserConn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.write(c.held)
	if c.held = c.held[:0]; cap(c.held) > 2*flushAt {
		c.held = nil
	}
	return err
}

// silence is how long nothing was heard from the browser.
func (c *browserConn) silence() time.Duration {
	return time.Since(time.Unix(0, c.heard.Load()))
}
