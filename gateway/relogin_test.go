package gateway

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// people are a login for each name, and a consent for alice alone.
type people struct{}

func (people) Lookup(_ context.Context, username, _ string) (account, session, credential string, ok bool, err error) {
	return "id-" + username, "", "", true, nil
}

func (people) Consent(_ context.Context, account string) (presence, typing, receipts bool, err error) {
	return account == "id-alice", false, false, nil
}

// TestConsentBelongsToItsAccount: a change that was on its way to alice's
// stream, whose login then failed, is not bob's who logs in on it next.
func TestConsentBelongsToItsAccount(t *testing.T) {
	g, err := New(Config{
		Domain: "social.example", Upstream: Upstream{Address: "127.0.0.1:1", TLS: TLSPlain}, Credentials: people{}, Consents: people{},
	})
	require.NoError(t, err)
	shown := policy.Consent{Presence: true}
	s := g.newStream(httptest.NewRequest("GET", "/", strings.NewReader("")))
	require.Empty(t, s.lookup(plain{"alice", []byte("x")}))
	require.Equal(t, shown, s.policy.Consent())
	s.forgetLogin()
	s.setConsent("id-alice", shown)
	require.Empty(t, s.lookup(plain{"bob", []byte("x")}))
	require.Equal(t, policy.Consent{}, s.policy.Consent())
	s.setConsent("id-alice", shown)
	require.Equal(t, policy.Consent{}, s.policy.Consent())
	s.setConsent("id-bob", shown)
	require.Equal(t, shown, s.policy.Consent())
}

// fleeting is a credential that is revoked as soon as it was looked up, or lasts.
type fleeting struct {
	g     *Gateway // nil: it lasts
	looks int
}

func (f *fleeting) Lookup(context.Context, string, string) (account, session, credential string, ok bool, err error) {
	f.looks++
	if f.g != nil {
		f.g.CloseCredential("c", "lost")
	}
	return "id-alice", "s", "c", f.g == nil || f.looks == 1, nil
}

// TestRevokedWhileItLogsIn: the revocation was followed before the stream was
// bound to the credential, so nothing closed it. An XMPP server that verifies
// tokens by itself would let it in.
func TestRevokedWhileItLogsIn(t *testing.T) {
	f := &fleeting{}
	g, err := New(Config{
		Domain: "social.example", Upstream: Upstream{Address: "127.0.0.1:1", TLS: TLSPlain}, Credentials: f, Consents: people{},
	})
	require.NoError(t, err)
	login := func() string {
		return g.newStream(httptest.NewRequest("GET", "/", strings.NewReader(""))).lookup(plain{"alice", []byte("x")})
	}
	require.Empty(t, login())
	require.Equal(t, 1, f.looks, "where nothing was revoked one look is enough")
	f.g, f.looks = g, 0
	require.Equal(t, "not-authorized", login())
}
