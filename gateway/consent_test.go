package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

const (
	chatStates = "http://jabber.org/protocol/chatstates"
	receipts   = "urn:xmpp:receipts"
	setList    = "<iq xmlns='jabber:client' type='set' id='list'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'>" +
		"<item type='subscription' value='both' action='deny' order='1'><presence-out/></item>" +
		"<item type='subscription' value='from' action='deny' order='2'><presence-out/></item></list></query></iq>"
	activate = "<iq xmlns='jabber:client' type='set' id='active'><query xmlns='jabber:iq:privacy'>" +
		"<active name='trunkline-hidden'/></query></iq>"
	decline = "<iq xmlns='jabber:client' type='set' id='decline'><query xmlns='jabber:iq:privacy'><active/></query></iq>"
)

// traces counts what bob learns of alice beside her messages, her leaves included:
// who was never seen must not be seen leaving.
func traces(elements []integration.Element) (found []string) {
	for _, e := range elements {
		switch {
		case e.Name.Local == "presence" && strings.HasPrefix(e.Attrs["from"], "alice@"+domain+"/") && e.Attrs["type"] == "unavailable":
			found = append(found, "leave")
		case e.Name.Local == "presence" && strings.HasPrefix(e.Attrs["from"], "alice@") && e.Attrs["type"] != "unavailable":
			found = append(found, "presence")
		case e.Has(chatStates):
			found = append(found, "typing")
		case e.Has("<received"):
			found = append(found, "receipt")
		}
	}
	return found
}

// tell sends everything that could show alice, then a message that bob can wait for.
func tell(alice *peer, bob *integration.Client) []integration.Element {
	to := " to='bob@" + domain + "' type='chat'"
	alice.say("<presence xmlns='jabber:client'/>")
	alice.say("<message xmlns='jabber:client'" + to + "><composing xmlns='" + chatStates + "'/></message>")
	alice.say("<message xmlns='jabber:client'" + to + "><received xmlns='" + receipts + "' id='m0'/></message>")
	alice.say("<message xmlns='jabber:client'" + to + " id='told'><body>I am here</body><active xmlns='" + chatStates + "'/></message>")
	alice.sync()
	var seen []integration.Element
	for {
		e := bob.Expect("the message", func(integration.Element) bool { return true })
		seen = append(seen, e)
		if e.Attrs["id"] == "told" {
			return append(seen, bob.Sync()...)
		}
	}
}

func TestContactSeesNothingBeforeConsentAndAllAfter(t *testing.T) {
	for name, c := range map[string]stackConfig{
		"Prosody with privacy lists": {}, "Prosody without privacy lists": {noPrivacyLists: true}, "ejabberd": {server: onEjabberd},
	} {
		lists := !c.noPrivacyLists
		t.Run(name, func(t *testing.T) {
			s := newStack(t, c)
			s.contacts("alice", "bob")
			bob := s.observer("bob")
			alice := s.online("alice", "")
			delivery := map[bool]string{true: "delivery='live'", false: "delivery='archive'"}[lists]
			require.Contains(t, alice.full, delivery)
			require.Empty(t, traces(tell(alice, bob)))

			if lists { // hidden, yet messages to the bare address arrive
				bob.Say("<message to='alice@" + domain + "' type='chat' id='live'><body>x</body></message>")
				alice.expect("a live message", func(e *framing.Element) bool { return e.ID() == "live" })
			}
			// A contact's question gets what an offline device would answer.
			bob.Say("<iq type='get' id='v' to='" + alice.jid + "'><query xmlns='jabber:iq:version'/></iq>")
			if !lists || s.prosody == nil { // else mod_auth_trunkline has answered
				question := alice.expect("the question", func(e *framing.Element) bool { return e.ID() == "v" })
				alice.say("<iq xmlns='jabber:client' type='result' id='v' to='" + question.From() +
					"'><query xmlns='jabber:iq:version'><name>told</name></query></iq>")
			}
			answer := bob.Expect("an answer", func(e integration.Element) bool { return e.IsReply("v") })
			require.True(t, answer.Has("service-unavailable") && !answer.Has("told"), answer.XML)
			alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
			alice.ended()
			require.Empty(t, traces(bob.Sync()))

			s.consent("alice", true, true, true)
			alice = s.online("alice", "")
			require.NotContains(t, alice.full, "<hidden")
			require.Subset(t, traces(tell(alice, bob)), []string{"presence", "typing", "receipt"})
		})
	}
}

func TestWithdrawalIsSeenAtOnce(t *testing.T) { onEachServer(t, testWithdrawalIsSeenAtOnce) }

func testWithdrawalIsSeenAtOnce(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) { c.Limits.Grace = time.Hour }}) // at once: nothing waits for it
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	alice := s.online("alice", "")
	require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))

	began := time.Now()
	s.consent("alice", false, false, false)
	bob.Expect("alice leaving", func(e integration.Element) bool {
		return e.Name.Local == "presence" && e.Attrs["type"] == "unavailable" && strings.HasPrefix(e.Attrs["from"], "alice@")
	})
	t.Log("seen after", time.Since(began))
	condition, _ := alice.ended()
	require.Equal(t, "reset", condition)

	alice = s.online("alice", "")
	require.Empty(t, traces(tell(alice, bob)))
}

func TestAwareClientWalksBothWays(t *testing.T) { onEachServer(t, testAwareClientWalksBothWays) }

func testAwareClientWalksBothWays(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	alice := s.online("alice", "?consent=walk")
	require.Empty(t, traces(tell(alice, bob)))

	s.consent("alice", true, false, false)
	alice.say(decline)
	require.Equal(t, "result", alice.expectReply("decline").Type())
	require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))

	s.consent("alice", false, false, false)
	alice.say("<presence xmlns='jabber:client' type='unavailable'/>")
	bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
	alice.say(setList)
	require.Equal(t, "result", alice.expectReply("list").Type())
	alice.say(activate)
	require.Equal(t, "result", alice.expectReply("active").Type())
	require.Empty(t, traces(tell(alice, bob)))
	bob.Say("<message to='alice@" + domain + "' type='chat' id='live'><body>x</body></message>")
	alice.expect("a live message", func(e *framing.Element) bool { return e.ID() == "live" })
}

func TestAwareClientThatDoesNotWalkIsEnded(t *testing.T) {
	onEachServer(t, testAwareClientThatDoesNotWalkIsEnded)
}

func testAwareClientThatDoesNotWalkIsEnded(t *testing.T, kind serverKind) {
	const grace = 2 * time.Second
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) { c.Limits.Grace = grace }})
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	alice := s.online("alice", "?consent=walk")
	require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))
	began := time.Now()
	s.consent("alice", false, false, false)
	condition, _ := alice.ended()
	require.Equal(t, "reset", condition)
	require.GreaterOrEqual(t, time.Since(began), grace, "it had time to walk")
	bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
}
