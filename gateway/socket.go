package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is one connection. On TCP it waits for bytes without holding memory
// to read them into, and writes what can be written without waiting. One
// goroutine calls fill, one at a time tryWrite.
type socket struct {
	net.Conn
	raw syscall.RawConn // nil where the bytes on the wire are not those of the stream: TLS
	// acks has the kernel acknowledge at once what was read. A server that
	// sends small stanzas without TCP_NODELAY waits for that with the next one,
	// and would wait for 40 ms. A fresh connection needs no help with it.
	acks atomic.Bool

	stirred atomic.Bool   // bytes have come since tire
	ticket  atomic.Uint64 // the last one in resting
	mu      sync.Mutex    // of reader and the deadline for reading
	reader  readerState

	into      filler
	read      descriptor
	n         int
	err       error
	readable  func(fd uintptr) bool
	small     []byte // to wait with where there is no raw
	unread    bytes.Reader
	out       []byte
	written   int
	writeErr  error
	writeable func(fd uintptr) bool
}

// readerState is what becomes of the goroutine that reads from a socket. The
// deadline for reading has passed while it is tired, and only then.
type readerState uint8

const (
	awake  readerState = iota
	tired              // fill is to return errRest
	asleep             // there is none: a function waits in resting
)

// filler takes in bytes, and lets go of its memory when there are none.
type filler interface {
	// Fill calls src.Read once.
	Fill(src io.Reader) (int, error)
	Release()
}

// errAgain is what reading from a descriptor returns when there is nothing.
var errAgain = errors.New("gateway: nothing to read")

func newSocket(conn net.Conn) *socket {
	c := &socket{Conn: conn}
	if s, ok := conn.(syscall.Conn); ok && rawIO {
		c.raw, _ = s.SyscallConn()
	}
	c.readable, c.writeable = c.readNow, c.writeNow
	return c
}

// fill waits for bytes and has f take them. io.EOF is the end.
func (c *socket) fill(f filler) (int, error) {
	if c.raw == nil {
		return c.fillSlowly(f)
	}
	c.into = f
	err := c.raw.Read(c.readable)
	switch {
	case err == nil:
		if !c.stirred.Load() {
			c.stirred.Store(true)
		}
		return c.n, c.err
	case errors.Is(err, os.ErrDeadlineExceeded) && c.become(awake) == tired:
		f.Release()
		return 0, errRest
	default:
		return 0, err
	}
}

// errRest is what fill returns when nothing has come for a while.
var errRest = errors.New("gateway: nothing comes")

// tire has the goroutine in fill, or the next call of it, return errRest if
// nothing has come since the last call of tire. Any goroutine may call it.
func (c *socket) tire() {
	if c.raw == nil || c.stirred.Swap(false) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == awake {
		c.reader = tired
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// become sets the state of the reader, which is not to be tired, and returns
// what it was.
func (c *socket) become(next readerState) (was readerState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == tired {
		_ = c.SetReadDeadline(time.Time{})
	}
	was, c.reader = c.reader, next
	return was
}

// rest leaves the connection to r. Once there is something to read, or wake is
// called, read is called, once; it may be before rest returns. After that,
// another goroutine calls fill. False: read will not be called, and the caller
// goes on calling fill.
func (c *socket) rest(r *resting, read func()) (ok bool) {
	ticket := r.ticket()
	c.ticket.Store(ticket)
	c.become(asleep)
	err := c.raw.Control(func(fd uintptr) {
		ok = r.rest(ticket, fd, func() { c.become(awake); read() })
	})
	if !ok || err != nil { // they go together
		c.become(awake)
	}
	return ok
}

// wake ends rest.
func (c *socket) wake(r *resting) { r.wake(c.ticket.Load()) }

// readNow is called when there may be something to read, and reports whether
// there was.
func (c *socket) readNow(fd uintptr) bool {
	c.read = descriptor(fd)
	c.n, c.err = c.into.Fill(&c.read)
	if c.n == 0 && c.err == errAgain {
		c.into.Release()
		return false
	}
	if c.acks.Load() {
		c.read.acknowledge()
	}
	return true
}

// smallBuffer is held while waiting for bytes that TLS hides.
const smallBuffer = 1 << 10

func (c *socket) fillSlowly(f filler) (int, error) {
	if c.unread.Len() == 0 {
		if c.small == nil {
			c.small = make([]byte, smallBuffer)
		}
		n, err := c.Read(c.small)
		if n == 0 {
			return 0, err
		}
		c.unread.Reset(c.small[:n])
	}
	n, err := f.Fill(&c.unread)
	if c.unread.Len() == 0 {
		clear(c.small)
	}
	return n, err
}

// tryWrite writes as much of p as can be written now.
func (c *socket) tryWrite(p []byte) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	c.out, c.written, c.writeErr = p, 0, nil
	err := c.raw.Write(c.writeable)
	c.out = nil
	if err == nil {
		err = c.writeErr
	}
	return c.written, err
}

func (c *socket) writeNow(fd uintptr) bool {
	for c.written < len(c.out) {
		n, err := descriptor(fd).write(c.out[c.written:])
		if err == errAgain {
			break
		}
		if err != nil {
			c.writeErr = err
			break
		}
		c.written += n
	}
	return true
}

// sendBuffer bounds what the kernel keeps for somebody who reads slowly; left
// to itself it may keep megabytes.
const sendBuffer = 128 << 10

// tune sends small stanzas at once, on both sides of the gateway.
func tune(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetNoDelay(true)
		_ = t.SetWriteBuffer(sendBuffer)
	}
}
