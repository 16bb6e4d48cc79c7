package gateway_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// refused is the rule by which the gateway refuses a stanza.
func (p *peer) refused(stanza, id string) string {
	p.t.Helper()
	p.say(stanza)
	e := p.expect("a refusal", func(e *framing.Element) bool { return e.ID() == id && e.Type() == "error" })
	why := e.Child(framing.NSClient, "error")
	require.NotEmpty(p.t, why.Child(framing.NSStanzas, "text").Text())
	return strings.Clone(why.Child("*", "refused").Attr("rule"))
}

// item is bob on alice's contact list as the server has it.
func (p *peer) item() (subscription, ask string) {
	p.t.Helper()
	p.say("<iq xmlns='jabber:client' type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	answer := p.expectReply("roster")
	for c := range answer.Child("*", "query").Children() {
		if c.Attr("jid") == "bob@"+domain {
			return strings.Clone(c.Attr("subscription")), strings.Clone(c.Attr("ask"))
		}
	}
	return "absent", ""
}

// walk is what a hidden client does around a stanza that the list would eat.
func (p *peer) walk(stanzas ...string) {
	p.t.Helper()
	p.say("<presence xmlns='jabber:client' type='unavailable'/>")
	p.say(decline)
	require.Equal(p.t, "result", p.expectReply("decline").Type())
	for _, stanza := range stanzas {
		p.say(stanza)
	}
	p.say("<presence xmlns='jabber:client'/>") // too early: held
	p.sync()
	p.say(activate)
	require.Equal(p.t, "result", p.expectReply("active").Type())
	p.say("<presence xmlns='jabber:client'/>")
	p.sync()
}

const (
	bobs      = " to='bob@" + domain + "' id='s'/>"
	subscribe = "<presence xmlns='jabber:client' type='subscribe'" + bobs
	leaveBob  = "<presence xmlns='jabber:client' type='unsubscribe'" + bobs
	denyBob   = "<presence xmlns='jabber:client' type='unsubscribed'" + bobs
	removeBob = "<iq xmlns='jabber:client' type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@" + domain +
		"' subscription='remove'/></query></iq>"
	blockBob = "<iq xmlns='jabber:client' type='set' id='s'><block xmlns='urn:xmpp:blocking'><item jid='bob@" + domain + "'/></block></iq>"
)

// TestHiddenPersonChangesSubscriptions does what the list would swallow, or
// show, for each subscription, with a second hidden session beside. Bob hears
// of the change where there is one, and of no session: but at ejabberd, who is a
// subscriber no more is told that each session that is there has left, whether it
// was ever present or not. No list is asked then but the account's default one,
// which apps share. docs/consent.md and the panel say so.
func TestHiddenPersonChangesSubscriptions(t *testing.T) {
	onEachServer(t, testHiddenPersonChangesSubscriptions)
}

func testHiddenPersonChangesSubscriptions(t *testing.T, kind serverKind) {
	for _, c := range []struct {
		have, stanza, rule string
		subscription, ask  string // afterwards
		heard              string // types of subscription stanzas that bob gets, in alphabetical order
	}{
		{have: "from", stanza: subscribe, rule: "presence-subscription-listed", subscription: "from", ask: "subscribe", heard: "subscribe"},
		{have: "both", stanza: leaveBob, rule: "presence-subscription-listed", subscription: "from", heard: "unsubscribe"},
		{have: "to", stanza: leaveBob, rule: "presence-subscription-listed", subscription: "none", heard: "unsubscribe"},
		{have: "both", stanza: denyBob, rule: "presence-subscription-listed", subscription: "to", heard: "unsubscribed"},
		{have: "from", stanza: denyBob, rule: "presence-subscription-listed", subscription: "none", heard: "unsubscribed"},
		{have: "both", stanza: removeBob, rule: "iq-remove-shows", subscription: "absent", heard: "unsubscribe unsubscribed"},
		{have: "from", stanza: removeBob, rule: "iq-remove-shows", subscription: "absent", heard: "unsubscribed"},
		{have: "to", stanza: removeBob, rule: "iq-remove-shows", subscription: "absent", heard: "unsubscribe"},
		{have: "ask", stanza: removeBob, rule: "iq-remove-shows", subscription: "absent", heard: "unsubscribe"},
		{have: "both", stanza: blockBob, rule: "iq-block-shows", subscription: "both"},
		{have: "to", stanza: blockBob, rule: "iq-block-shows", subscription: "to"},
	} {
		if kind == onEjabberd && c.rule == "iq-block-shows" {
			continue // the stream ends with it: TestBlockingInAHiddenSession
		}
		t.Run(c.have+" "+c.rule+" "+c.heard, func(t *testing.T) {
			s := newStack(t, stackConfig{server: kind})
			s.relate(c.have)
			bob := s.observer("bob")
			second := s.online("alice", "")
			second.say("<presence xmlns='jabber:client'/>")
			second.sync()
			alice := s.online("alice", "")
			alice.enable()
			alice.say("<presence xmlns='jabber:client'/>")
			alice.sync()
			had, hadAsk := alice.item()
			heardBefore := heard(bob.Sync())
			require.Equal(t, c.rule, alice.refused(c.stanza, "s"))
			now, nowAsk := alice.item()
			require.Equal(t, []string{had, hadAsk}, []string{now, nowAsk}, "a refusal changes nothing")

			alice.walk(c.stanza)
			subscription, ask := alice.item()
			require.Equal(t, []string{c.subscription, c.ask}, []string{subscription, ask})
			seen := bob.Sync()
			switch {
			case c.have != "ask":
				require.Empty(t, heardBefore)
				require.Equal(t, c.heard, heard(seen))
			case kind == onProsody: // a server repeats a request at each coming
				require.Contains(t, heard(seen), c.heard)
			}
			if kind == onEjabberd && strings.Contains(c.heard, "unsubscribed") {
				require.ElementsMatch(t, []string{alice.jid, second.jid}, leaversOf(seen))
			} else {
				require.Empty(t, ofAlice(seen), "of no session")
			}
			require.Equal(t, []int{alice.sent}, []int{atoi(t, alice.handled())}, "counts agree")

			// Hidden as before: messages come live, and her ends are not seen.
			if c.rule != "iq-block-shows" {
				bob.Say("<message to='alice@" + domain + "' type='chat' id='live'><body>x</body></message>")
				alice.expect("a live message", func(e *framing.Element) bool { return e.ID() == "live" })
			}
			for _, p := range []*peer{alice, second} {
				p.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
				p.ended()
				s.gone(p.jid)
			}
			require.Empty(t, ofAlice(bob.Sync()))
		})
	}
}

// leaversOf names alice's sessions that are said to have left, and fails for
// any that are said to be there.
func leaversOf(list []integration.Element) (jids []string) {
	for _, e := range list {
		if e.Name.Local == "presence" && strings.HasPrefix(e.Attrs["from"], "alice@"+domain+"/") {
			jids = append(jids, e.Attrs["from"]+strings.Replace(e.Attrs["type"], "unavailable", "", 1))
		}
	}
	return jids
}

// heard names the subscription stanzas among what bob got of alice.
func heard(list []integration.Element) string {
	var types []string
	for _, e := range list {
		if e.Name.Local == "presence" && e.Attrs["from"] == "alice@"+domain && e.Attrs["type"] != "unavailable" {
			types = append(types, e.Attrs["type"])
		}
	}
	slices.Sort(types)
	return strings.Join(types, " ")
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

// TestHiddenWalkThatIsCut breaks the line where the list is declined: the
// session may be resumed, and the walk finished.
func TestHiddenWalkThatIsCut(t *testing.T) { onEachServer(t, testHiddenWalkThatIsCut) }

func testHiddenWalkThatIsCut(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.relate("both")
	bob := s.observer("bob")
	old := s.online("alice", "")
	previd := old.enable()
	old.say("<presence xmlns='jabber:client'/>")
	old.say("<presence xmlns='jabber:client' type='unavailable'/>")
	old.say(decline)
	require.Equal(t, "result", old.expectReply("decline").Type())
	old.sync()
	old.cut()
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
	alice.say("<presence xmlns='jabber:client'/>") // still held
	alice.say(denyBob)
	alice.sync()
	subscription, _ := alice.item()
	require.Equal(t, "to", subscription)
	alice.say(activate)
	require.Equal(t, "result", alice.expectReply("active").Type())
	alice.say("<presence xmlns='jabber:client'/>")
	alice.sync()
	require.Equal(t, []int{alice.sent}, []int{atoi(t, alice.handled())})
	if kind == onEjabberd {
		require.Equal(t, []string{alice.jid}, leaversOf(bob.Sync()), "see TestHiddenPersonChangesSubscriptions")
	} else {
		require.Empty(t, ofAlice(bob.Sync()))
	}
}

// TestServerWithoutListsTakesSubscriptions: presence never leaves there, so
// nothing has to be walked around.
func TestServerWithoutListsTakesSubscriptions(t *testing.T) {
	for have, stanzas := range map[string][]string{
		"from": {subscribe}, "both": {leaveBob, denyBob, blockBob}, "to": {removeBob}, "ask": {removeBob},
	} {
		t.Run(have, func(t *testing.T) {
			s := newStack(t, stackConfig{noPrivacyLists: true, plainProsody: true})
			s.relate(have)
			bob := s.observer("bob")
			alice := s.online("alice", "")
			alice.say("<presence xmlns='jabber:client'/>")
			before, _ := alice.item()
			for _, stanza := range stanzas {
				alice.say(stanza)
			}
			alice.sync()
			after, ask := alice.item()
			require.NotEqual(t, before, after+ask)
			require.NotEmpty(t, heard(bob.Sync()))
			alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
			alice.ended()
			s.gone(alice.jid)
			require.Empty(t, ofAlice(bob.Sync()))
		})
	}
}
