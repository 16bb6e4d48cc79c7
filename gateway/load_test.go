package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// crowd is an XMPP server for many streams: it lets everyone in, answers each
// <message id='echo'/> by one, and sends stanzas without end to who asks for a
// flood.
type crowd struct {
	listener net.Listener
	wg       sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &crowd{listener: l}
	c.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { defer conn.Close(); c.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.wg.Wait() })
	return c
}

func (c *crowd) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	until := func(texts ...string) (seen string) {
		for {
			b, err := r.ReadByte()
			if err != nil {
				return ""
			}
			seen += string(rune(b))
			for _, text := range texts {
				if strings.HasSuffix(seen, text) {
					return text
				}
			}
		}
	}
	for _, a := range answers {
		if until(a.seen) == "" {
			return
		}
		if _, err := io.WriteString(conn, a.say); err != nil {
			return
		}
	}
	for {
		switch until("id='echo'/>", "id='flood'/>", "</stream:stream>") {
		case "id='echo'/>":
			if _, err := io.WriteString(conn, "<message id='echo'/>"); err != nil {
				return
			}
		case "id='flood'/>":
			stanza := strings.Repeat("<message><body>"+strings.Repeat("x", 4000)+"</body></message>", 16)
			for {
				if _, err := io.WriteString(conn, stanza); err != nil {
					return
				}
			}
		default:
			return
		}
	}
}

// anyone may log in, and shows everything.
type anyone struct{}

func (anyone) Lookup(_ context.Context, username, _ string) (account, session, credential string, ok bool, err error) {
	return "id-" + username, "session-" + username, "credential-" + username, true, nil
}

func (anyone) Consent(context.Context, string) (presence, typing, receipts bool, err error) {
	return true, true, true, nil
}

// crowded is a stack before a crowd, whose limits let one machine be many.
func crowded(t *testing.T, change func(*gateway.Config)) *stack {
	t.Helper()
	return newStack(t, stackConfig{upstream: newCrowd(t).listener.Addr().String(), change: func(c *gateway.Config) {
		c.Credentials, c.Consents = anyone{}, anyone{}
		all := gateway.Pace{Stanzas: -1, Bytes: -1}
		l := &c.Limits
		l.PerAddress, l.PerAccount, l.Stream, l.Account, l.Address = 1<<20, 1<<20, all, all, all
		l.Handshakes, l.Logins, l.AuthTime = -1, -1, time.Minute
		if change != nil {
			change(c)
		}
	}})
}

// visitor is a WebSocket client that costs little.
type visitor struct {
	net.Conn
	in *bufio.Reader
}

func (v *visitor) say(text string) error {
	frame := []byte{0x81, 0x80 | byte(len(text))}
	if len(text) > 125 {
		frame = []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text))}
	}
	_, err := v.Write(append(append(frame, 0, 0, 0, 0), text...))
	return err
}

// until reads up to a text.
func (v *visitor) until(text string) error {
	var seen []byte
	for !bytes.HasSuffix(seen, []byte(text)) {
		b, err := v.in.ReadByte()
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", text, err)
		}
		seen = append(seen, b)
	}
	return nil
}

// steps of a visit: what is said, and what is waited for.
var steps = []struct{ say, wait string }{
	{openTag, "</stream:features>"},
	{"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00a password")) + "</auth>", "<success xmlns='" + nsSASL + "'/>"},
	{openTag, "</stream:features>"},
	{"<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>"},
}

// visit connects and takes some of the steps.
func (s *stack) visit(upTo int) (*visitor, error) {
	var d net.Dialer
	conn, err := d.DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "ws://"))
	if err != nil {
		return nil, err
	}
	v := &visitor{conn, bufio.NewReader(conn)}
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Join(handshake, "\r\n")+"\r\n\r\n")
	if err == nil {
		var res *http.Response
		if res, err = http.ReadResponse(v.in, nil); err == nil && res.StatusCode != http.StatusSwitchingProtocols {
			err = errors.New(res.Status)
		}
	}
	for _, step := range steps[:upTo] {
		if err == nil {
			err = errors.Join(v.say(step.say), v.until(step.wait))
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return v, nil
}

// visits makes n of them, a few at a time.
func visits(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	var next atomic.Int64
	failed := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := f(int(i)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// TestSlowReadersHurtNobodyElse: a thousand browsers ask for a flood and read
// nothing of it. What waits for them is bounded, they are cut, and another
// stream goes on meanwhile.
func TestSlowReadersHurtNobodyElse(t *testing.T) {
	n := 1000
	if underRace {
		n = 100
	}
	const queue = 256<<10 + 16 // the default, and a WebSocket header
	s := crowded(t, func(c *gateway.Config) { c.Limits.Stall = 5 * time.Second })
	fast, err := s.visit(len(steps))
	require.NoError(t, err)
	defer fast.Close()
	require.NoError(t, visits(n, func(int) error {
		v, err := s.visit(len(steps))
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = v.Close() })
		return v.say("<message xmlns='jabber:client' id='flood'/>")
	}))
	during, most, all := 0, 0.0, 0.0 // during: trips while there were slow readers
	for {
		require.NoError(t, fast.say("<message xmlns='jabber:client' id='echo'/>"))
		require.NoError(t, fast.until("id='echo'/>"))
		now := s.readings()
		most = max(most, now.value("trunkline_gateway_queue_max_bytes"))
		all = max(all, now.value("trunkline_gateway_queue_bytes"))
		if now.value("trunkline_gateway_streams_ended_total", "slow_reader") >= float64(n) {
			break
		}
		during++
	}
	t.Logf("%d trips while others were slow", during)
	require.Positive(t, during)
	require.Greater(t, most, float64(queue/2), "they were slow")
	require.LessOrEqual(t, most, float64(queue), "what waits for one browser")
	require.Greater(t, all, most, "what waits for all of them")
	require.LessOrEqual(t, all, float64(n*queue))
	s.awaitStreams(1)
}

// TestTenThousandVisitsLeaveNothing connects, goes some of the way, and is
// gone, with and without a word.
func TestTenThousandVisitsLeaveNothing(t *testing.T) {
	n := 10_000
	if underRace {
		n = 1000
	}
	s := crowded(t, func(c *gateway.Config) {
		c.Limits.Goodbye = 300 * time.Millisecond
		c.Log = nil // a line each would be all that this test is about
	})
	settled := func() (goroutines, files int) {
		s.awaitStreams(0)
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			entries = nil // not on this system
		}
		return runtime.NumGoroutine(), len(entries)
	}
	visit := func(i int) error {
		v, err := s.visit(i % (len(steps) + 1))
		if err != nil {
			return err
		}
		if i%3 == 0 {
			_ = v.Conn.(*net.TCPConn).SetLinger(0) // a reset
		}
		if i%5 == 0 {
			_ = v.say("<message xmlns='jabber:client' to='x@" + domain + "'><body>half a fr")
		}
		return v.Close()
	}
	require.NoError(t, visits(100, visit))
	goroutines, files := settled()
	require.NoError(t, visits(n, visit))
	require.Eventually(t, func() bool {
		g, f := settled()
		return g <= goroutines+10 && f <= files+10
	}, 4*waitLimit, 50*time.Millisecond)
	require.Zero(t, s.value("trunkline_gateway_panics_total"))
}
