package gateway_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// withoutOffline is what contrib/prosody is like: the archive keeps messages.
const withoutOffline = `modules_disabled = { "offline" }` + "\n"

// tool is what somebody with a tool sends to find out whether somebody is
// there: TO is an address. Those with the id "text…" are read by the person.
type tool struct{ name, xml string }

var tools = []tool{
	{"probe", "<presence type='probe' TO/>"},
	{"directed presence", "<presence TO/>"},
	{"leave", "<presence type='unavailable' TO/>"},
	{"presence error", "<presence type='error' id='x' TO><error type='cancel'/></presence>"},
	{"subscribed", "<presence type='subscribed' TO/>"},
	{"ping", "<iq type='get' id='x' TO><ping xmlns='urn:xmpp:ping'/></iq>"},
	{"version", "<iq type='get' id='x' TO xml:lang='de'><query xmlns='jabber:iq:version'/></iq>"},
	{"last activity", "<iq type='get' id='x' TO><query xmlns='jabber:iq:last'/></iq>"},
	{"devices", "<iq type='get' id='x' TO><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"},
	{"features", "<iq type='get' id='x' TO><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"},
	{"call", "<iq type='set' id='x' TO><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'/></iq>"},
	{"stray result", "<iq type='result' id='x' TO/>"},
	{"stray error", "<iq type='error' id='x' TO><error type='cancel'/></iq>"},
	{"groupchat", "<message type='groupchat' id='x' TO><body>x</body></message>"},
	{"headline", "<message type='headline' id='x' TO><body>x</body></message>"},
	{"message error", "<message type='error' id='x' TO><error type='cancel'/></message>"},
	{"chat", "<message type='chat' id='text1' TO><body>x</body></message>"},
	{"normal", "<message id='text2' TO><body>x</body></message>"},
	{"typing", "<message type='chat' id='text3' TO><composing xmlns='" + chatStates + "'/></message>"},
	{"nothing", "<message id='text4' TO><x xmlns='u'/></message>"},
	{"old event", "<message type='chat' id='text5' TO><body>x</body><x xmlns='jabber:x:event'><offline/><delivered/></x></message>"},
	{"not to be kept", "<message type='chat' id='x' TO><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>"},
	{"subscribe again", "<presence type='subscribe' TO/>"}, // the last: a stranger's is remembered
}

// fromAlice is what comes from alice's addresses, word for word.
func fromAlice(list []integration.Element) string {
	var out []string
	for _, e := range list {
		if from := e.Attrs["from"]; from == "alice@"+domain || strings.HasPrefix(from, "alice@"+domain+"/") {
			out = append(out, e.XML)
		}
	}
	return strings.Join(out, "\n")
}

// look uses every tool at alice's bare address and at jid, logs in once more, and
// returns what came of each.
func (s *stack) look(name string, who *integration.Client, jid string) map[string]string {
	s.t.Helper()
	who.Sync()
	seen := map[string]string{}
	for _, to := range []string{"alice@" + domain, jid} {
		for _, x := range tools {
			who.Say(strings.Replace(x.xml, "TO", "to='"+to+"'", 1))
			seen[x.name+" to "+to] = fromAlice(who.Sync())
		}
	}
	late := integration.Connect(s.t, s.server, name, s.password(name), "late")
	late.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	late.Say("<presence/>")
	seen["login"] = fromAlice(late.Sync())
	late.Say("</stream:stream>")
	require.NoError(s.t, late.Close())
	return seen
}

// TestHiddenLooksGone: on Prosody nobody finds a difference between somebody who
// is hidden and somebody who is gone, whatever they send, and messages arrive.
func TestHiddenLooksGone(t *testing.T) {
	for _, name := range []string{"bob", "carol"} { // a contact, and none
		for setup, host := range map[string]string{"offline store": "", "archive alone": withoutOffline} {
			t.Run(name+", "+setup, func(t *testing.T) {
				s := newStack(t, stackConfig{prosodyHost: host})
				s.contacts("alice", "bob")
				who := s.observer(name)
				alice := s.online("alice", "")
				alice.say("<presence xmlns='jabber:client'/>")
				alice.sync()
				who.Say("<presence type='subscribe' to='alice@" + domain + "'/>")
				there := s.look(name, who, alice.jid)
				for range 2 { // to the bare and to the full address
					for _, id := range []string{"text1", "text2", "text3", "text4", "text5"} {
						alice.expect(id, func(e *framing.Element) bool { return e.ID() == id })
					}
				}
				alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
				alice.ended()
				s.gone(alice.jid)
				require.Equal(t, s.look(name, who, alice.jid), there)
				if name == "bob" {
					require.Contains(t, there["login"], "unavailable", "a contact is told that she is not there")
				}
			})
		}
	}
}

// TestSignalsThatWereNotReadDoNotComeBack: the end of a hidden session shows in
// no error for what it had not acknowledged. Text is in the archive.
func TestSignalsThatWereNotReadDoNotComeBack(t *testing.T) {
	proxy := newLine(t)
	s := newStack(t, stackConfig{prosody: "smacks_hibernation_time = 1\n", prosodyHost: withoutOffline, line: proxy, change: func(c *gateway.Config) {
		c.Issuer = nil
	}})
	s.contacts("alice", "bob")
	carol := s.observer("carol")
	// With another session of hers mod_smacks sends back what it cannot keep.
	phone := integration.Connect(t, s.server, "alice", s.password("alice"), "phone")
	alice := s.online("alice", "")
	alice.say("<enable xmlns='" + nsSM + "' resume='true' max='1'/>")
	require.True(t, alice.next().Is(nsSM, "enabled"))
	alice.say("<presence xmlns='jabber:client'/>")
	alice.sync()
	for _, x := range []string{
		"<message type='chat' id='typing' TO><composing xmlns='" + chatStates + "'/></message>",
		"<message type='chat' id='text' TO><body>x</body></message>",
		"<message type='headline' id='news' TO><body>x</body></message>",
	} {
		carol.Say(strings.Replace(x, "TO", "to='"+alice.jid+"'", 1))
	}
	alice.expect("the last", func(e *framing.Element) bool { return e.ID() == "news" })
	proxy.cut()
	s.gone(alice.jid)
	require.Empty(t, fromAlice(carol.Sync()))
	phone.Sync()
}

