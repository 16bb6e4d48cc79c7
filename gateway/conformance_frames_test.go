package gateway_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// RFC 7395 sections 3.2, 3.3.2, 3.3.3 and 3.5: each violation has its stream
// error and its close code, and nothing of it reaches the server.
func TestViolationsOfFraming(t *testing.T) {
	s, f := wired(t, nil)
	const m = "<message xmlns='jabber:client' to='bob@" + domain + "'><body>marked</body></message>"
	for name, c := range map[string]struct {
		frame     wsFrame
		condition string
		code      int
	}{
		"binary":                   {wsFrame{last: true, opcode: opBinary, payload: []byte(m)}, "bad-format", 1003},
		"empty":                    {text(""), "not-well-formed", 1007},
		"white space first":        {text("\n" + m), "not-well-formed", 1007},
		"a byte order mark":        {text("\ufeff" + m), "not-well-formed", 1007},
		"text alone":               {text("marked"), "not-well-formed", 1007},
		"two elements":             {text(m + m), "not-well-formed", 1007},
		"text after the element":   {text(m + "marked"), "not-well-formed", 1007},
		"half an element":          {text("<message xmlns='jabber:client'><body>marked"), "not-well-formed", 1007},
		"an undeclared prefix":     {text("<message xmlns='jabber:client'><x:marked/></message>"), "bad-namespace-prefix", 1007},
		"an XML declaration":       {text("<?xml version='1.0'?>" + m), "restricted-xml", 1007},
		"a comment":                {text("<message xmlns='jabber:client'><!-- marked --></message>"), "restricted-xml", 1007},
		"a document type":          {text("<!DOCTYPE marked><message xmlns='jabber:client'/>"), "restricted-xml", 1007},
		"an instruction":           {text("<message xmlns='jabber:client'><?marked?></message>"), "restricted-xml", 1007},
		"an entity":                {text("<message xmlns='jabber:client'><body>&marked;</body></message>"), "restricted-xml", 1007},
		"a character that is none": {text("<message xmlns='jabber:client'><body>marked\x01</body></message>"), "not-well-formed", 1007},
		"no namespace":             {text("<message to='bob@" + domain + "'><body>marked</body></message>"), "invalid-namespace", 1007},
		"<close/> of another":      {text("<close xmlns='jabber:client' id='marked'/>"), "invalid-namespace", 1007},
		"<open/> of another":       {text("<open xmlns='urn:example:marked' version='1.0'/>"), "invalid-namespace", 1007},
		"the header of TCP":        {text("<stream:stream xmlns:stream='" + framing.NSStream + "' id='marked'/>"), "invalid-namespace", 1007},
		"no stanza":                {text("<marked xmlns='jabber:client'/>"), "unsupported-stanza-type", 1008},
		"no stanza, and too big":   {text("<x xmlns='jabber:client'><body>" + strings.Repeat("marked", 50_000) + "</body></x>"), "policy-violation", 1009},
		"no stanza, and too deep":  {text("<x xmlns='jabber:client'>" + strings.Repeat("<marked>", 64) + strings.Repeat("</marked>", 64) + "</x>"), "policy-violation", 1008},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialWire(t, s.url)
			w.binds(f)
			w.send(c.frame)
			heard := w.refused(f, c.condition, c.code)
			require.Equal(t, "</stream:stream>", heard, "the server's stream is closed (RFC 6120 section 4.4)")
		})
	}
}

