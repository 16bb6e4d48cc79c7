package gateway_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// endedFor waits until a stream has ended for this reason.
func (s *stack) endedFor(reason string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return s.value("trunkline_gateway_streams_ended_total", reason) == 1
	}, waitLimit, 5*time.Millisecond, reason)
	s.awaitStreams(0)
}

func TestSilentBrowserIsNoticed(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) {
		c.Limits.PingEvery, c.Limits.DeadAfter = 100*time.Millisecond, 2*time.Second
	})
	s.online("alice", "") // reads nothing more, so answers no ping
	s.endedFor("browser_silent")
}

func TestBrowserThatAnswersPingsStays(t *testing.T) {
	const dead = 3 * time.Second
	s, _ := recorded(t, func(c *gateway.Config) { c.Limits.PingEvery, c.Limits.DeadAfter = 100*time.Millisecond, dead })
	p := s.online("alice", "")
	ended := make(chan error, 1)
	go func() { _, _, err := p.ws.Read(t.Context()); ended <- err }() // only pings come in
	for began := time.Now(); time.Since(began) < 2*dead; {
		select {
		case <-p.pings:
		case err := <-ended:
			t.Fatal(err)
		}
	}
	p.cut()
	<-ended
}

// TestSlowReaderIsCutAndBounded floods a browser that does not read.
func TestSlowReaderIsCutAndBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	flooded := make(chan int64, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			flooded <- 0
			return
		}
		defer conn.Close()
		stanza := strings.Repeat("<message xmlns='jabber:client'><body>"+strings.Repeat("x", 4000)+"</body></message>", 16)
		n, _ := io.Copy(conn, io.LimitReader(&scripted{conn: conn, then: stanza}, 1<<30))
		flooded <- n
	}()
	s := newStack(t, stackConfig{upstream: l.Addr().String(), change: func(c *gateway.Config) {
		c.Limits.Stall = 3 * time.Second
	}})
	s.consent("alice", true, true, true)
	p := s.online("alice", "")
	s.endedFor("slow_reader")
	require.Less(t, <-flooded, int64(64<<20), "what the operating system's buffers and one queue can hold")
	p.cut()
}

// scripted plays the recorder's part, then repeats one text for ever.
type scripted struct {
	conn net.Conn
	next int
	rest string
	then string
}

func (r *scripted) Read(p []byte) (int, error) {
	if r.rest == "" && r.next < 4 {
		seen := make([]byte, 0, 4096)
		for !bytes.Contains(seen, []byte(answers[r.next].seen)) {
			b := make([]byte, 1)
			if _, err := r.conn.Read(b); err != nil {
				return 0, err
			}
			seen = append(seen, b...)
		}
		r.rest = answers[r.next].say
		r.next++
	}
	if r.rest == "" {
		r.rest = r.then
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestServerThatDiesEndsTheStreamSoThatItCanBeTakenUpAgain(t *testing.T) {
	onEachServer(t, testServerThatDiesEndsTheStreamSoThatItCanBeTakenUpAgain)
}

func testServerThatDiesEndsTheStreamSoThatItCanBeTakenUpAgain(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind, ownServer: true})
	alice := s.online("alice", "")
	previd := alice.enable()
	alice.sync()
	s.server.Kill()
	for {
		e, err := alice.read()
		if err != nil {
			require.Equal(t, websocket.StatusBadGateway, websocket.CloseStatus(err))
			break
		}
		require.False(t, framing.IsClose(e), "the stream is not over, the connection is")
	}

	p := s.connect("")
	p.say(openTag)
	require.True(t, framing.IsOpen(p.next()))
	condition, code := p.ended()
	require.Equal(t, "remote-connection-failed", condition)
	require.Equal(t, websocket.StatusBadGateway, code)

	require.NoError(t, s.server.Start(t.Context()))
	again := s.connect("")
	again.login("alice", s.password("alice"))
	require.True(t, again.resume(alice, previd).Is(nsSM, "failed"), "the server has forgotten")
	again.bind()
	again.sync()
}

func TestMetricsCountWhatHappened(t *testing.T) {
	s, _ := recorded(t, nil)
	p := s.online("alice", "")
	p.say("<message xmlns='jabber:client' to='bob@" + domain + "'><body>x</body></message>")
	p.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	p.ended()
	s.endedFor("client_closed")
	require.EqualValues(t, 1, s.value("trunkline_gateway_logins_total", "success"))
	require.EqualValues(t, 2, s.value("trunkline_gateway_stanzas_total", "client"), "the bind and the message")
	wrong := s.connect("")
	wrong.open()
	wrong.say(auth("", "alice", "tlt_wrong"))
	wrong.next()
	require.EqualValues(t, 1, s.value("trunkline_gateway_logins_total", "not-authorized"))
}

func TestManyConnectionsLeaveNothingBehind(t *testing.T) {
	onEachServer(t, testManyConnectionsLeaveNothingBehind)
}

func testManyConnectionsLeaveNothingBehind(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.consent("alice", true, true, true)
	for i := range 500 {
		p := s.connect("")
		switch i % 5 {
		case 0: // nothing was said
		case 1:
			p.say(openTag)
		case 2:
			p.open()
			p.say(auth("", "alice", s.password("alice")))
		case 3:
			p.login("alice", s.password("alice"))
		case 4:
			p.login("alice", s.password("alice"))
			p.bind()
			p.say("<presence xmlns='jabber:client'/>")
		}
		p.cut()
	}
	s.awaitStreams(0)
	require.Zero(t, s.states.count())
	// The goroutines are counted by TestMain, for all tests.
}