// TestHiddenNeedNotMissAnything: what looks gone is there for who may know it.
func TestHiddenNeedNotMissAnything(t *testing.T) {
	const room = "tea@rooms." + domain
	const muc = "<x xmlns='http://jabber.org/protocol/muc'/></presence>"
	s := newStack(t, stackConfig{prosodyHost: withoutOffline + "Component \"rooms." + domain + "\" \"muc\"\nmuc_room_locking = false\n"})
	s.contacts("alice", "bob")
	bob, phone := s.observer("bob"), integration.Connect(t, s.server, "alice", s.password("alice"), "phone")
	phone.Query("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
	alice := s.online("alice", "")
	alice.say("<presence xmlns='jabber:client'/>")
	has := func(text string) func(*framing.Element) bool {
		return func(e *framing.Element) bool { return strings.Contains(string(e.Raw), text) }
	}
	// Rooms: joining, what is said, whispers, and requests of their people.
	alice.say("<presence xmlns='jabber:client' to='" + room + "/alice'>" + muc)
	alice.expect("her place in the room", has("code='110'"))
	bob.Say("<presence to='" + room + "/bob'>" + muc)
	bob.Expect("alice in the room", func(e integration.Element) bool { return e.Attrs["from"] == room+"/alice" })
	bob.Say("<message type='groupchat' to='" + room + "'><body>to all</body></message>")
	alice.expect("what is said", has("to all"))
	bob.Say("<message type='chat' to='" + room + "/alice'><body>whisper</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>")
	alice.expect("a whisper", has("whisper"))
	bob.Say("<iq type='get' id='asked' to='" + room + "/alice'><query xmlns='jabber:iq:version'/></iq>")
	asked := alice.expect("a question in the room", has("jabber:iq:version"))
	alice.say("<iq xmlns='jabber:client' type='result' id='" + asked.ID() + "' to='" + asked.From() + "'><query xmlns='jabber:iq:version'><name>n</name></query></iq>")
	bob.Expect("her answer", func(e integration.Element) bool { return e.IsReply("asked") && e.Has("<name>n</name>") })
	// Her other devices: requests (calls, files) and carbon copies.
	phone.Say("<iq type='set' id='call' to='" + alice.jid + "'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/></iq>")
	alice.expect("a call of her own", has("session-initiate"))
	alice.say("<iq xmlns='jabber:client' type='result' id='call' to='" + phone.JID + "'/>")
	phone.Expect("the answer", func(e integration.Element) bool { return e.IsReply("call") && e.Attrs["type"] == "result" })
	bob.Say("<message type='chat' id='c1' to='" + alice.jid + "'><body>to the device</body></message>")
	alice.expect("the message", has("to the device"))
	phone.Expect("its copy", func(e integration.Element) bool { return e.Has("urn:xmpp:carbons:2") && e.Has("to the device") })
	alice.say("<message xmlns='jabber:client' type='chat' to='bob@" + domain + "'><body>mine</body></message>")
	bob.Expect("hers", func(e integration.Element) bool { return e.Has("mine") })
	phone.Expect("its copy", func(e integration.Element) bool { return e.Has("sent") && e.Has("mine") })
	// Her archive, and what the server asks.
	alice.say("<iq xmlns='jabber:client' type='set' id='mam'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>")
	alice.expect("the archive", func(e *framing.Element) bool { return has("queryid='q'")(e) && has("to the device")(e) })
	require.Equal(t, "result", alice.expectReply("mam").Type())
}

// TestWhatEjabberdTellsAnybody is in docs/consent.md and in the text that people
// agree to there, so it must not change unnoticed.
func TestWhatEjabberdTellsAnybody(t *testing.T) {
	s := newStack(t, stackConfig{server: onEjabberd})
	carol := s.observer("carol") // no contact
	alice := s.online("alice", "")
	alice.say("<presence xmlns='jabber:client'/>")
	alice.sync()
	answers := func() (out []string) {
		bare := "to='alice@" + domain + "'"
		for _, xml := range []string{
			"<message type='chat' id='x' " + bare + "><composing xmlns='" + chatStates + "'/></message>",
			"<message type='groupchat' id='x' to='" + alice.jid + "'><body>x</body></message>",
		} {
			carol.Say(xml)
			// What ejabberd answers comes before the answer for the account, which it gives itself.
			carol.Say("<iq type='get' id='after' " + bare + "><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
			first := carol.Expect("an answer", func(e integration.Element) bool { return strings.HasPrefix(e.Attrs["from"], "alice@"+domain) })
			out = append(out, first.Attrs["id"])
			if first.Attrs["id"] == "x" {
				carol.Expect("the account's", func(e integration.Element) bool { return e.IsReply("after") })
			}
		}
		return out
	}
	require.Equal(t, []string{"after", "after"}, answers(), "hidden: silence")
	alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	alice.ended()
	s.gone(alice.jid)
	require.Equal(t, []string{"x", "x"}, answers(), "gone: both come back")
}
