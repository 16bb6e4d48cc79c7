package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// wired is a gateway before a server that the test plays.
func wired(t *testing.T, change func(*gateway.Config)) (*stack, *far) {
	t.Helper()
	f := newFar(t)
	s := newStack(t, stackConfig{upstream: f.listener.Addr().String(), change: func(c *gateway.Config) {
		c.Credentials, c.Issuer = knows{}, nil
		c.Limits.Goodbye = 10 * time.Second // what comes, comes sooner
		if change != nil {
			change(c)
		}
	}})
	s.secrets = append(s.secrets, farSecret)
	s.consents.set("id-alice", [3]bool{true, true, true})
	return s, f
}

const (
	openClient = "<open xmlns='" + framing.NSFraming + "' to='" + domain + "' version='1.0'/>"
	iqBind     = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
)

// opens sends <open/>, has the far end greet, and returns both answers.
func (w *wire) opens(f *far, id, features string) (open, offered *framing.Element) {
	w.t.Helper()
	w.say(openClient)
	if id == "one" {
		f.accept()
	}
	f.greet(id, features)
	open = w.element()
	require.True(w.t, framing.IsOpen(open), "%s", open.Raw)
	return open, w.element()
}

// logsIn goes as far as a second stream that is open.
func (w *wire) logsIn(f *far) {
	w.t.Helper()
	w.opens(f, "one", farMechanisms)
	w.say(auth("", "alice", farSecret))
	f.expect("</auth>")
	f.say("<success xmlns='" + nsSASL + "'/>")
	require.True(w.t, w.element().Is(nsSASL, "success"))
	w.opens(f, "two", farBind)
}

// binds is logsIn and a session.
func (w *wire) binds(f *far) {
	w.t.Helper()
	w.logsIn(f)
	w.say(iqBind)
	f.expect("</iq>")
	f.say("<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@" + domain + "/r</jid></bind></iq>")
	require.Equal(w.t, "result", w.element().Type())
}

// RFC 7395 section 3.1, RFC 6455 sections 4.2.1 and 4.2.2.
func TestHandshakeAnswersForXMPP(t *testing.T) {
	s, _ := wired(t, nil)
	w := dialWire(t, s.url)
	require.Equal(t, accepts(), wsAccept, "the example of RFC 6455 section 1.3")
	h := w.response.Header
	require.Equal(t, wsAccept, h.Get("Sec-WebSocket-Accept"))
	require.Equal(t, []string{"xmpp"}, h.Values("Sec-WebSocket-Protocol"))
	require.Equal(t, "websocket", strings.ToLower(h.Get("Upgrade")))
	require.Equal(t, "upgrade", strings.ToLower(h.Get("Connection")))
	require.Empty(t, h.Values("Sec-WebSocket-Extensions"))

	among := knock(t, s.url, append(without("Sec-WebSocket-Protocol"), "Sec-WebSocket-Protocol: chat, xmpp", "Sec-WebSocket-Extensions: permessage-deflate")...)
	require.Equal(t, http.StatusSwitchingProtocols, among.response.StatusCode)
	require.Equal(t, []string{"xmpp"}, among.response.Header.Values("Sec-WebSocket-Protocol"), "the one of those offered")
	require.Empty(t, among.response.Header.Values("Sec-WebSocket-Extensions"), "nothing is compressed")
}

