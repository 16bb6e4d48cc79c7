package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// TestWrongPasswordsAreAnsweredLater measures that the answers come late, and
// that a right password is answered at once all the same, from the very address
// and for the very account.
func TestWrongPasswordsAreAnsweredLater(t *testing.T) {
	s, r := recorded(t, func(c *gateway.Config) { c.Limits.LoginDelay = 300 * time.Millisecond })
	began := time.Now()
	const streams, tries = 3, 3 // of each stream
	for range streams {
		p := s.connect("")
		p.open()
		for range tries {
			p.say(auth("", "alice", "tlt_guess"))
			require.True(t, p.next().Is(nsSASL, "failure"))
		}
		condition, _ := p.ended()
		require.Equal(t, "policy-violation", condition)
	}
	// None, 0.25 s, and then 0.3 s each.
	require.GreaterOrEqual(t, time.Since(began), 2300*time.Millisecond)
	require.NotContains(t, r.seen(), "</auth>", "the server hears nothing of them")
}

// A right password is answered at once, whatever happened before: from the very
// address and for the very account.
func TestARightPasswordDoesNotWait(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.Limits.LoginDelay, c.Limits.AuthTime = time.Hour, time.Hour })
	s.guesses("alice", 40) // the last answers are due in years
	s.online("alice", "")
	s.guesses("bob", 1)
	s.online("alice", "")
	require.GreaterOrEqual(t, s.gateway.Streams(), 30, "they still wait")
}

// guesses has so many connections each try a wrong password, and does not wait
// for the answers.
func (s *stack) guesses(name string, n int) {
	s.t.Helper()
	for range n {
		w := dialWire(s.t, s.url)
		w.say(openClient)
		w.element()
		w.element()
		w.say(auth("", name, "tlt_guess"))
	}
}

// TestOneGuesserLocksNobodyOut is about ejabberd's mod_fail2ban, which is on in
// Debian: 20 failures from one address, and nobody gets in from there any more.
// Behind a gateway everybody has one address.
func TestOneGuesserLocksNobodyOut(t *testing.T) {
	s := newStack(t, stackConfig{server: onEjabberd, ejabberd: "mod_fail2ban: {}", change: func(c *gateway.Config) {
		c.Limits.LoginDelay, c.Limits.Goodbye = time.Millisecond, 50*time.Millisecond
		c.TrustedProxies, c.Credentials = loopback, behind{c.Credentials}
	}})
	s.consent("bob", true, true, true)
	// A login that is right here and refused by ejabberd, in a loop.
	for range 30 {
		p := s.connect("")
		p.open()
		p.say(auth("", "carol", staleSecret))
		require.True(t, p.next().Is(nsSASL, "failure"))
		p.cut()
	}
	require.Positive(t, s.value("trunkline_gateway_logins_total", "server-not-authorized"))
	require.Positive(t, s.value("trunkline_gateway_logins_total", "temporary-auth-failure"))
	s.online("bob", "")
	guess := func(name, from string) {
		p := s.connectFrom(from)
		p.open()
		for range 3 {
			p.say(auth("", name, "tlt_guess"))
			p.next()
		}
		p.ended()
	}
	for i := range 15 { // 45 guesses, at bob's account and at others
		guess([]string{"bob", "alice", "nobody"}[i%3], fmt.Sprintf("203.0.113.%d", i%2))
	}
	s.online("bob", "")
	require.Eventually(t, func() bool { // ejabberd's log lags behind, in order
		return strings.Count(s.ejabberd.Log(), "Accepted c2s PLAIN authentication for bob") == 2
	}, waitLimit, 10*time.Millisecond)
	require.EqualValues(t, s.value("trunkline_gateway_logins_total", "server-not-authorized"),
		strings.Count(s.ejabberd.Log(), "Failed c2s PLAIN authentication"), "ejabberd has heard of no guess")

	// That the trap is there, and what it does, is shown by guesses that do not
	// go through the gateway.
	for banned := false; !banned; {
		c, err := integration.Dial(t.Context(), s.ejabberd.Addr(), domain)
		if err == nil {
			var refused *integration.SASLError
			err = c.Login(t.Context(), "bob", "tlt_guess")
			require.NoError(t, c.Close())
			banned = !errors.As(err, &refused)
		} else {
			banned = true
		}
	}
	p := s.connect("")
	p.say(openTag)
	require.Equal(t, "policy-violation", first(p.ended()))
}

// behind knows a secret that the server does not take any more.
type behind struct{ gateway.Credentials }

const staleSecret = "tlt_stale"

func (b behind) Lookup(ctx context.Context, username, secret string) (account, session, credential string, ok bool, err error) {
	if secret == staleSecret {
		return "id-" + username, "session-stale", "credential-stale", true, nil
	}
	return b.Credentials.Lookup(ctx, username, secret)
}

func first(condition string, _ any) string { return condition }

// connectFrom is connect from an address that a proxy tells of.
func (s *stack) connectFrom(address string) *peer {
	s.t.Helper()
	return s.connectWith("", http.Header{"X-Forwarded-For": {address}})
}

// With PROXY headers a ban is for the one address that has earned it, as where
// nobody is in between.
func TestABanIsForOneAddressWithProxyHeaders(t *testing.T) {
	const secret = "the-password-of-alice"
	port, err := integration.FreePort()
	require.NoError(t, err)
	e := integration.StartEjabberd(t, integration.EjabberdConfig{
		Domain: domain, Users: map[string]string{"alice": secret},
		Config: strings.Replace(fmt.Sprintf(proxiedConfig, port), "modules: {", "modules: {mod_fail2ban: {}, ", 1),
	})
	s := before(t, secret, func(c *gateway.Config) {
		c.Upstream = gateway.Upstream{Address: fmt.Sprintf("127.0.0.1:%d", port), TLS: gateway.TLSPlain, ProxyProtocol: true}
		c.TrustedProxies = loopback
	})
	for banned, i := false, 0; !banned; i++ {
		require.Less(t, i, 50, "no ban")
		p := s.connectFrom("203.0.113.7")
		p.say(openTag)
		e := p.expect("features, or the end", func(e *framing.Element) bool { return e.Name.Space == framing.NSStream })
		if banned = e.Name.Local == "error"; banned {
			require.NotNil(t, e.Child(framing.NSStreams, "policy-violation"), "%s", e.Raw)
			continue
		}
		// Right for the gateway here, and of nobody whom ejabberd knows.
		p.say(auth("", fmt.Sprintf("nobody%d", i), secret))
		_, _ = p.read()
		p.cut()
	}
	p := s.connectFrom("203.0.113.8")
	p.login("alice", secret)
	p.bind()
	require.Equal(t, "203.0.113.8", seenAt(t, e, p.jid))
}
