package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// anybody knows every name, and one password.
type anybody struct{ secret string }

func (a anybody) Lookup(_ context.Context, username, secret string) (account, session, credential string, ok bool, err error) {
	return "id-" + username, "session-" + username, "credential-" + username, secret == a.secret, nil
}

// before is a gateway before a server that knows people itself.
func before(t *testing.T, secret string, change func(*gateway.Config)) *stack {
	t.Helper()
	s := &stack{t: t, consents: &consents{}, states: &resumptions{known: map[string]resumption{}}, logs: &lockedBuffer{}}
	s.secrets = append(s.secrets, secret)
	s.startGateway(stackConfig{upstream: "127.0.0.1:1", change: func(c *gateway.Config) {
		c.Credentials, c.Issuer = anybody{secret}, nil
		change(c)
	}})
	return s
}

const proxiedConfig = `
hosts: [example.org]
loglevel: info
log_rotate_count: 0
acme: {auto: false}
certfiles: [/etc/ejabberd/ejabberd.pem]
auth_method: mnesia
listen:
  - port: 5224
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
  - port: 5223
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
    tls: true
    use_proxy_protocol: true
  - port: 5222
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
    starttls_required: true
    use_proxy_protocol: true
  - port: %d
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
    use_proxy_protocol: true
  - port: 5280
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {/api: mod_http_api}
api_permissions:
  all: {from: [mod_http_api], who: {ip: 127.0.0.1/32}, what: "*"}
modules: {mod_admin_extra: {}, mod_http_api: {}, mod_privacy: {}, mod_disco: {}}
`

// TestEjabberdSeesTheBrowsersAddress: with PROXY headers, on each kind of
// listener, before TLS where there is TLS.
func TestEjabberdSeesTheBrowsersAddress(t *testing.T) {
	const secret = "the-password-of-alice"
	plain, err := integration.FreePort()
	require.NoError(t, err)
	e := integration.StartEjabberd(t, integration.EjabberdConfig{
		Domain: domain, Users: map[string]string{"alice": secret}, Config: fmt.Sprintf(proxiedConfig, plain),
	})
	roots, err := e.Roots()
	require.NoError(t, err)
	for name, up := range map[string]gateway.Upstream{
		"plain":      {Address: fmt.Sprintf("127.0.0.1:%d", plain), TLS: gateway.TLSPlain},
		"direct TLS": {Address: e.TLSAddr(), TLS: gateway.TLSDirect, RootCAs: roots},
		"STARTTLS":   {Address: e.StartTLSAddr(), TLS: gateway.TLSStart, RootCAs: roots},
	} {
		t.Run(name, func(t *testing.T) {
			up.ProxyProtocol = true
			s := before(t, secret, func(c *gateway.Config) {
				c.Upstream, c.TrustedProxies = up, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
				c.Limits.ProbeEvery = time.Hour
			})
			for _, address := range []string{"203.0.113.7", "2001:db8::7"} {
				p := s.connectWith("", http.Header{"X-Forwarded-For": {address}})
				p.login("alice", secret)
				p.bind()
				require.Equal(t, address, seenAt(t, e, p.jid))
				p.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
				p.ended()
			}
			s.awaitReachable() // the gateway's own question has a header, too
			require.NotContains(t, s.logs.String(), "cannot be used")
		})
	}
	t.Run("without a header", func(t *testing.T) {
		s := before(t, secret, func(c *gateway.Config) {
			c.Upstream = gateway.Upstream{Address: fmt.Sprintf("127.0.0.1:%d", plain), TLS: gateway.TLSPlain}
		})
		p := s.connect("")
		p.say(openTag)
		condition, _ := p.ended()
		require.Equal(t, "remote-connection-failed", condition)
		problem, _ := s.gateway.Reachable()
		require.Contains(t, problem, "xmpp.proxy_protocol", "the admin is told")
	})
}

// seenAt is the address from which ejabberd says that a session came.
func seenAt(t *testing.T, e *integration.Ejabberd, jid string) string {
	t.Helper()
	bare, resource, _ := strings.Cut(jid, "/")
	user, _, _ := strings.Cut(bare, "@")
	var sessions []struct{ Resource, IP string }
	ejabberdAPI(t, e, "user_sessions_info", map[string]string{"user": user, "host": domain}, &sessions)
	for _, s := range sessions {
		if s.Resource == resource {
			return netip.MustParseAddr(s.IP).Unmap().String()
		}
	}
	require.Fail(t, "the session is not there", "%v", sessions)
	return ""
}

// awaitReachable waits until the gateway has asked the server itself.
func (s *stack) awaitReachable() {
	s.t.Helper()
	reachable := func() bool {
		problem, _ := s.gateway.Reachable()
		n, err := testutil.GatherAndCount(s.metrics, "trunkline_gateway_server_reachable")
		return problem == "" && err == nil && n == 1 && strings.Contains(s.logs.String(), "the XMPP server answers")
	}
	require.Eventually(s.t, reachable, waitLimit, 5*time.Millisecond)
}