// RFC 7395 section 3.1, RFC 6455 sections 4.2.1, 4.2.2, 4.4 and 10.2.
func TestHandshakeIsRefused(t *testing.T) {
	s, _ := wired(t, nil)
	for name, c := range map[string]struct {
		headers []string
		status  []int
	}{
		"no subprotocol":      {without("Sec-WebSocket-Protocol"), []int{400}},
		"another subprotocol": {append(without("Sec-WebSocket-Protocol"), "Sec-WebSocket-Protocol: chat"), []int{400}},
		"no key":              {without("Sec-WebSocket-Key"), []int{400}},
		"a short key":         {append(without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: c2hvcnQ="), []int{400}},
		"another origin":      {append(without("Origin"), "Origin: https://evil.example"), []int{403}},
		"no upgrade":          {without("Upgrade"), []int{400, 426}},
		"no connection":       {without("Connection"), []int{400, 426}},
		"an older version":    {append(without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"), []int{400, 426}},
		"no version":          {without("Sec-WebSocket-Version"), []int{400, 426}},
	} {
		w := knock(t, s.url, c.headers...)
		require.Contains(t, c.status, w.response.StatusCode, name)
		if strings.Contains(name, "version") {
			require.Equal(t, "13", w.response.Header.Get("Sec-WebSocket-Version"), "the version that is understood")
		}
	}
	s.awaitStreams(0)
}

// RFC 7395 section 3.4, RFC 6120 sections 4.2 and 4.7.
func TestOpenIsAnsweredWithOpen(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.say("<open xmlns='" + framing.NSFraming + "' to='" + strings.ToUpper(domain) + "' version='1.0' xml:lang='de-AT' from='mallory@example.org' id='chosen-by-me'/>")
	f.accept()
	header := f.greet("of-the-server", farMechanisms)
	require.Contains(t, header, "to='"+domain+"'")
	require.Contains(t, header, "version='1.0'")
	require.Contains(t, header, "xml:lang='de-AT'")
	require.NotContains(t, header, "mallory", "who asks is known from the login alone (RFC 6120 section 4.7.1)")
	require.NotContains(t, header, "chosen-by-me", "ids are the server's (RFC 6120 section 4.7.3)")
	open := w.element()
	require.True(t, framing.IsOpen(open))
	require.Equal(t, domain, open.From())
	require.Equal(t, "of-the-server", open.ID())
	require.Equal(t, "1.0", open.Attr("version"))
	require.Equal(t, "en", open.Lang())
	require.Nil(t, open.First())
	require.True(t, w.element().Is(framing.NSStream, "features"))
}

// RFC 7395 sections 3.3.2, 3.4 and 3.5: what is wrong with the first message
// is told after an <open/>, and the server hears nothing of it.
func TestStreamBeginsWithOpen(t *testing.T) {
	s, _ := wired(t, nil)
	for frame, condition := range map[string]string{
		"<message xmlns='jabber:client' to='bob@" + domain + "'/>":                                            "invalid-namespace",
		"<open xmlns='jabber:client' to='" + domain + "' version='1.0'/>":                                     "invalid-namespace",
		"<open to='" + domain + "' version='1.0'/>":                                                           "invalid-namespace",
		"<open xmlns='" + strings.ToUpper(framing.NSFraming) + "' to='" + domain + "' version='1.0'/>":        "invalid-namespace",
		"<stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream + "' to='x' version='1.0'/>": "invalid-namespace",
		"<close xmlns='jabber:client'/>":                                                                      "invalid-namespace",
		"<stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream + "' to='" + domain + "'>":   "not-well-formed",
		"<open xmlns='" + framing.NSFraming + "' to='" + domain + "'/>":                                       "unsupported-version",
		"<open xmlns='" + framing.NSFraming + "' to='" + domain + "' version='0.9'/>":                         "unsupported-version",
		"<open xmlns='" + framing.NSFraming + "' to='" + domain + "' version='2.0'/>":                         "unsupported-version",
		"<open xmlns='" + framing.NSFraming + "' to='elsewhere.example' version='1.0'/>":                      "host-unknown",
		"<open xmlns='" + framing.NSFraming + "' version='1.0'/>":                                             "host-unknown",
		"<open xmlns='" + framing.NSFraming + "' to='" + domain + "' version='1.0'><x xmlns='urn:x'/></open>": "bad-format",
		"<?xml version='1.0'?>" + openClient:                                                                  "restricted-xml",
		" " + openClient:                                                                                      "not-well-formed",
	} {
		w := dialWire(t, s.url)
		w.say(frame)
		open := w.element()
		require.True(t, framing.IsOpen(open), "before an error there is an <open/>: %s", open.Raw)
		require.Equal(t, domain, open.From())
		require.Equal(t, "1.0", open.Attr("version"))
		require.NotEmpty(t, open.ID())
		w.refused(nil, condition, framing.Condition(condition).CloseCode())
	}
	s.awaitStreams(0)
}

// RFC 7395 section 3.4: one stream for one WebSocket, at a time.
func TestOneStreamInOneWebSocket(t *testing.T) {
	s, f := wired(t, nil)
	for name, state := range map[string]func(*wire, *far){
		"before the login": func(w *wire, f *far) { w.opens(f, "one", farMechanisms) },
		"after the login":  (*wire).logsIn,
		"when bound":       (*wire).binds,
	} {
		w := dialWire(t, s.url)
		state(w, f)
		w.say(openClient)
		heard := w.refused(f, "bad-format", framing.CloseInvalidData)
		require.NotContains(t, heard, "<stream:stream", name)
	}
}

// RFC 7395 section 3.7, RFC 6120 section 6.4.6: after the login both streams
// are opened anew on the same WebSocket and the same connection, without
// <close/> or </stream:stream>.
func TestStreamIsRestartedAfterTheLogin(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.opens(f, "one", farMechanisms)
	w.say(auth("", "alice", farSecret))
	f.expect("</auth>")
	f.say("<success xmlns='" + nsSASL + "'/>")
	require.True(t, w.element().Is(nsSASL, "success"))
	w.say(openClient)
	again := f.greet("two", farBind)
	require.NotContains(t, again, "</stream:stream>")
	require.Contains(t, again, "version='1.0'")
	open := w.element()
	require.True(t, framing.IsOpen(open))
	require.Equal(t, "two", open.ID(), "the new stream's own id")
	require.NotNil(t, w.element().Child("urn:ietf:params:xml:ns:xmpp-bind", "bind"))

	// Nothing else may come in between.
	for _, frame := range []string{iqBind, "<presence xmlns='jabber:client'/>", auth("", "alice", farSecret)} {
		w := dialWire(t, s.url)
		w.opens(f, "one", farMechanisms)
		w.say(auth("", "alice", farSecret))
		f.expect("</auth>")
		f.say("<success xmlns='" + nsSASL + "'/>")
		w.element()
		w.say(frame)
		require.Equal(t, "</stream:stream>", w.refused(f, "bad-format", framing.CloseInvalidData))
	}
}
