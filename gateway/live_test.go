package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhoIsLiveAndWithWhichResources(t *testing.T) {
	onEachServer(t, testWhoIsLiveAndWithWhichResources)
}

func testWhoIsLiveAndWithWhichResources(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	require.Empty(t, s.gateway.Accounts())
	secret := s.password("alice")
	_, _, credential, ok, err := s.tokens.Lookup(t.Context(), "alice", secret)
	require.NoError(t, err)
	require.True(t, ok)
	first := s.connect("")
	first.login("alice", secret)
	require.Equal(t, []string{"id-alice"}, s.gateway.Accounts())
	require.Empty(t, s.gateway.Resources("id-alice"), "not bound yet")
	first.bind()
	second, _ := s.online("alice", ""), s.online("bob", "")

	both := []string{resourceOf(first), resourceOf(second)}
	slices.Sort(both)
	require.Equal(t, both, s.gateway.Resources("id-alice"))
	require.Equal(t, []string{"id-alice", "id-bob"}, s.gateway.Accounts())
	require.Empty(t, s.gateway.Resources("id-carol"))

	s.gateway.CloseCredential(credential, "lost")
	require.Equal(t, []string{resourceOf(second)}, s.gateway.Resources("id-alice"), "what is being closed does not stay")
	first.ended()
}

func resourceOf(p *peer) string {
	_, resource, _ := strings.Cut(p.jid, "/")
	return resource
}
