package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// RFC 7395 section 3.6, the client closing: <close/> is answered by <close/>
// when the server's stream has ended too, and the client's close frame by a
// close frame with its code (RFC 6455 section 5.5.1).
func TestCloseByTheClient(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	w.say("<message xmlns='jabber:client' id='m1' to='bob@" + domain + "'/>")
	w.say(streamClose)
	require.Contains(t, f.expect("</stream:stream>"), "id='m1'", "what was said before is passed on")
	f.say("<message id='last' from='bob@" + domain + "'/></stream:stream>")
	_ = f.conn.Close() // the gateway may have been first
	require.Equal(t, "last", w.element().ID(), "what the server still has to say comes first")
	require.True(t, framing.IsClose(w.element()))
	w.send(closeWith(4321, "bye"))
	code, _ := w.closing()
	require.Equal(t, 4321, code, "the client, who closes, begins the closing handshake; this is its echo")
	w.gone()
	s.awaitStreams(0)
}

// A client that never sends its close frame is not waited for without end.
func TestCloseByTheClientWithoutCloseFrame(t *testing.T) {
	s, f := wired(t, func(c *gateway.Config) { c.Limits.Goodbye = 200 * time.Millisecond })
	w := dialWire(t, s.url)
	w.binds(f)
	w.say(streamClose)
	f.ended()
	require.True(t, framing.IsClose(w.element()))
	code, _ := w.closing()
	require.Equal(t, 1000, code)
	w.send(closeWith(1000, ""))
	w.gone()
}

// RFC 7395 section 3.6 before any stream: there is nothing to end but the
// WebSocket.
func TestCloseBeforeOpen(t *testing.T) {
	s, _ := wired(t, nil)
	w := dialWire(t, s.url)
	w.say(streamClose)
	require.True(t, framing.IsClose(w.element()))
	w.send(closeWith(1000, ""))
	w.closing()
	w.gone()
}

// RFC 7395 section 3.6, the server closing: <close/>, the client's <close/>,
// and then the close frame, which the closing party sends.
func TestCloseByTheServer(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	f.say("<message id='last' from='bob@" + domain + "'/></stream:stream>")
	require.Equal(t, "last", w.element().ID())
	require.Contains(t, w.closed(f, 1000), "</stream:stream>", "both directions are closed (RFC 6120 section 4.4)")
}

// A client that does not answer <close/> is not waited for without end.
func TestCloseByTheServerWithoutAnswer(t *testing.T) {
	s, f := wired(t, func(c *gateway.Config) { c.Limits.Goodbye = 200 * time.Millisecond })
	w := dialWire(t, s.url)
	w.binds(f)
	f.say("</stream:stream>")
	require.True(t, framing.IsClose(w.element()))
	f.ended()
	code, _ := w.closing()
	require.Equal(t, 1000, code)
	w.gone() // without a close frame of ours
}

// RFC 7395 section 3.6: a WebSocket that ends without <close/> ends the
// connection to the server without </stream:stream>, so that the session waits
// where XEP-0198 is in use, and is over where it is not.
func TestWebSocketEndsWithoutClose(t *testing.T) {
	s, f := wired(t, nil)
	for name, end := range map[string]func(*wire){
		"by a close frame":      func(w *wire) { w.send(closeWith(1001, "")); w.closing(); w.gone() },
		"by an empty one":       func(w *wire) { w.send(control(opClose, "")); w.receive() },
		"by the end of the TCP": func(w *wire) { _ = w.conn.Close() },
	} {
		w := dialWire(t, s.url)
		w.binds(f)
		end(w)
		require.NotContains(t, f.ended(), "</stream:stream>", name)
	}
	s.awaitStreams(0)
}

// RFC 7395 section 3.6: the server's connection that breaks is a WebSocket that
// ends without <close/>, so that the client resumes.
func TestServerIsLost(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	_ = f.conn.Close() // the gateway may have been first
	code, reason := w.closing()
	require.Equal(t, 1014, code, reason)
}

// RFC 7395 section 3.6.1.
func TestSeeOtherURI(t *testing.T) {
	s, f := wired(t, func(c *gateway.Config) { c.SeeOtherURL = "wss://other.example/xmpp-websocket?a=1&b=2" })
	w := dialWire(t, s.url)
	w.binds(f)
	done := make(chan error, 1)
	go func() { done <- s.gateway.Shutdown(t.Context()) }()
	e := w.element()
	require.True(t, framing.IsClose(e), "%s", e.Raw)
	require.Equal(t, "wss://other.example/xmpp-websocket?a=1&b=2", e.Attr("see-other-uri"))
	w.say(streamClose)
	code, _ := w.closing()
	require.Equal(t, 1001, code)
	w.send(closeWith(1001, ""))
	w.gone()
	require.NoError(t, <-done)
	require.NotContains(t, f.ended(), "</stream:stream>", "the session is to be resumed there")
}

// RFC 7395 section 3.6 without another node: system-shutdown.
func TestShutdownIsTold(t *testing.T) {
	s, f := wired(t, nil)
	bound, fresh := dialWire(t, s.url), dialWire(t, s.url)
	bound.binds(f)
	fresh.send(control(opPing, "here")) // so that both are streams
	pong, err := fresh.receive()
	require.NoError(t, err)
	require.EqualValues(t, opPong, pong.opcode)
	done := make(chan error, 1)
	go func() { done <- s.gateway.Shutdown(t.Context()) }()
	bound.refused(f, "system-shutdown", 1001)
	require.True(t, framing.IsOpen(fresh.element()), "before an error there is an <open/>")
	fresh.refused(nil, "system-shutdown", 1001)
	require.NoError(t, <-done)
	require.Equal(t, 503, knock(t, s.url, handshake...).response.StatusCode)
}

// RFC 7395 section 3.8: the server's white space keeps its connection alive and
// is no message; a client must not send any. XEP-0199 passes.
func TestWhitespaceKeepalive(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	f.say(" \n<message id='1'/> \r\n\t <message id='2'/>\n")
	require.Equal(t, "1", w.element().ID())
	require.Equal(t, "2", w.element().ID())
	f.say(" <iq type='get' id='p' from='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq> ")
	ping := w.element()
	require.NotNil(t, ping.Child("urn:xmpp:ping", "ping"))
	w.say("<iq xmlns='jabber:client' type='result' id='p' to='" + domain + "'/>")
	f.expect("id='p'")
	w.say(" ")
	heard := w.refused(f, "not-well-formed", framing.CloseInvalidData)
	require.Equal(t, "</stream:stream>", strings.TrimPrefix(heard, " to='"+domain+"'/>"))
}
