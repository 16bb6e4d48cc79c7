package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/framing/framingtest"
)

// stepOver sends a stanza and gives the server's answer to the client, when there is one to what left.
func stepOver(t *testing.T, s *Stream, frame string, ok bool) (left, came string) {
	t.Helper()
	e := parse(t, frame)
	v := s.FromClient(e)
	out := e.Raw
	if v.Action == Replace {
		out = v.Frame
	}
	if got := parse(t, string(out)); got.Name.Local == "iq" && got.Type() != "result" {
		back := s.FromServer(parse(t, answer(t, out, ok)))
		require.Equal(t, Replace, back.Action)
		came = string(back.Frame)
	}
	return string(out), came
}

func TestWalkToHidden(t *testing.T) {
	s := bound(t, contacts, true)
	client(t, s, "<presence/>")
	require.True(t, s.Settled())
	require.Equal(t, AwaitWalk, s.SetConsent(nobody))
	require.Equal(t, nobody, s.Consent())
	require.False(t, s.Settled())

	require.Equal(t, "presence-held", client(t, s, "<presence><show>away</show></presence>").Reason, "shown no longer, hidden not yet")
	require.Equal(t, Verdict{}, client(t, s, "<presence type='unavailable'/>"))
	left, came := stepOver(t, s, setOurs, true)
	require.Contains(t, left, list, "the items are ours")
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='l'/>", came)
	require.False(t, s.Settled())
	left, came = stepOver(t, s, useOurs, true)
	require.Contains(t, left, activate)
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='u'/>", came)
	require.True(t, s.Settled())
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))
	require.True(t, s.Settled())
}

func TestWalkOutOfOrder(t *testing.T) {
	s := bound(t, contacts, true)
	client(t, s, "<presence/>")
	s.SetConsent(nobody)
	require.Equal(t, "privacy-order-leave", client(t, s, useOurs).Reason, "contacts would never hear that the person left")
	client(t, s, "<presence type='unavailable'/>")
	require.Equal(t, "privacy-order-set", client(t, s, useOurs).Reason, "a list of that name may be anybody's")
	request := client(t, s, setOurs)
	require.Equal(t, "privacy-order-set", client(t, s, useOurs).Reason, "not before the server said yes")
	s.FromServer(parse(t, answer(t, request.Frame, true)))
	request = client(t, s, useOurs)
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason, "not before the server said yes")
	require.Equal(t, Verdict{}, server(t, s, "<iq type='result' id='u'/>"), "an answer to the client's own id is nobody's")
	require.False(t, s.Settled())
	s.FromServer(parse(t, answer(t, request.Frame, true)))
	require.True(t, s.Settled())
}

func TestWalkWithoutLists(t *testing.T) {
	s := bound(t, contacts, false)
	client(t, s, "<presence/>")
	require.Equal(t, AwaitWalk, s.SetConsent(nobody))
	client(t, s, "<presence type='unavailable'/>")
	require.False(t, s.Settled(), "as long as nobody knows whether the server has lists")
	_, came := stepOver(t, s, setOurs, false)
	require.Equal(t, "<iq xmlns='jabber:client' type='error' id='l'><error type='cancel'><service-unavailable xmlns='"+framing.NSStanzas+"'/></error></iq>", came)
	require.True(t, s.Settled())
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
}

func TestWalkToShown(t *testing.T) {
	s := bound(t, nobody, true)
	client(t, s, "<presence/>")
	require.Equal(t, AwaitWalk, s.SetConsent(contacts))
	left, _ := stepOver(t, s, useNone, true)
	require.Contains(t, left, decline)
	require.True(t, s.Settled())
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))
	require.Equal(t, AwaitWalk, s.SetConsent(nobody), "and back again")

	s = bound(t, nobody, false)
	require.Equal(t, Nothing, s.SetConsent(contacts), "nothing was held back")
	s.SetConsent(nobody)
	client(t, s, "<presence/>")
	require.Equal(t, AwaitWalk, s.SetConsent(contacts))
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))
	require.True(t, s.Settled())
}

// A decline that is under way counts already; one that failed leaves the list as it was.
func TestDeclineIsTakenAtItsWorst(t *testing.T) {
	s := bound(t, nobody, true)
	client(t, s, "<presence/>")
	s.SetConsent(contacts)
	request := client(t, s, useNone)
	require.Equal(t, AwaitWalk, s.SetConsent(nobody))
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
	require.Equal(t, Verdict{}, client(t, s, "<presence type='unavailable'/>"), "somebody may have seen it")
	s.FromServer(parse(t, answer(t, request.Frame, false)))
	require.True(t, s.Settled())
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))
}

// A resumed stream hears an answer again; what it meant then must not count now.
func TestAnswersCountOnce(t *testing.T) {
	s := bound(t, nobody, true)
	s.SetConsent(contacts)
	failed := client(t, s, useNone)
	s.FromServer(parse(t, answer(t, failed.Frame, false)))
	stepOver(t, s, useNone, true)
	again := s.FromServer(parse(t, answer(t, failed.Frame, false)))
	require.Equal(t, "answer-privacy", again.Reason)
	s.SetConsent(nobody)
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)
}

