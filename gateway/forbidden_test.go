package gateway_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// forbidden is a row of the tables in docs/consent.md.
type forbidden struct{ rule, example, becomes string }

// elsewhere are rows for which a stream has to be otherwise than hidden behind a
// list: gateway/policy tests them, and the tests here that walk.
var elsewhere = map[string]bool{
	"presence-held": true, "presence-leave-held": true, "presence-rooms": true, "privacy-order-leave": true, "privacy-order-set": true,
	"privacy-blocked": true,
}

func forbiddenRows(t *testing.T) (rows []forbidden) {
	t.Helper()
	b, err := os.ReadFile("../docs/consent.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimPrefix(strings.TrimSpace(line), "| "), " | ")
		if len(cells) != 5 || !strings.HasPrefix(cells[2], "`<") || elsewhere[cells[0]] {
			continue
		}
		example := strings.ReplaceAll(strings.Trim(cells[2], "`"), "example.org", domain)
		kind, rest, _ := strings.Cut(example, " ")
		rows = append(rows, forbidden{cells[0], kind + " xmlns='jabber:client' " + rest, cells[3]})
	}
	require.Greater(t, len(rows), 30)
	return rows
}

// TestForbiddenOnServers sends every row of docs/consent.md from a hidden
// person: the error says which rule it was, a contact who is there gets nothing
// of it, and both sides count the same.
func TestForbiddenOnServers(t *testing.T) {
	rows := forbiddenRows(t)
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newStack(t, stackConfig{server: kind})
		s.contacts("alice", "bob")
		bob := s.observer("bob")
		alice := s.online("alice", "?consent=walk")
		alice.enable()
		alice.say("<presence xmlns='jabber:client'/>")
		alice.sync()
		for _, row := range rows {
			t.Run(row.rule, func(t *testing.T) {
				alice.t = t
				if row.becomes == "refused" {
					require.Equal(t, row.rule, alice.refused(row.example, "1"))
				} else {
					alice.say(row.example)
				}
				alice.sync()
				require.Equal(t, alice.sent, atoi(t, alice.handled()))
				got := bob.Sync()
				if row.becomes == "answered for" {
					require.Len(t, got, 1)
					require.True(t, got[0].IsReply("1") && got[0].Has("service-unavailable"), got[0].XML)
					return
				}
				require.Empty(t, got)
			})
		}
		alice.t = s.t
		// The same contact would have seen what comes with consent.
		s.consent("alice", true, true, true)
		alice.say(decline)
		require.Equal(t, "result", alice.expectReply("decline").Type())
		alice.say("<presence xmlns='jabber:client'/>")
		bob.Expect("her presence", func(e integration.Element) bool { return e.Attrs["from"] == alice.jid && e.Attrs["type"] == "" })
		alice.say("<message xmlns='jabber:client' to='bob@" + domain + "' type='chat'><composing xmlns='" + chatStates + "'/></message>")
		bob.Expect("her typing", func(e integration.Element) bool { return e.Has(chatStates) })
	})
}

// leak is what a contact finds out about somebody who is hidden.
type leak struct {
	ask      string // an iq with id q, to the bare address
	tells    func(alice *peer, answer integration.Element) bool
	prosody  bool
	ejabberd bool
	// withList is ejabberd when the person has a default list that keeps IQs from
	// contacts as well.
	withList bool
}

var leaks = map[string]leak{
	"last activity": {
		ask:      "<query xmlns='jabber:iq:last'/>",
		tells:    func(_ *peer, a integration.Element) bool { return a.Has("seconds='0'") || a.Has(`seconds="0"`) },
		ejabberd: true, // with mod_last, which contrib/ejabberd leaves out
	},
	"devices": {
		ask:      "<query xmlns='http://jabber.org/protocol/disco#items'/>",
		tells:    func(alice *peer, a integration.Element) bool { return a.Has(alice.jid) },
		ejabberd: true, withList: true,
	},
	"features": {
		ask:   "<query xmlns='http://jabber.org/protocol/disco#info'/>",
		tells: func(alice *peer, a integration.Element) bool { return a.Has(alice.jid) },
	},
	"card": {
		ask:   "<vCard xmlns='vcard-temp'/>",
		tells: func(alice *peer, a integration.Element) bool { return a.Has(alice.jid) },
	},
}

