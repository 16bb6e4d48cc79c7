package gateway_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// Whoever got directed presence of a session that showed itself to nobody else is
// told of its end, however it ends. Servers tell some of them at most: ejabberd
// nobody, Prosody no contact.
func TestDirectedPresenceEndsWithTheSession(t *testing.T) {
	onEachServer(t, testDirectedPresenceEndsWithTheSession)
}

func testDirectedPresenceEndsWithTheSession(t *testing.T, kind serverKind) {
	withdraw := func(s *stack, _ *peer) { s.consent("alice", false, false, false) }
	for _, tc := range []struct {
		name, query string
		end         func(*stack, *peer)
	}{
		{"consent withdrawn", "", withdraw},
		{"consent withdrawn, the client could walk", "?consent=walk", withdraw},
		{"closed", "", func(_ *stack, alice *peer) { alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>") }},
		{"cut for good", "", func(_ *stack, alice *peer) { alice.cut() }},
		{"signed out", "", func(s *stack, _ *peer) { s.gateway.CloseAccount("id-alice", "signed out") }},
		{"cut, and withdrawn while it waits", "", func(s *stack, alice *peer) {
			alice.enable()
			alice.cut()
			s.awaitStreams(0)
			s.consent("alice", false, false, false)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStack(t, stackConfig{server: kind})
			s.contacts("alice", "bob")
			s.consent("alice", true, false, false)
			bob, carol := s.observer("bob"), s.observer("carol") // carol is a stranger
			alice := s.online("alice", tc.query)
			alice.say("<presence xmlns='jabber:client' to='bob@" + domain + "'/>")
			alice.say("<presence xmlns='jabber:client' to='" + carol.JID + "'/>")
			sees := func(c *integration.Client, typ string) {
				t.Helper()
				c.Expect("alice's presence "+typ, func(e integration.Element) bool {
					return e.Name.Local == "presence" && e.Attrs["from"] == alice.jid && e.Attrs["type"] == typ
				})
			}
			sees(bob, "")
			sees(carol, "")
			tc.end(s, alice)
			sees(bob, "unavailable")
			sees(carol, "unavailable")
			s.gone(alice.jid)
			require.Empty(t, traces(bob.Sync()), "once is enough for a contact")
		})
	}
}