func TestActivationThatWasOvertaken(t *testing.T) {
	s := bound(t, contacts, true)
	stepOver(t, s, setOurs, true)
	request := client(t, s, useOurs)
	client(t, s, useNone)
	back := s.FromServer(parse(t, answer(t, request.Frame, true)))
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='u'/>", string(back.Frame))
	s.SetConsent(nobody)
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason, "the list is active no more")
}

// Whoever got directed presence has to be told; then the list may come.
func TestDirectedPresenceIsTakenBack(t *testing.T) {
	s := bound(t, contacts, true)
	client(t, s, "<presence to='juliet@capulet.example/b'/>")
	stepOver(t, s, setOurs, true)
	require.Equal(t, AwaitWalk, s.SetConsent(nobody))
	require.Equal(t, "presence-leave-held", client(t, s, "<presence type='unavailable'/>").Reason, "all contacts would be told")
	require.Equal(t, "privacy-order-leave", client(t, s, useOurs).Reason)
	require.Equal(t, Verdict{}, client(t, s, "<presence type='unavailable' to='juliet@capulet.example/b'/>"))
	stepOver(t, s, useOurs, true)
	require.True(t, s.Settled())
}

func TestChangesOfConsent(t *testing.T) {
	unaware := func(c Consent) *Stream {
		s := bound(t, c, true)
		s.aware = false
		return s
	}
	require.Equal(t, EndStream, unaware(contacts).SetConsent(nobody))
	require.Equal(t, EndStream, unaware(nobody).SetConsent(contacts))
	require.Equal(t, Nothing, unaware(contacts).SetConsent(all))
	require.Equal(t, Nothing, unaware(nobody).SetConsent(Consent{Typing: true}))

	s := bound(t, all, true)
	require.Equal(t, Verdict{}, client(t, s, chat+composes+closing))
	require.Equal(t, Nothing, s.SetConsent(contacts))
	require.Equal(t, "message-typing", client(t, s, chat+composes+closing).Reason, "at once")

	early := start(t, contacts, false)
	require.Equal(t, Nothing, early.SetConsent(nobody), "nothing is bound yet")
	client(t, early, bindRequest)
	require.Equal(t, Nothing, early.SetConsent(nobody))
	require.Equal(t, Swallow, server(t, early, bindResult).Action)
	require.Equal(t, EndStream, early.SetConsent(contacts))
}

func TestRoomsAreBounded(t *testing.T) {
	for _, c := range []Consent{nobody, contacts} {
		s := bound(t, c, true)
		join := func(n int) Verdict { return client(t, s, strings.Replace(joinRoom, "tea", fmt.Sprint("tea", n), 1)) }
		for n := range maxDirected {
			require.Equal(t, Verdict{}, join(n))
		}
		require.Equal(t, Verdict{}, join(0), "a room one is in")
		if c.Presence {
			require.Equal(t, Verdict{}, join(maxDirected))
			require.True(t, s.visible(), "to someone who is not remembered")
		} else {
			require.Equal(t, "presence-rooms", join(maxDirected).Reason)
		}
		require.Len(t, s.state.Directed, maxDirected)
	}
}

func TestReplacedStanzasAreBounded(t *testing.T) {
	s := bound(t, nobody, true)
	first := client(t, s, "<presence to='juliet@capulet.example' id='0'/>")
	for range maxReplaced {
		client(t, s, "<presence to='juliet@capulet.example'/>")
	}
	require.Len(t, s.state.Replaced, maxReplaced)
	require.Equal(t, Verdict{}, s.FromServer(parse(t, answer(t, first.Frame, false))), "forgotten, but still one for one")
}

func TestSnapshot(t *testing.T) {
	s := bound(t, nobody, true)
	client(t, s, "<presence/>")
	client(t, s, joinRoom)
	refused := client(t, s, "<presence to='juliet@capulet.example' id='x'/>")
	b, err := s.Snapshot()
	require.NoError(t, err)

	r, err := Restore(Config{Identity: Identity{Account: "109", Bare: "Romeo@social.example", Domain: "social.example"}, Aware: true, Rand: entropy(9)}, b)
	require.NoError(t, err)
	require.Equal(t, s.state, r.state)
	require.Equal(t, s.JID(), r.JID())
	require.Equal(t, Verdict{}, client(t, r, "<presence/>"), "the list is still active")
	require.Equal(t, Verdict{}, client(t, r, "<iq type='result' id='1' to='tea@rooms.social.example/juliet'/>"))
	require.Equal(t, "answer-presence-directed", r.FromServer(parse(t, answer(t, refused.Frame, false))).Reason)
	require.NotEqual(t, s.hold("x").Frame, r.hold("x").Frame, "ids are never given twice")
}

