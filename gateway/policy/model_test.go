package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// world is a server with privacy lists or without, and a contact subscribed to the person's presence. It does what servers
// do with what gets past the policy, in order and late, and notes what the contact gets to see.
type world struct {
	t     *testing.T
	s     *Stream
	r     *rand.Rand
	lists bool
	blocking
	sub string // the contact's entry on the person's list: both, from, to, ask

	towards   []leaving // on the way to the server
	back      []string  // on the way to the client
	saved     bool      // our list is stored
	active    bool
	present   bool
	directed  bool   // the contact got directed presence
	told      bool   // or will, from what is on its way
	contact   string // presence of the person as the contact knows it
	sent      int    // stanzas of the client
	counted   int    // stanzas that the server got
	answered  int    // stanzas that the server sent
	delivered int    // stanzas that the client got
}

// leaving is a stanza on its way, and whether the person was hidden when it was let go.
type leaving struct {
	frame  string
	hidden bool
}

// said is one thing the client does, with what the contact must not notice of it: a consent it needs.
type said struct {
	frame string
	needs func(Consent) bool
}

const juliet = "juliet@social.example"

const ourJuliet = " to='juliet@social.example'/>"

func always(Consent) bool     { return true }
func presence(c Consent) bool { return c.Presence }

// doings are what a client may come up with. Juliet is the contact.
var doings = []said{
	{"<presence/>", presence}, {"<presence/>", presence}, {"<presence><show>away</show></presence>", presence},
	{"<presence type='unavailable'/>", always}, {"<presence type='unavailable'/>", always},
	{"<presence to='romeo@social.example'/>", presence}, {"<presence to='ROMEO@social.example' type='unavailable'/>", always},
	{"<presence to='juliet@social.example'/>", presence}, {"<presence to='juliet@social.example/b' type='unavailable'/>", presence},
	{"<presence to='juliet@social.example/b'><x xmlns='http://jabber.org/protocol/muc'/></presence>", presence},
	{"<presence to='juliet@social.example' type='subscribed'/>", presence},
	{"<presence to='juliet@social.example' type='probe'/>", presence},
	{"<presence type=''/>", presence},
	{"<presence type='subscribe'" + ourJuliet, always}, {"<presence type='unsubscribe'" + ourJuliet, always},
	{"<presence type='unsubscribed'" + ourJuliet, always},
	{strings.Replace(removeHer, "capulet", "social", 1), always},
	{strings.Replace(unblockAll, "id='x'", "id='4'", 1), always},
	{"<iq type='set' id='4'><block xmlns='urn:xmpp:blocking'><item jid='juliet@social.example'/></block></iq>", always},
	{joinRoom, always}, {"<presence to='tea@rooms.social.example/romeo'/>", always},
	{"<message to='juliet@social.example' type='chat'>" + body + "</message>", always},
	{"<message to='juliet@social.example'>" + body + composes + "</message>", typing},
	{"<message to='juliet@social.example'>" + composes + "</message>", typing},
	{"<message to='Juliet@social.example/b'>" + receipt + "</message>", receipts},
	{"<message to='juliet@social.example' type='groupchat'>" + body + marker + "</message>", receipts},
	{"<message to='juliet@social.example/b' type='error'>" + body + "</message>", presence},
	{"<iq type='result' id='1' to='juliet@social.example/b'/>", presence},
	{"<iq type='get' id='2' to='juliet@social.example/b'><ping xmlns='urn:xmpp:ping'/></iq>", presence},
	{"<iq type='get' id='u'><query xmlns='jabber:iq:roster'/></iq>", always},
	{publish("http://jabber.org/protocol/tune", ""), presence},
	{setOurs, always}, {setOurs, always}, {useOurs, always}, {useOurs, always}, {useNone, always},
	{strings.Replace(setOurs, "id='l'", "id='u'", 1), always},
	{privacySet("<active name='friends'/>"), always}, {privacySet("<list name='friends'><item action='allow' order='1'/></list>"), always},
	{"<iq type='nonsense' id='3'/>", always}, {"<iq type='set'/>", always},
	{"<message to=''>" + body + "</message>", always},
}

// do lets the client send something, and holds that one stanza leads to one.
func (w *world) do(d said) {
	e := parse(w.t, d.frame)
	v := w.s.FromClient(e)
	require.Contains(w.t, []Action{Pass, Replace}, v.Action, d.frame)
	require.Empty(w.t, v.Inject, d.frame)
	out := e.Raw
	if v.Action == Replace {
		out = v.Frame
	}
	got := parse(w.t, string(out))
	require.True(w.t, got.IsStanza(), "%s", out)
	w.sent++
	w.towards = append(w.towards, leaving{string(out), !w.s.Consent().Presence})
	if !d.needs(w.s.Consent()) && !(w.told && got.Is(framing.NSClient, "presence") && got.Type() == "unavailable") {
		w.requireUnseen(got, d)
	}
	if to := w.s.target(got); got.Name.Local == "presence" && (to.bare == juliet || to.class == toAccount) {
		switch _, typed := got.Lookup("type"); {
		case got.Type() == "unavailable":
			w.told = false
		case !typed && to.bare == juliet:
			w.told = true
		}
	}
}

