package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"syscall"
	"time"
)

// Account is somebody who can log in.
type Account struct {
	Name, Password string
	// Index makes the address that the client says it comes from, to a proxy
	// that believes it: no two have the same.
	Index int
}

// Way is how a server is reached.
type Way struct {
	Domain string
	Addr   netip.AddrPort
	// Path is of the WebSocket; "" means TCP.
	Path   string
	Origin string // sent with the handshake unless ""
}

// Stream is one client's connection.
type Stream struct {
	loop    *Loop
	way     Way
	account Account
	fd      int
	began   time.Time
	step    step
	jid     string // full, once bound

	in     []byte // what was read of an item that is not complete
	out    []byte // what could not be written yet
	blocks bool   // out waits for the socket
	part   []byte // of a fragmented WebSocket message
	random uint64 // of the masking keys

	bound  func(*Stream)                      // once, when logged in
	lost   func(error)                        // when the connection failed before that; nil: the run fails
	handle func(s *Stream, item []byte) error // each stanza after that
}

// JID is the full address that the stream was bound to.
func (s *Stream) JID() string { return s.jid }

func (w Way) isTCP() bool { return w.Path == "" }

// connect starts a stream; bound is called when it is logged in. began is the
// moment from which its login counts.
func (l *Loop) connect(w Way, a Account, began time.Time, bound func(*Stream)) (*Stream, error) {
	family, addr := syscall.AF_INET, syscall.Sockaddr(nil)
	if ip := w.Addr.Addr(); ip.Is4() {
		addr = &syscall.SockaddrInet4{Port: int(w.Addr.Port()), Addr: ip.As4()}
	} else {
		family, addr = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(w.Addr.Port()), Addr: ip.As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load: socket: %w", err)
	}
	s := &Stream{loop: l, way: w, account: a, fd: fd, began: began, bound: bound, random: uint64(a.Index+1) * 0x9e3779b97f4a7c15}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("load: TCP_NODELAY: %w", err), syscall.Close(fd))
	}
	if err := syscall.Connect(fd, addr); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return nil, errors.Join(fmt.Errorf("load: connecting to %s: %w", w.Addr, err), syscall.Close(fd))
	}
	if err := l.watch(fd, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN|syscall.EPOLLOUT); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	s.blocks = true
	l.streams[int32(fd)] = s
	return s, s.greet()
}

// cut closes the connection without a word.
func (s *Stream) cut() {
	delete(s.loop.streams, int32(s.fd))
	_ = syscall.Close(s.fd) // which takes it out of the epoll set
	s.step = stepClosed
}

func (s *Stream) event(events uint32) error {
	if s.blocks && events&(syscall.EPOLLOUT|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
		if err := s.unblock(); err != nil {
			return err
		}
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
		return s.read()
	}
	return nil
}

// unblock goes on writing when the socket takes bytes again, or for the first time.
func (s *Stream) unblock() error {
	if code, err := syscall.GetsockoptInt(s.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
		return errors.Join(err, syscall.Errno(code))
	}
	s.blocks = false
	if err := s.flush(); err != nil || s.blocks {
		return err
	}
	return s.loop.watch(s.fd, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN)
}

// flush writes what is queued, as much as the socket takes.
func (s *Stream) flush() error {
	if s.blocks || len(s.out) == 0 {
		return nil
	}
	n, err := syscall.Write(s.fd, s.out)
	switch {
	case n == len(s.out):
		s.out = s.out[:0]
		if cap(s.out) > 64<<10 {
			s.out = nil
		}
		return nil
	case err != nil && !errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("writing: %w", err)
	}
	s.out = append(s.out[:0], s.out[max(n, 0):]...)
	s.blocks = true
	return s.loop.watch(s.fd, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT)
}

// read takes what is there, once, and hands on each item that is complete.
func (s *Stream) read() error {
	n, err := syscall.Read(s.fd, s.loop.buf)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return nil
	case s.step == stepClosing && (err != nil || n == 0):
		s.cut()
		return nil
	case err != nil:
		return fmt.Errorf("reading: %w", err)
	case n == 0:
		return fmt.Errorf("ended by the other side: %w", io.ErrUnexpectedEOF)
	}
	data := s.loop.buf[:n]
	if len(s.in) > 0 {
		s.in = append(s.in, data...)
		data = s.in
	}
	used, err := s.consume(data)
	if err != nil {
		return err
	}
	if used == len(data) {
		s.in = s.in[:0]
	} else {
		s.in = append(s.in[:0], data[used:]...)
	}
	return nil
}

// consume handles the complete items at the beginning of b and says how long
// they are.
func (s *Stream) consume(b []byte) (used int, err error) {
	for used < len(b) && s.step != stepClosed {
		var n int
		var item []byte
		switch {
		case s.step == stepUpgrade:
			if n = bytes.Index(b[used:], []byte("\r\n\r\n")); n >= 0 {
				item, n = b[used:used+n], n+4
			} else {
				n = 0
			}
		case s.way.isTCP():
			n, err = NextItem(b[used:])
			item = b[used : used+n]
		default:
			n, item, err = s.nextFrame(b[used:])
		}
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		if len(item) == 0 || item[0] <= ' ' || item[0] == '<' && len(item) > 1 && item[1] == '?' {
			continue // white space, an XML declaration, or a frame that was answered
		}
		if err := s.item(item); err != nil {
			return used, err
		}
	}
	return used, nil
}

// send queues a stanza. It is written by flush.
func (s *Stream) send(stanza []byte) {
	if s.way.isTCP() {
		s.out = append(s.out, stanza...)
		return
	}
	s.out = s.appendFrame(s.out, opText, stanza)
}