// TestWhatContactsCanFindOut is the table of docs/consent.md that sets the two
// servers side by side. What ejabberd tells has to be told to people who are asked
// for their consent, so it must not change unnoticed either.
func TestWhatContactsCanFindOut(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newStack(t, stackConfig{server: kind})
		s.contacts("alice", "bob")
		alice := s.online("alice", "")
		alice.say("<presence xmlns='jabber:client'/>")
		alice.sync()
		bob := s.observer("bob") // comes when she is there
		probe := func() string {
			bob.Say("<presence type='probe' to='alice@" + domain + "'/>")
			return fromAlice(bob.Sync())
		}
		there := probe()
		for name, l := range leaks {
			want := map[serverKind]bool{onProsody: l.prosody, onEjabberd: l.ejabberd}[kind]
			require.Equal(t, want, l.find(bob, alice), name)
		}
		dave := s.raw("carol") // no contact
		for name, l := range leaks {
			require.False(t, l.find(dave, alice), "%s, to a stranger", name)
		}
		alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
		alice.ended()
		s.gone(alice.jid)
		bob.Sync()
		require.Equal(t, probe(), there, "a probe")
	})
}

func (l leak) find(who *integration.Client, alice *peer) bool {
	answer := who.Query("<iq type='get' id='q' to='alice@" + domain + "'>" + l.ask + "</iq>")
	return l.tells(alice, answer)
}

// TestDefaultListOnEjabberd is why the gateway sets none (docs/adr/0036): it
// closes last activity, leaves the devices, and takes the person's own apps away
// from their contacts.
func TestDefaultListOnEjabberd(t *testing.T) {
	s := newStack(t, stackConfig{server: onEjabberd})
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	const call = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'/></iq>"
	phone := s.raw("alice") // an app that knows nothing of lists
	phone.Say("<presence/>")
	bob.Expect("the phone", func(e integration.Element) bool { return e.Attrs["from"] == phone.JID })
	bob.Say("<iq type='set' id='before' to='" + phone.JID + "'>" + call)
	phone.Expect("a call", func(e integration.Element) bool { return e.Attrs["id"] == "before" })
	for i, item := range []string{
		"<list name='d'><item type='subscription' value='both' action='deny' order='1'><presence-out/><iq/></item>" +
			"<item type='subscription' value='from' action='deny' order='2'><presence-out/><iq/></item></list>",
		"<default name='d'/>",
	} {
		answer := phone.Query("<iq type='set' id='d" + string(rune('0'+i)) + "'><query xmlns='jabber:iq:privacy'>" + item + "</query></iq>")
		require.Equal(t, "result", answer.Attrs["type"], answer.XML)
	}
	phone.Say("<presence type='unavailable'/></stream:stream>")
	require.NoError(t, phone.Close())
	bob.Sync()
	phone = s.raw("alice")
	phone.Say("<presence/>")
	phone.Sync()
	alice := s.online("alice", "")
	alice.say("<presence xmlns='jabber:client'/>")
	alice.sync()
	for name, l := range leaks {
		require.Equal(t, l.withList, l.find(bob, alice), name)
	}
	require.Empty(t, ofAlice(bob.Sync()), "her phone is not seen, whatever she wants of it")
	require.Equal(t, "error", bob.Query("<iq type='set' id='after' to='" + phone.JID + "'>" + call).Attrs["type"])
	for _, e := range phone.Sync() {
		require.NotEqual(t, "after", e.Attrs["id"], "nor can it be called, or sent a file")
	}
}