func TestRestoreRefuses(t *testing.T) {
	snapshot := func(c Consent, frames ...string) []byte {
		s := bound(t, c, true)
		for _, frame := range frames {
			client(t, s, frame)
		}
		b, err := s.Snapshot()
		require.NoError(t, err)
		return b
	}
	restore := func(c Config, b []byte) error {
		c.Rand = entropy(3)
		if c.Identity == (Identity{}) {
			c.Identity = romeo
		}
		s, err := Restore(c, b)
		require.Equal(t, err == nil, s != nil)
		return err
	}
	require.NoError(t, restore(Config{}, snapshot(nobody, "<presence/>")))
	require.NoError(t, restore(Config{Consent: all}, snapshot(contacts, "<presence/>")))
	require.NoError(t, restore(Config{Consent: all}, snapshot(nobody, "<presence/>")), "it stays hidden until the client walks")
	require.ErrorIs(t, restore(Config{}, snapshot(contacts, "<presence/>")), ErrNarrower)
	require.ErrorIs(t, restore(Config{}, snapshot(contacts)), ErrNarrower)
	require.ErrorIs(t, restore(Config{}, snapshot(contacts, "<presence to='juliet@capulet.example'/>")), ErrNarrower)
	for _, other := range []Identity{
		{Account: "110", Bare: romeo.Bare, Domain: romeo.Domain},
		{Account: romeo.Account, Bare: "juliet@social.example", Domain: romeo.Domain},
	} {
		require.ErrorIs(t, restore(Config{Identity: other}, snapshot(nobody)), ErrOtherAccount)
	}
	for _, b := range []string{"", "null", "{}", "[]", `{"version":1}`, `{"version":3}`, `{"version":"1"}`} {
		require.Error(t, restore(Config{}, []byte(b)), b)
	}
	require.Error(t, restore(Config{Identity: Identity{Bare: "@"}}, snapshot(nobody)))
}

func TestForbiddenFrames(t *testing.T) {
	n := 0
	for _, c := range framingtest.Hostile() {
		if !c.WellFormed {
			continue
		}
		n++
		e, err := framing.ParseFrame(c.Frame, framing.ClientLimits)
		require.NoError(t, err)
		for _, s := range []*Stream{bound(t, nobody, true), bound(t, all, true), start(t, all, true)} {
			v := s.FromClient(e)
			require.Equal(t, End, v.Action, c.Name)
			require.Equal(t, c.WantCondition, v.Condition, c.Name)
			require.NotEmpty(t, v.Text)
		}
	}
	require.NotZero(t, n)
}

// FuzzFromClient: no frame, however strange, gets a hidden person seen, and each stanza leads to one.
func FuzzFromClient(f *testing.F) {
	for _, cases := range [][]ruleCase{presenceCases, messageCases, iqCases, privacyCases} {
		for _, c := range cases {
			f.Add([]byte(c.in))
		}
	}
	for _, frame := range framingtest.Good() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, err := framing.ParseFrame(frame, framing.ClientLimits)
		if err != nil {
			return
		}
		for _, lists := range []bool{true, false} {
			w := &world{t: t, lists: lists, s: bound(t, nobody, lists), active: lists, saved: lists}
			v := w.s.FromClient(e)
			require.NotEqual(t, Swallow, v.Action)
			require.Empty(t, v.Inject)
			if v.Action == End || !e.IsStanza() {
				require.Equal(t, v.Action == End, v.Condition != "")
				continue
			}
			out := e.Raw
			if v.Action == Replace {
				out = v.Frame
			}
			got := parse(t, string(out))
			require.True(t, got.IsStanza())
			if got.Is(framing.NSClient, "presence") && !harmless(w.s.target(got), got) {
				w.requireUnseen(got, said{frame: string(frame)})
			}
			if got.Is(framing.NSClient, "message") {
				w.requireUnsignalled(got)
			}
		}
	})
}

// harmless is the presence that leaves on purpose: subscriptions that grant nothing, rooms, and what goes to oneself.
func harmless(to target, e *framing.Element) bool {
	switch e.Type() {
	case "subscribe", "unsubscribe", "unsubscribed":
		return true
	}
	_, typed := e.Lookup("type")
	return to.class == toSelf || to.class == toRoom && to.domain != romeo.Domain && (!typed || e.Type() == "unavailable")
}

// requireUnsignalled looks for signals anywhere in a message.
func (w *world) requireUnsignalled(e *framing.Element) {
	for c := range e.Children() {
		for _, s := range signals {
			require.False(w.t, s.is(c), "%s", c.Raw)
		}
		w.requireUnsignalled(c)
	}
}

// FuzzRestore: a state that is not ours is refused, and one that is taken comes out as it went in.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"version":2,"account":"109","bare":"romeo@social.example","domain":"social.example","list_set":true,"list_active":true}`))
	f.Add([]byte(`{"version":2,"directed":{"a":"room"},"replaced":[{"substitute":"x","kind":"iq"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Restore(Config{Identity: romeo, Rand: entropy(1)}, b)
		if err != nil {
			return
		}
		require.True(t, s.Settled())
		out, err := s.Snapshot()
		require.NoError(t, err)
		again, err := Restore(Config{Identity: romeo, Rand: entropy(1)}, out)
		require.NoError(t, err)
		one, _ := json.Marshal(s.state)
		two, _ := json.Marshal(again.state)
		require.JSONEq(t, string(one), string(two))
	})
}
