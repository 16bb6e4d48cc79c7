package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// step is what a stream waits for.
type step int

const (
	stepUpgrade  step = iota // the answer to the WebSocket handshake
	stepHeader               // the server's <open/> or <stream:stream>
	stepFeatures             // with PLAIN
	stepSuccess              // of SASL
	stepHeader2
	stepFeatures2 // with the bind
	stepBind      // its result
	stepReady
	stepClosing // the end was asked for
	stepClosed
)

// greet queues the first words.
func (s *Stream) greet() error {
	if s.way.isTCP() {
		s.step = stepHeader
		s.open()
		return s.flush()
	}
	s.step = stepUpgrade
	origin := ""
	if s.way.Origin != "" {
		origin = "Origin: " + s.way.Origin + "\r\n"
	}
	s.out = fmt.Appendf(s.out, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"X-Forwarded-For: %s\r\nX-Forwarded-Proto: https\r\n\r\n", s.way.Path, s.way.Addr, origin, address(s.account.Index))
	return s.flush()
}

// address is where the client says it is.
func address(index int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(index >> 16), byte(index >> 8), byte(index)})
}

// open queues the opening of a stream.
func (s *Stream) open() {
	if s.way.isTCP() {
		s.send([]byte("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" +
			s.way.Domain + "' version='1.0'>"))
		return
	}
	s.send([]byte("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + s.way.Domain + "' version='1.0'/>"))
}

// item handles what came: a step of the login, or a stanza.
func (s *Stream) item(b []byte) error {
	expect := func(what string) error {
		if !bytes.Contains(b, []byte(what)) {
			return fmt.Errorf("expected %s, got %.300q", what, b)
		}
		return nil
	}
	switch s.step {
	case stepReady:
		if s.handle == nil {
			return nil
		}
		return s.handle(s, b)
	case stepUpgrade:
		if err := expect("HTTP/1.1 101 "); err != nil {
			return err
		}
		s.open()
	case stepHeader, stepHeader2:
		if err := expect(map[bool]string{true: "<stream:stream", false: "<open"}[s.way.isTCP()]); err != nil {
			return err
		}
	case stepFeatures:
		if err := expect("<mechanism>PLAIN</mechanism>"); err != nil {
			return err
		}
		secret := base64.StdEncoding.EncodeToString([]byte("\x00" + s.account.Name + "\x00" + s.account.Password))
		s.send([]byte("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + secret + "</auth>"))
	case stepSuccess:
		if err := expect("<success"); err != nil {
			return err
		}
		s.open()
	case stepFeatures2:
		if err := expect("urn:ietf:params:xml:ns:xmpp-bind"); err != nil {
			return err
		}
		s.send([]byte("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"))
	case stepBind:
		return s.isBound(b)
	default: // closing: whatever is still on the way
		return nil
	}
	s.step++
	return s.flush()
}

// isBound takes the result of the bind, and makes the client available.
func (s *Stream) isBound(b []byte) error {
	if !bytes.HasPrefix(b, []byte("<iq")) || attribute(b, "id") != "b" {
		return nil // something else that came before it
	}
	jid, found := text(b, "jid")
	if !found || attribute(b, "type") != "result" {
		return fmt.Errorf("not bound: %.300q", b)
	}
	s.jid = string(jid)
	s.step = stepReady
	s.send([]byte("<presence xmlns='jabber:client'/>"))
	if s.bound != nil {
		s.bound(s)
	}
	return s.flush()
}

// Rest does nothing but answer the servers, for a time.
func (l *Loop) Rest(ctx context.Context, d time.Duration) error {
	deadline := time.Now().Add(d)
	over := false
	return l.run(ctx, func(now time.Time) time.Time {
		over = !now.Before(deadline)
		return deadline
	}, func() bool { return over })
}

// Logins is how logins went.
type Logins struct {
	Streams []*Stream
	Took    []time.Duration // of each, from the moment when it was due until it was bound
	Failed  []error         // those that did not come through, if the rate was given
	Hung    int             // had no answer and were begun again, if it was not
}

// A login that has no answer for so long is given up, and so are all after some.
const (
	hungAfter = 10 * time.Second
	mostHung  = 5
)

var errHung = errors.New("load: a login has no answer")

// Login logs the accounts in, each on a stream of its own. With a rate, that
// many begin in a second whether or not the earlier ones are through, and one
// that fails is noted, for a server may be too slow for the rate; without one,
// 50 are under way at a time, and all must come through. ejabberd's own WebSocket
// leaves one in some thousands without an answer: such are begun again.
func (l *Loop) Login(ctx context.Context, w Way, accounts []Account, rate float64) (*Logins, error) {
	const atATime = 50
	r := &Logins{Took: make([]time.Duration, 0, len(accounts))}
	began := time.Now()
	connect := func(a Account, due time.Time) *Stream {
		s, err := l.connect(w, a, due, func(s *Stream) {
			r.Took = append(r.Took, time.Since(s.began))
		})
		if err != nil {
			l.fail(err)
		} else if rate > 0 {
			s.lost = func(err error) { r.Failed = append(r.Failed, err) }
		}
		return s
	}
	begin := func(due time.Time) {
		if s := connect(accounts[len(r.Streams)], due); s != nil {
			r.Streams = append(r.Streams, s)
		}
	}
	tick := func(now time.Time) time.Time {
		for i, s := range r.Streams {
			if s.step >= stepReady || now.Sub(s.began) < l.hungAfter {
				continue
			}
			s.cut()
			switch r.Hung++; {
			case rate > 0:
				r.Failed = append(r.Failed, errHung)
			case r.Hung > mostHung:
				l.fail(errHung)
			default:
				r.Streams[i] = connect(s.account, now)
			}
		}
		for rate > 0 && l.err == nil && len(r.Streams) < len(accounts) {
			due := began.Add(time.Duration(float64(len(r.Streams)) / rate * float64(time.Second)))
			if due.After(now) {
				return due
			}
			begin(due)
		}
		return now.Add(l.hungAfter / 10)
	}
	done := func() bool {
		for rate == 0 && l.err == nil && len(r.Streams) < len(accounts) && len(r.Streams)-len(r.Took) < atATime {
			begin(time.Now())
		}
		return len(r.Took)+len(r.Failed) == len(accounts)
	}
	if err := l.run(ctx, tick, done); err != nil {
		return nil, fmt.Errorf("%d of %d have logged in: %w", len(r.Took), len(accounts), err)
	}
	r.Streams = slices.DeleteFunc(r.Streams, func(s *Stream) bool { return s.step == stepClosed })
	return r, nil
}

// End closes the streams in order and returns when the server has done the same.
func (l *Loop) End(ctx context.Context, streams []*Stream) error {
	for _, s := range streams {
		if s.step == stepClosed {
			continue
		}
		if s.way.isTCP() {
			s.out = append(s.out, "</stream:stream>"...)
		} else {
			s.send([]byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
			s.out = s.appendFrame(s.out, opClose, []byte{0x03, 0xe8})
		}
		s.step = stepClosing
		if s.flush() != nil {
			s.cut()
		}
	}
	// Not every server closes what a client has ended; nobody waits for long.
	deadline := time.Now().Add(3 * time.Second)
	late := false
	err := l.run(ctx, func(now time.Time) time.Time {
		late = !now.Before(deadline)
		return deadline
	}, func() bool { return late || !anyOpen(streams) })
	for _, s := range streams {
		if s.step != stepClosed {
			s.cut()
		}
	}
	return err
}

func anyOpen(streams []*Stream) bool {
	for _, s := range streams {
		if s.step != stepClosed {
			return true
		}
	}
	return false
}