// RFC 7395 section 3.2, RFC 6455 section 8.1: what is not UTF-8 is not text.
// The WebSocket itself fails then, wherever the wrong byte is.
func TestTextIsUTF8(t *testing.T) {
	s, f := wired(t, nil)
	const begin, end = "<message xmlns='jabber:client'><body>", "</body></message>"
	for name, wrong := range map[string]string{
		"not a byte of UTF-8": "\xff", "a surrogate": "\xed\xa0\x80", "overlong": "\xc0\xaf", "above Unicode": "\xf4\x90\x80\x80", "half a letter": "\xc3",
	} {
		w := dialWire(t, s.url)
		w.binds(f)
		w.send(text(begin + wrong + end))
		f.ended()
		frame, err := w.receive()
		for err == nil && frame.opcode == opText { // a stream error may come first
			frame, err = w.receive()
		}
		require.NoError(t, err, name)
		require.EqualValues(t, opClose, frame.opcode)
		require.Equal(t, "\x03\xef", string(frame.payload[:2]), "1007 for %s", name)
	}
	// A letter may be cut in two by fragments.
	w := dialWire(t, s.url)
	w.binds(f)
	w.send(wsFrame{opcode: opText, payload: []byte(begin + "\xc3")}, wsFrame{last: true, payload: []byte("\xa4" + end)})
	f.expect(begin + "ä" + end)
}

// RFC 7395 section 3.3.3 towards the client: each element of the server is a
// message of its own and complete in itself, however the server's bytes came.
func TestServersElementsAreMessages(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.say(openClient)
	f.accept()
	f.expect("<stream:stream")
	f.expect(">")
	f.say("<?xml version='1.0'?>\n<s:stream xmlns='jabber:client' xmlns:s='" + framing.NSStream + "' xmlns:db='jabber:server:dialback' " +
		"xmlns:unused='urn:unused' from='" + domain + "' id='x' version='1.0'>" +
		"<s:features><db:dialback/><mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms></s:features>")
	require.True(t, framing.IsOpen(w.element()))
	features := w.element()
	require.True(t, features.Is(framing.NSStream, "features"))
	require.NotNil(t, features.Child("jabber:server:dialback", "dialback"), "the header's prefix is declared: %s", features.Raw)
	require.NotContains(t, string(features.Raw), "unused", "and no other")
	w.say(auth("", "alice", farSecret))
	f.expect("</auth>")
	f.say("<success xmlns='" + nsSASL + "'/>")
	w.element()
	w.opens(f, "two", farBind)
	w.say(iqBind)
	f.expect("</iq>")
	f.say("<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@" + domain + "/r</jid></bind></iq>")
	w.element()

	f.say("<message id='1'/><message id='2'><stream:x/></message><message id='3' xmlns='jabber:client' xml:lang='de'><body>ä &lt;")
	for _, id := range []string{"1", "2"} {
		e := w.element()
		require.Equal(t, id, e.ID())
		require.True(t, e.Is(framing.NSClient, "message"), "the default namespace is declared: %s", e.Raw)
	}
	f.say("</body></mess")
	f.say("age>")
	third := w.element()
	require.Equal(t, "3", third.ID())
	require.Equal(t, "de", third.Lang())
	require.Contains(t, string(third.Raw), "ä &lt;", "as the server wrote it")
	require.Equal(t, 1, strings.Count(string(third.Raw), "xmlns="), "what is declared is not declared again")
}

// RFC 6455 sections 5.4 and 5.5: fragments are one message, with control frames
// in between; a ping is answered with its own payload, an unasked pong is not.
func TestFragmentsAndControlFrames(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	const m = "<message xmlns='jabber:client' id='in-pieces'/>"
	w.send(
		wsFrame{opcode: opText, payload: []byte(m[:1])},
		control(opPing, "one"),
		wsFrame{payload: []byte(m[1:20])},
		control(opPong, "nobody asked"),
		wsFrame{},
		wsFrame{payload: []byte(m[20:30])},
		control(opPing, strings.Repeat("p", 125)),
		wsFrame{last: true, payload: []byte(m[30:])},
		control(opPing, ""),
	)
	// It may answer the last of several pings only (RFC 6455 section 5.5.3).
	pings := []string{"one", strings.Repeat("p", 125), ""}
	for len(pings) > 0 {
		pong, err := w.receive()
		require.NoError(t, err)
		require.EqualValues(t, opPong, pong.opcode)
		i := slices.Index(pings, string(pong.payload))
		require.GreaterOrEqual(t, i, 0, "%q answers none of %q", pong.payload, pings)
		pings = pings[i+1:]
	}
	f.expect(m)
	// Each of the three ways to write a length, in both directions.
	for _, n := range []int{1, 125, 126, 60_000, 70_000} {
		body := "<body>" + strings.Repeat("b", n) + "</body></message>"
		w.say("<message xmlns='jabber:client' id='" + strconv.Itoa(n) + "'>" + body)
		require.Contains(t, f.expect("</message>"), "id='"+strconv.Itoa(n)+"'>"+body)
		f.say("<message id='" + strconv.Itoa(n) + "'>" + body)
		require.True(t, strings.HasSuffix(string(w.element().Raw), body), "%d bytes", n)
	}
}

