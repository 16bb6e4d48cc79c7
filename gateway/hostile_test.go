package gateway_test

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/framing/framingtest"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// recorder is a TCP server that keeps what the gateway sends and answers with
// the least that a stream needs.
type recorder struct {
	listener net.Listener
	answers  []turn
	wg       sync.WaitGroup

	mu    sync.Mutex
	bytes []byte
	conns []net.Conn
}

func newRecorder(t *testing.T, answers []turn) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &recorder{listener: l, answers: answers}
	r.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn)
			r.mu.Unlock()
			r.wg.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

// turn is what a recorder says when it has seen something after its last words.
type turn struct{ seen, say string }

// blockingApart spares a server of a test the question whom the person blocks.
const blockingApart = "<blocking-apart xmlns='" + policy.NSGateway + "'/>"

// answers let everybody in.
var answers = []turn{
	{"<stream:stream", "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream +
		"' from='" + domain + "' id='r1' version='1.0'><stream:features><mechanisms xmlns='" + nsSASL +
		"'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"},
	{"</auth>", "<success xmlns='" + nsSASL + "'/>"},
	{"<stream:stream", "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream +
		"' from='" + domain + "' id='r2' version='1.0'><stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>" + blockingApart + "</stream:features>"},
	{"</iq>", "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@" + domain + "/r</jid></bind></iq>"},
}

// shutdown is said to a client that asks for it.
const shutdown = "<stream:error><system-shutdown xmlns='" + framing.NSStreams + "'/></stream:error></stream:stream>"

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	var rest []byte
	for next := 0; ; {
		n, err := conn.Read(buf)
		r.mu.Lock()
		r.bytes = append(r.bytes, buf[:n]...)
		r.mu.Unlock()
		if err != nil {
			return
		}
		rest = append(rest, buf[:n]...)
		if bytes.Contains(rest, []byte("id='end-me'")) {
			_, _ = io.WriteString(conn, shutdown)
			return
		}
		for next < len(r.answers) {
			i := bytes.Index(rest, []byte(r.answers[next].seen))
			if i < 0 {
				break
			}
			rest = rest[i+len(r.answers[next].seen):]
			if _, err := io.WriteString(conn, r.answers[next].say); err != nil {
				return
			}
			next++
		}
		if bytes.Contains(rest, []byte("</stream:stream>")) {
			_, _ = io.WriteString(conn, "</stream:stream>")
			return
		}
	}
}

// await waits until the gateway has sent something.
func (r *recorder) await(t *testing.T, what string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.seen(), what) }, waitLimit, time.Millisecond)
}

func (r *recorder) seen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.bytes)
}

func (p *peer) hurl(c framingtest.Case) {
	p.t.Helper()
	kind := websocket.MessageText
	if c.Binary {
		kind = websocket.MessageBinary
	}
	// The gateway may close before it has read the whole of a large frame.
	_ = p.ws.Write(p.t.Context(), kind, c.Frame)
}

// isOverLimit reports whether a case is a stanza and only over a limit: its
// sender is told, and the stream goes on.
func isOverLimit(c framingtest.Case) bool {
	return c.WantCondition == framing.PolicyViolation && bytes.HasPrefix(c.Frame, []byte("<message"))
}

// TestHostileFramesEndTheStreamAndReachNobody sends each frame on a stream
// that is bound and shown, where most would be let through.
func TestHostileFramesEndTheStreamAndReachNobody(t *testing.T) {
	s, r := recorded(t, nil)
	cases := framingtest.Hostile()
	require.GreaterOrEqual(t, len(cases), 40)
	over := 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p := s.online("alice", "")
			p.t = t
			p.hurl(c)
			if isOverLimit(c) {
				over++
				p.say(streamClose)
				condition, code := p.ended()
				require.Empty(t, condition)
				require.Equal(t, websocket.StatusNormalClosure, code)
				require.Equal(t, over, strings.Count(r.seen(), "<refused xmlns='urn:trunkline:gateway:0'/>"), "one goes in its place")
				return
			}
			if c.Name == "whole stream" { // RFC 7395 section 3.3.2 comes before the policy
				c.WantCondition, c.WantClose = framing.InvalidNamespace, framing.CloseInvalidData
			}
			condition, code := p.ended()
			require.Equal(t, string(c.WantCondition), condition)
			require.Equal(t, c.WantClose, int(code))
		})
	}
	require.Equal(t, 5, over)
	require.NotContains(t, r.seen(), framingtest.Marker)
}

// TestHostileFramesBeforeTheLogin sends them where the first <open/> is due.
func TestHostileFramesBeforeTheLogin(t *testing.T) {
	s, r := recorded(t, nil)
	for i, c := range framingtest.Hostile() {
		t.Run(strconv.Itoa(i)+" "+c.Name, func(t *testing.T) {
			p := s.connect("")
			p.t = t
			p.hurl(c)
			condition, code := p.ended()
			require.NotEmpty(t, condition)
			require.NotEqual(t, websocket.StatusNormalClosure, code)
		})
	}
	require.Empty(t, r.seen())
}

func TestGoodFramesReachTheServerAsTheyAre(t *testing.T) {
	s, r := recorded(t, nil)
	p := s.online("alice", "")
	frame := "<message xmlns='jabber:client' to='bob@" + domain + "' id='\u00e4'><body>1 &lt; 2 \U0001F339</body><x xmlns='urn:x' y=\"'\"/></message>"
	p.say(frame)
	p.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	p.ended()
	require.Contains(t, r.seen(), frame)
}