// requireUnseen holds that the server will not give got, or what it needs consent for, to anybody but the account.
func (w *world) requireUnseen(got *framing.Element, d said) {
	w.t.Helper()
	text := string(got.Raw)
	switch got.Name.Local {
	case "presence":
		// Only to the account itself, behind a list that works when the server gets there; serve checks that.
		require.True(w.t, w.s.target(got).class == toAccount && w.s.state.ListActive, "%s let through as %s", d.frame, text)
	case "message":
		for _, sign := range []string{"chatstates", "urn:xmpp:receipts", "chat-markers", "type='error'"} {
			require.NotContains(w.t, text, sign, d.frame)
		}
	case "iq":
		other := w.s.target(got).class > toServer
		require.True(w.t, !other || strings.Contains(text, "service-unavailable"), "%s let through as %s", d.frame, text)
		require.NotContains(w.t, text, "pubsub", d.frame)
	}
}

// serve lets the server take one stanza.
func (w *world) serve() {
	if len(w.towards) == 0 {
		return
	}
	next := w.towards[0]
	e := parse(w.t, next.frame)
	w.towards = w.towards[1:]
	w.counted++
	to := w.s.target(e)
	switch e.Name.Local {
	case "presence":
		w.servePresence(e, to, next.hidden)
	case "iq":
		if e.Type() == "set" || e.Type() == "get" {
			w.serveIQ(e, to, next.hidden)
		}
	}
}

func (w *world) servePresence(e *framing.Element, to target, hidden bool) {
	typ, typed := e.Lookup("type")
	if to.bare == juliet && strings.HasPrefix(strings.TrimPrefix(typ, "un"), "subscribe") {
		w.serveSubscription(typ, hidden)
		return
	}
	seen := "available"
	if typ == "unavailable" {
		seen = typ
	}
	switch {
	case to.bare == juliet && (!typed || typ == "unavailable"):
		w.contact, w.directed = seen, !typed
	case to.class != toAccount:
	case typed && typ != "unavailable":
		w.expose() // another server might take it for available
	default:
		w.present = !typed
		if !w.active && w.subscribed() || typed && w.directed {
			require.False(w.t, hidden && w.contact == "", "who was never seen must not be seen leaving")
			w.contact = seen
		}
		w.directed = w.directed && !typed
	}
}

// expose notes that the contact may have asked and been told.
func (w *world) expose() {
	if w.contact == "" {
		w.contact = "exposed"
	}
}

// serveIQ answers: privacy lists if there are any, and an error for the rest.
func (w *world) serveIQ(e *framing.Element, to target, hidden bool) {
	if w.serveBlocking(e, to) {
		return
	}
	if first := e.First(); to.class == toAccount && e.Type() == "set" {
		removes := strings.Contains(string(first.Raw), "subscription='remove'")
		switch {
		case removes && w.sub != "from" && w.sub != "none", first.Is(nsBlocking, "block") && w.subscribed():
			w.tellLeave(hidden)
		}
		if removes {
			w.sub = "none"
		}
	}
	answer := fmt.Sprintf("<iq xmlns='jabber:client' type='error' id='%s' from='social.example'><error type='cancel'><service-unavailable xmlns='%s'/></error></iq>", e.ID(), framing.NSStanzas)
	query := e.Child(nsPrivacy, "query")
	if w.lists && to.class == toAccount && query != nil {
		item, ok := query.First(), true
		name := item.Attr("name")
		switch {
		case item.Name.Local == "list":
			if name == ListName {
				w.store(item)
			}
		case name == "":
			w.active = false
		case name == ListName:
			ok = w.saved
			w.active = w.active || ok
		default:
			w.active = false
		}
		if !w.active && w.present {
			w.expose()
		}
		if ok {
			answer = fmt.Sprintf("<iq xmlns='jabber:client' type='result' id='%s'/>", e.ID())
		}
	}
	w.answered++
	w.back = append(w.back, answer)
}

