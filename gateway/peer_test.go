package gateway_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	nsSASL  = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsSM    = "urn:xmpp:sm:3"
	openTag = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="` + domain + `" version="1.0"/>`
)

// peer is a browser as far as the gateway can see.
type peer struct {
	t    testing.TB
	ws   *websocket.Conn
	conn net.Conn
	jid  string
	full string // the bind result as it came

	pings chan struct{} // a token for each that was answered

	// XEP-0198, from enable on: stanzas sent and received.
	sent, got int
}

// connect opens the WebSocket. query is what follows the path.
func (s *stack) connect(query string) *peer {
	s.t.Helper()
	return s.connectWith(query, http.Header{})
}

// connectWith is connect with further headers.
func (s *stack) connectWith(query string, header http.Header) *peer {
	s.t.Helper()
	header.Set("Origin", pageURL)
	p := &peer{t: s.t, pings: make(chan struct{}, 1)}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		p.conn = conn
		return conn, err
	}}}
	ws, _, err := websocket.Dial(s.t.Context(), s.url+"/xmpp-websocket"+query, &websocket.DialOptions{
		Subprotocols: []string{"xmpp"}, HTTPClient: client, HTTPHeader: header,
		OnPingReceived: func(context.Context, []byte) bool {
			select {
			case p.pings <- struct{}{}:
			default:
			}
			return true
		},
	})
	require.NoError(s.t, err)
	require.Equal(s.t, "xmpp", ws.Subprotocol())
	ws.SetReadLimit(-1)
	p.ws = ws
	s.t.Cleanup(func() { _ = ws.CloseNow(); client.CloseIdleConnections() })
	return p
}

// online is a peer that has logged in and bound, presence not yet sent.
func (s *stack) online(name, query string) *peer {
	s.t.Helper()
	p := s.connect(query)
	p.login(name, s.password(name))
	p.bind()
	return p
}

func (p *peer) say(xml string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), waitLimit)
	defer cancel()
	require.NoError(p.t, p.ws.Write(ctx, websocket.MessageText, []byte(xml)))
	if e, err := framing.ParseFrame([]byte(xml), framing.ClientLimits); err == nil && e.IsStanza() {
		p.sent++
	}
}

// read is the next frame, or the WebSocket's end.
func (p *peer) read() (*framing.Element, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), waitLimit)
	defer cancel()
	kind, b, err := p.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		return nil, fmt.Errorf("a message of kind %v", kind)
	}
	e, err := framing.ParseFrame(b, framing.Limits{MaxBytes: 8 << 20, TreeDepth: 64})
	if err == nil && e.IsStanza() {
		p.got++
	}
	return e, err
}

func (p *peer) next() *framing.Element {
	p.t.Helper()
	e, err := p.read()
	require.NoError(p.t, err)
	return e
}

// expect drops frames until one matches.
func (p *peer) expect(what string, match func(*framing.Element) bool) *framing.Element {
	p.t.Helper()
	for {
		e, err := p.read()
		require.NoError(p.t, err, "waiting for %s", what)
		if match(e) {
			return e
		}
	}
}

func (p *peer) expectReply(id string) *framing.Element {
	p.t.Helper()
	return p.expect("the answer to "+id, func(e *framing.Element) bool {
		return e.Name.Local == "iq" && e.ID() == id && (e.Type() == "result" || e.Type() == "error")
	})
}

// open starts a stream and returns its features.
func (p *peer) open() *framing.Element {
	p.t.Helper()
	p.say(openTag)
	header := p.next()
	require.True(p.t, framing.IsOpen(header), "%s", header.Raw)
	require.Equal(p.t, domain, header.From())
	require.NotEmpty(p.t, header.ID())
	features := p.next()
	require.True(p.t, features.Is(framing.NSStream, "features"), "%s", features.Raw)
	return features
}

func auth(authzid, name, secret string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" +
		base64.StdEncoding.EncodeToString([]byte(authzid+"\x00"+name+"\x00"+secret)) + "</auth>"
}

// login opens the stream, authenticates and opens it again.
func (p *peer) login(name, secret string) *framing.Element {
	p.t.Helper()
	p.open()
	p.say(auth("", name, secret))
	answer := p.next()
	require.True(p.t, answer.Is(nsSASL, "success"), "%s", answer.Raw)
	return p.open()
}

func (p *peer) bind() {
	p.t.Helper()
	p.say("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	answer := p.next()
	require.Equal(p.t, "result", answer.Type(), "%s", answer.Raw)
	p.full = string(answer.Raw)
	p.jid = strings.Clone(answer.Child("*", "bind").Child("*", "jid").Text())
	require.True(p.t, strings.HasSuffix(strings.Split(p.jid, "/")[0], "@"+domain), p.jid)
}

// sync makes a round trip and returns what came before its answer.
func (p *peer) sync() []string {
	p.t.Helper()
	p.say("<iq xmlns='jabber:client' type='get' id='sync' to='" + domain + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	var before []string
	for {
		e := p.next()
		if e.Name.Local == "iq" && e.ID() == "sync" {
			return before
		}
		before = append(before, string(e.Raw))
	}
}

// enable starts stream management and returns the SM id.
func (p *peer) enable() string {
	p.t.Helper()
	p.say("<enable xmlns='" + nsSM + "' resume='true'/>")
	e := p.expect("<enabled/>", func(e *framing.Element) bool { return e.Is(nsSM, "enabled") })
	require.NotEmpty(p.t, e.Attr("id"))
	p.sent, p.got = 0, 0
	return strings.Clone(e.Attr("id"))
}

// resume takes over the session of a peer that was cut.
func (p *peer) resume(old *peer, previd string) *framing.Element {
	p.t.Helper()
	p.say("<resume xmlns='" + nsSM + "' previd='" + previd + "' h='" + strconv.Itoa(old.got) + "'/>")
	e := p.expect("an answer to <resume/>", func(e *framing.Element) bool {
		return e.Is(nsSM, "resumed") || e.Is(nsSM, "failed")
	})
	p.jid, p.sent, p.got = old.jid, old.sent, old.got
	return e
}

// handled asks the server how many stanzas it has counted.
func (p *peer) handled() string {
	p.t.Helper()
	p.say("<r xmlns='" + nsSM + "'/>")
	e := p.expect("<a/>", func(e *framing.Element) bool { return e.Is(nsSM, "a") })
	return strings.Clone(e.Attr("h"))
}

// ended is the stream error and the close code with which the stream ends.
// Frames before the error are dropped. It closes its side as a client does.
func (p *peer) ended() (condition string, code websocket.StatusCode) {
	p.t.Helper()
	for {
		e, err := p.read()
		if err != nil {
			return condition, websocket.CloseStatus(err)
		}
		switch {
		case e.Is(framing.NSStream, "error"):
			condition = strings.Clone(e.First().Name.Local)
		case framing.IsClose(e): // the gateway may not wait for it
			_ = p.ws.Write(p.t.Context(), websocket.MessageText, []byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
		}
	}
}

// cut ends the TCP connection without a word.
func (p *peer) cut() {
	p.t.Helper()
	require.NoError(p.t, p.conn.Close())
}
