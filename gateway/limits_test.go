package gateway_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// recorded is a stack whose server is a recorder.
func recorded(t *testing.T, change func(*gateway.Config)) (*stack, *recorder) {
	t.Helper()
	return recordedWith(t, answers, change)
}

// recordedWith is recorded with a server that has other answers.
func recordedWith(t *testing.T, answers []turn, change func(*gateway.Config)) (*stack, *recorder) {
	t.Helper()
	r := newRecorder(t, answers)
	s := newStack(t, stackConfig{upstream: r.listener.Addr().String(), change: func(c *gateway.Config) {
		c.Limits.Goodbye = 300 * time.Millisecond // peers do not answer <close/>
		if change != nil {
			change(c)
		}
	}})
	s.consent("alice", true, true, true)
	return s, r
}

func TestLoginHasToBeQuick(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.Limits.AuthTime = 3 * time.Second })
	silent, halfway := s.connect(""), s.connect("")
	halfway.open()
	for _, p := range []*peer{silent, halfway} {
		condition, code := p.ended()
		require.Equal(t, "connection-timeout", condition)
		require.Equal(t, websocket.StatusPolicyViolation, code)
	}
}

func TestLoginHasToBeSmall(t *testing.T) {
	s, r := recorded(t, nil)
	p := s.connect("")
	p.open()
	abort := "<abort xmlns='" + nsSASL + "'>" + strings.Repeat(" ", 4900) + "</abort>"
	p.say(abort)
	p.expect("a refusal", func(e *framing.Element) bool { return e.Is(nsSASL, "failure") })
	p.say(abort)
	p.say(abort)
	condition, code := p.ended()
	require.Equal(t, "policy-violation", condition)
	require.Equal(t, websocket.StatusMessageTooBig, code)
	require.NotContains(t, r.seen(), "abort")
}

// TestALoginMayTakeAllThereIs: what comes after a login that has used nearly all
// that may come before one is measured by what may come after it.
func TestALoginMayTakeAllThereIs(t *testing.T) {
	s, _ := recorded(t, nil)
	p := s.connect("")
	p.open()
	login := auth("", "alice", s.password("alice"))
	const all, end = 10_000, "</auth>"
	login = strings.TrimSuffix(login, end)
	login += strings.Repeat(" ", all-10-len(openTag)-len(login)-len(end)) + end
	p.say(login)
	p.expect("success", func(e *framing.Element) bool { return e.Is(nsSASL, "success") })
	p.open()
	p.bind()
}

func TestNothingButALoginBeforeTheLogin(t *testing.T) {
	s, r := recorded(t, nil)
	for _, frame := range []string{
		"<message xmlns='jabber:client' to='bob@" + domain + "'><body>sneaked</body></message>",
		"<iq xmlns='jabber:client' type='set' id='a'><query xmlns='jabber:iq:auth'><username>alice</username></query></iq>",
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>",
		"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
		"<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
	} {
		p := s.connect("")
		p.open()
		p.say(frame)
		condition, _ := p.ended()
		require.Equal(t, "not-authorized", condition, frame)
	}
	for _, unwanted := range []string{"sneaked", "jabber:iq:auth", "sasl:2", "starttls", "resume"} {
		require.NotContains(t, r.seen(), unwanted)
	}
}

func TestRefusedLoginsNeverReachTheServer(t *testing.T) {
	s, r := recorded(t, nil)
	secret := s.password("alice")
	plain := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	element := func(mechanism, text string) string {
		return "<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + text + "</auth>"
	}
	for name, c := range map[string]struct{ say, want string }{
		"another's name":    {auth("bob", "alice", secret), "invalid-authzid"},
		"an admin's name":   {auth("admin@"+domain, "alice", secret), "invalid-authzid"},
		"a wrong secret":    {auth("", "alice", "tlt_wrong"), "not-authorized"},
		"another's secret":  {auth("", "bob", secret), "not-authorized"},
		"no secret":         {auth("", "alice", ""), "malformed-request"},
		"no name":           {auth("", "", secret), "malformed-request"},
		"a whole address":   {auth("", "alice@"+domain, secret), "malformed-request"},
		"four parts":        {element("PLAIN", plain("\x00alice\x00"+secret+"\x00x")), "malformed-request"},
		"two parts":         {element("PLAIN", plain("alice\x00"+secret)), "malformed-request"},
		"no base64":         {element("PLAIN", "a-b"), "incorrect-encoding"},
		"SCRAM":             {element("SCRAM-SHA-1", "biws"), "invalid-mechanism"},
		"EXTERNAL":          {element("EXTERNAL", "="), "invalid-mechanism"},
		"no mechanism":      {"<auth xmlns='" + nsSASL + "'>" + plain("\x00alice\x00"+secret) + "</auth>", "invalid-mechanism"},
		"a long secret":     {auth("", "alice", strings.Repeat("x", 1001)), "malformed-request"},
		"an element inside": {element("PLAIN", "<x xmlns='urn:x'/>"), "malformed-request"},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.connect("")
			p.t = t
			p.open()
			p.say(c.say)
			failure := p.next()
			require.True(t, failure.Is(nsSASL, "failure"), "%s", failure.Raw)
			require.Equal(t, c.want, failure.First().Name.Local)
			// Another try is possible, and it is the server's to see.
			p.say(auth("", "alice", s.password("alice")))
			require.True(t, p.next().Is(nsSASL, "success"))
		})
	}
	require.NotContains(t, r.seen(), plain("tlt_wrong"))
}