// deliver lets one answer arrive, and holds that one stanza leads to one.
func (w *world) deliver() {
	if len(w.back) == 0 {
		return
	}
	e := parse(w.t, w.back[0])
	w.back = w.back[1:]
	v := w.s.FromServer(e)
	require.Contains(w.t, []Action{Pass, Replace}, v.Action)
	require.Empty(w.t, v.Inject)
	if v.Action == Replace {
		out := parse(w.t, string(v.Frame))
		require.True(w.t, out.IsStanza())
		require.NotContains(w.t, out.ID(), "tl-")
	}
	w.delivered++
	if v.Then == EndStream {
		w.again()
	}
}

func (w *world) drain() {
	for len(w.towards)+len(w.back) > 0 {
		w.serve()
		w.deliver()
	}
}

// check holds, once everything has arrived, that counts agree and that who hid is not seen.
func (w *world) check() {
	w.drain()
	require.Equal(w.t, w.sent, w.counted)
	require.Equal(w.t, w.answered, w.delivered)
	require.Equal(w.t, w.active, w.s.state.ListActive, "the policy knows whether the list is active")
	w.checkBlocked()
	if w.s.Consent().Presence || !w.s.Settled() {
		return
	}
	require.NotEqual(w.t, "available", w.contact)
	require.True(w.t, !w.present || w.active, "a contact who comes online now would be told")
}

// walk is what an aware client does when it is to be hidden or shown.
func (w *world) walk() {
	steps := []string{"<presence type='unavailable'/>", setOurs, useOurs, "<presence/>"}
	if w.s.Consent().Presence {
		steps = []string{useNone, "<presence/>"}
	}
	for bare := range w.s.state.Directed {
		if !w.s.Consent().Presence {
			w.do(said{"<presence type='unavailable' to='" + bare + "'/>", always})
		}
	}
	for _, frame := range steps {
		w.do(said{frame, always})
		w.drain()
	}
	require.True(w.t, w.s.Settled(), "after the walk all is as it should be")
	if w.s.Consent().Presence && w.subscribed() {
		require.Equal(w.t, "available", w.contact)
	}
	w.check()
}

// resume cuts the connection where nothing is under way and comes back, or binds anew where the policy says so.
func (w *world) resume() {
	w.drain()
	snapshot, err := w.s.Snapshot()
	require.NoError(w.t, err)
	c := Config{Identity: romeo, Consent: w.s.Consent(), Aware: true, Rand: entropy(uint64(w.r.IntN(250)))}
	hiddenAndSettled := !w.s.Consent().Presence && w.s.Settled()
	s, err := Restore(c, snapshot)
	switch {
	case err == nil:
		require.Equal(w.t, w.s.state, s.state)
		w.s = s
	default:
		require.True(w.t, errors.Is(err, ErrNarrower) && !hiddenAndSettled)
		w.again()
	}
}

// TestNothingLeaksAndNothingIsLost drives streams at random: any client, any order, changes of consent and cuts in between.
func TestNothingLeaksAndNothingIsLost(t *testing.T) {
	consents := []Consent{nobody, contacts, all, {Typing: true}, {Receipts: true}}
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			w := &world{t: t, r: r, lists: r.IntN(4) > 0, sub: []string{"both", "both", "from", "to", "ask"}[r.IntN(5)]}
			c := consents[r.IntN(len(consents))]
			w.inLists = w.lists && r.IntN(2) == 0
			w.bind(c)
			for range 120 {
				switch n := r.IntN(41); {
				case n < 24:
					w.do(doings[r.IntN(len(doings))])
				case n < 30:
					w.serve()
				case n < 36:
					w.deliver()
				case n < 37:
					w.s.SetConsent(consents[r.IntN(len(consents))])
				case n < 38:
					w.check()
				case n < 39:
					w.resume()
				case n < 40:
					w.elsewhere()
				default:
					w.drain()
					w.walk()
				}
			}
			w.check()
			w.end()
		})
	}
}

// TestEveryDoingAlone makes sure that what the random test checks is checked at least once for each.
func TestEveryDoingAlone(t *testing.T) {
	for _, d := range doings {
		for _, lists := range []bool{true, false} {
			for _, c := range []Consent{nobody, contacts, all} {
				for _, sub := range []string{"both", "from", "to", "ask"} {
					for _, before := range [][]string{nil, {"<presence/>"}, {"<presence/>", "<presence type='unavailable'/>", useNone}} {
						w := &world{t: t, lists: lists, sub: sub, s: bound(t, c, lists)}
						w.active, w.saved = lists && !c.Presence, lists && !c.Presence
						for _, frame := range before {
							w.do(said{frame, always})
							w.drain()
						}
						w.do(d)
						w.check()
						w.end()
					}
				}
			}
		}
	}
	require.True(t, slices.ContainsFunc(doings, func(d said) bool { return !d.needs(nobody) }))
}
