package gateway_test

import (
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

func TestLoginAndMessagesBothWays(t *testing.T) { onEachServer(t, testLoginAndMessagesBothWays) }

func testLoginAndMessagesBothWays(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	bob := s.observer("bob")
	alice := s.online("alice", "")
	alice.say("<presence xmlns='jabber:client'/>")
	alice.say("<message xmlns='jabber:client' to='bob@" + domain + "' type='chat' id='m1'><body>Salut, \U0001F339 &amp; you?</body></message>")
	got := bob.Expect("the message", func(e integration.Element) bool { return e.Name.Local == "message" })
	require.True(t, got.Has("\U0001F339 &amp; you?"), got.XML)
	require.Equal(t, alice.jid, got.Attrs["from"])

	bob.Say("<message to='alice@" + domain + "' type='chat' id='m2'><body>Fine</body></message>")
	back := alice.expect("the answer", func(e *framing.Element) bool { return e.Is(framing.NSClient, "message") })
	require.Equal(t, "Fine", back.Child("*", "body").Text())
	require.Equal(t, 1, s.gateway.Streams())
}

func TestFeaturesOfferPlainAlone(t *testing.T) { onEachServer(t, testFeaturesOfferPlainAlone) }

func testFeaturesOfferPlainAlone(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	p := s.connect("")
	mechanisms := p.open().Child(nsSASL, "mechanisms")
	require.NotNil(t, mechanisms)
	require.Equal(t, "PLAIN", mechanisms.First().Text())
	for c := range mechanisms.Children() {
		require.Equal(t, "PLAIN", c.Text())
	}
}

func TestOrderlyEndFromBothSides(t *testing.T) { onEachServer(t, testOrderlyEndFromBothSides) }

func testOrderlyEndFromBothSides(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	bob := s.observer("bob")
	s.consent("alice", true, true, true)

	alice := s.online("alice", "")
	alice.say("<message xmlns='jabber:client' to='bob@" + domain + "' id='last'><body>bye</body></message>")
	alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	answer := alice.expect("<close/>", framing.IsClose)
	require.Equal(t, `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />`, string(answer.Raw))
	_, code := alice.ended()
	require.Equal(t, websocket.StatusNormalClosure, code)
	bob.Expect("what was said before the end", func(e integration.Element) bool { return e.Attrs["id"] == "last" })
}

func TestServersStreamErrorIsPassedOn(t *testing.T) {
	s, _ := recorded(t, nil)
	p := s.online("alice", "")
	p.say("<message xmlns='jabber:client' id='end-me'/>")
	condition, code := p.ended()
	require.Equal(t, "system-shutdown", condition)
	require.Equal(t, websocket.StatusGoingAway, code)
}

func TestTwoTabsOfOnePersonAreTwoStreams(t *testing.T) {
	onEachServer(t, testTwoTabsOfOnePersonAreTwoStreams)
}

func testTwoTabsOfOnePersonAreTwoStreams(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	first, second := s.online("alice", ""), s.online("alice", "")
	require.NotEqual(t, first.jid, second.jid)
	require.Equal(t, 2, s.gateway.Streams())
	first.sync()
	second.sync()
}