func TestLoginForms(t *testing.T) {
	s, r := recorded(t, nil)
	for _, c := range []struct{ authzid, name string }{
		{"", "alice"}, {"alice", "alice"}, {"alice@" + domain, "alice"}, {"", "Alice"},
	} {
		p := s.connect("")
		p.open()
		secret := s.password("alice")
		p.say(auth(c.authzid, c.name, secret))
		require.True(t, p.next().Is(nsSASL, "success"), "%+v", c)
		want := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + secret))
		require.Contains(t, r.seen(), ">"+want+"</auth>", "the one form that the server may see")
	}
	p := s.connect("") // RFC 4616 without an initial response
	p.open()
	p.say("<auth xmlns='" + nsSASL + "' mechanism='PLAIN'/>")
	require.True(t, p.next().Is(nsSASL, "challenge"))
	p.say("<response xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+s.password("alice"))) + "</response>")
	require.True(t, p.next().Is(nsSASL, "success"))
}

func TestThreeRefusedLoginsEndTheStream(t *testing.T) {
	s, _ := recorded(t, nil)
	p := s.connect("")
	p.open()
	for range 3 {
		p.say(auth("", "alice", "tlt_wrong"))
	}
	condition, _ := p.ended()
	require.Equal(t, "policy-violation", condition)
}

func TestConnectionLimits(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.Limits.PerAddress, c.Limits.PerAccount = 3, 2 })
	s.online("alice", "")
	s.online("alice", "")
	third := s.connect("")
	third.open()
	third.say(auth("", "alice", s.password("alice")))
	condition, code := third.ended()
	require.Equal(t, "resource-constraint", condition)
	require.Equal(t, websocket.StatusTryAgainLater, code)
	s.awaitStreams(2)
	s.connect("")
	require.Equal(t, http.StatusTooManyRequests, s.status(nil))
}

// status is the answer to an upgrade that is refused.
func (s *stack) status(change func(http.Header)) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http"+strings.TrimPrefix(s.url, "ws"), nil)
	require.NoError(s.t, err)
	req.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="}, "Sec-Websocket-Protocol": {"xmpp"},
	}
	if change != nil {
		change(req.Header)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	return res.StatusCode
}

func TestUpgradeIsChecked(t *testing.T) {
	s, _ := recorded(t, nil)
	set := func(key, value string) func(http.Header) { return func(h http.Header) { h[key] = []string{value} } }
	require.Equal(t, http.StatusSwitchingProtocols, s.status(nil), "no browser, no Origin")
	require.Equal(t, http.StatusSwitchingProtocols, s.status(set("Origin", pageURL)))
	for _, origin := range []string{"https://evil.example", "null", "http://chat.social.example", pageURL + ".evil.example",
		strings.TrimPrefix(s.url, "ws"), "http" + strings.TrimPrefix(s.url, "ws")} {
		require.Equal(t, http.StatusForbidden, s.status(set("Origin", origin)), origin)
	}
	require.Equal(t, http.StatusBadRequest, s.status(set("Sec-Websocket-Protocol", "chat")))
	require.Equal(t, http.StatusBadRequest, s.status(func(h http.Header) { delete(h, "Sec-Websocket-Protocol") }))
	require.Equal(t, http.StatusUpgradeRequired, s.status(func(h http.Header) { delete(h, "Upgrade") }))
	s.awaitStreams(0)
}

func TestForwardedAddressCountsOnlyFromTrustedProxies(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s, _ := recorded(t, func(c *gateway.Config) {
			c.Limits.PerAddress = 1
			if trusted {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		s.connect("")
		second := s.status(func(h http.Header) { h["X-Forwarded-For"] = []string{"127.0.0.1, 203.0.113.7"} })
		if trusted {
			require.Equal(t, http.StatusSwitchingProtocols, second)
		} else {
			require.Equal(t, http.StatusTooManyRequests, second)
		}
	}
}

func TestOnlyTheOneDomainIsServed(t *testing.T) {
	s, r := recorded(t, nil)
	p := s.connect("")
	p.say(strings.ReplaceAll(openTag, domain, "other.example"))
	require.True(t, framing.IsOpen(p.next()), "an error needs a stream (RFC 7395 section 3.4)")
	condition, _ := p.ended()
	require.Equal(t, "host-unknown", condition)
	require.Empty(t, r.seen())
}

func TestShutdownPointsElsewhere(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.SeeOtherURL = "wss://other.example/xmpp-websocket" })
	p := s.online("alice", "")
	done := make(chan error, 1)
	go func() { done <- s.gateway.Shutdown(t.Context()) }()
	e := p.expect("<close/>", framing.IsClose)
	p.ended()
	require.NoError(t, <-done)
	require.Equal(t, "wss://other.example/xmpp-websocket", e.Attr("see-other-uri"))
	require.Equal(t, http.StatusServiceUnavailable, s.status(nil))
}