// RFC 6455 sections 5.1, 5.2, 5.4, 5.5 and 7.4: who breaks the WebSocket gets
// its close code, and the server hears nothing of it.
func TestViolationsOfWebSocket(t *testing.T) {
	s, f := wired(t, nil)
	const m = "<message xmlns='jabber:client' id='marked'/>"
	for name, c := range map[string]struct {
		frames []wsFrame
		code   int
	}{
		"not masked":                  {[]wsFrame{{last: true, opcode: opText, unmasked: true, payload: []byte(m)}}, 1002},
		"a reserved bit":              {[]wsFrame{{last: true, opcode: opText, reserved: 4, payload: []byte(m)}}, 1002},
		"another reserved bit":        {[]wsFrame{{last: true, opcode: opText, reserved: 1, payload: []byte(m)}}, 1002},
		"an unknown opcode":           {[]wsFrame{{last: true, opcode: 3, payload: []byte(m)}}, 1002},
		"an unknown control":          {[]wsFrame{{last: true, opcode: 0xB}}, 1002},
		"a continuation of nothing":   {[]wsFrame{{last: true, opcode: opContinuation, payload: []byte(m)}}, 1002},
		"a message within a message":  {[]wsFrame{{opcode: opText, payload: []byte(m[:9])}, text(m)}, 1002},
		"a control frame in pieces":   {[]wsFrame{{opcode: opPing}}, 1002},
		"a control frame of 126":      {[]wsFrame{control(opPing, strings.Repeat("p", 126))}, 1002},
		"a close frame of one byte":   {[]wsFrame{control(opClose, "\x03")}, 1002},
		"a close code of nobody":      {[]wsFrame{closeWith(1005, "")}, 1002},
		"a close code below all":      {[]wsFrame{closeWith(999, "")}, 1002},
		"a close reason not in UTF-8": {[]wsFrame{closeWith(1000, "\xff")}, 1007},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialWire(t, s.url)
			w.binds(f)
			w.send(c.frames...)
			code, _ := w.closing()
			require.Equal(t, c.code, code)
			w.gone()
			require.NotContains(t, f.ended(), "marked")
		})
	}
}

// RFC 7395 section 3.8, RFC 6455 section 5.5.2: the gateway asks an idle client
// for a sign of life, and one that gives none is gone.
func TestPings(t *testing.T) {
	s, f := wired(t, func(c *gateway.Config) {
		c.Limits.PingEvery, c.Limits.DeadAfter = 100*time.Millisecond, 4*time.Second
	})
	w := dialWire(t, s.url)
	w.binds(f)
	for range 3 { // it lives as long as it answers
		ping, err := w.receive()
		require.NoError(t, err)
		require.EqualValues(t, opPing, ping.opcode)
		w.send(control(opPong, string(ping.payload)))
	}
	for {
		ping, err := w.receive()
		if err != nil || ping.opcode == opClose {
			break
		}
		require.EqualValues(t, opPing, ping.opcode)
	}
	require.NotContains(t, f.ended(), "</stream:stream>", "with XEP-0198 the session waits for it")
	require.Eventually(t, func() bool { return strings.Contains(s.logs.String(), "reason=browser_silent") }, waitLimit, 5*time.Millisecond)
	require.Contains(t, fmt.Sprint(s.logs), "account=id-alice")
}
