package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

const (
	unblockBob = "<iq xmlns='jabber:client' type='set' id='s'><unblock xmlns='urn:xmpp:blocking'><item jid='bob@" + domain + "'/></unblock></iq>"
	setHidden  = "<iq xmlns='jabber:client' type='set' id='list'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'/></query></iq>"
	leaves     = "<presence xmlns='jabber:client' type='unavailable'/>"
	comes      = "<presence xmlns='jabber:client'/>"
)

// app does one thing as an app of alice's that does not come through the gateway.
func (s *stack) app(request string) {
	s.t.Helper()
	app := s.raw("alice")
	require.Equal(s.t, "result", app.Query(request).Attrs["type"])
	require.NoError(s.t, app.Close())
}

// reset is the end of a stream after the frame with this id, if it is given.
func (p *peer) reset(id string) {
	p.t.Helper()
	if id != "" {
		require.Equal(p.t, "result", p.expectReply(id).Type(), "it is answered first")
	}
	condition, code := p.ended()
	require.Equal(p.t, "reset", condition)
	require.Equal(p.t, websocket.StatusNormalClosure, code)
}

// blockers are alice, who has bob and carol for contacts, and those two.
type blockers struct {
	*stack
	bob, carol *integration.Client
	n          int // of what bob said
}

func newBlockers(t *testing.T, kind serverKind) *blockers {
	t.Helper()
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	s.contacts("alice", "carol")
	return &blockers{stack: s, bob: s.observer("bob"), carol: s.observer("carol")}
}

// hears reports what of bob's reaches alice, who is present: messages to her account
// and to this session, and presence. What carol says after him always does.
func (s *blockers) hears(alice *peer) (got string) {
	s.t.Helper()
	s.n++
	for _, to := range []string{"alice@" + domain, alice.jid} {
		s.bob.Say(fmt.Sprintf("<message to='%s' type='chat'><body>words of bob %d</body></message>", to, s.n))
	}
	s.bob.Say(fmt.Sprintf("<presence><status>presence of bob %d</status></presence>", s.n))
	s.bob.Sync()
	s.carol.Say(fmt.Sprintf("<message to='%s' type='chat'><body>words of carol %d</body></message>", alice.jid, s.n))
	alice.expect("carol's message", func(e *framing.Element) bool {
		for _, what := range []string{"words", "presence"} {
			if strings.Contains(string(e.Raw), fmt.Sprintf(">%s of bob %d<", what, s.n)) {
				got += what + " "
			}
		}
		return strings.Contains(string(e.Raw), fmt.Sprintf("carol %d<", s.n))
	})
	return got
}

// hidden is a session of hers that is present, unseen.
func (s *blockers) hidden(query string) *peer {
	s.t.Helper()
	p := s.online("alice", query)
	require.Contains(s.t, p.full, "delivery='live'")
	p.say(comes)
	p.sync()
	return p
}

const everything = "words words presence "

// TestBlockingHoldsWhileHidden: whoever was blocked earlier, by an app, does not
// reach a hidden person, and does so again when no longer blocked.
func TestBlockingHoldsWhileHidden(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newBlockers(t, kind)
		alice := s.hidden("")
		require.Equal(t, everything, s.hears(alice), "nobody is blocked")
		alice.say(leaves)
		alice.sync()
		alice.cut()
		s.app(blockBob)
		alice = s.hidden("")
		require.Empty(t, s.hears(alice))
		require.Empty(t, ofAlice(s.bob.Sync()))
		alice.cut()
		s.app(unblockBob)
		alice = s.hidden("")
		require.Equal(t, everything, s.hears(alice))
	})
}

// TestBlockingInAHiddenSession: she blocks bob, and unblocks him, from two tabs.
// Where lists hold blocks both tabs connect again, once.
func TestBlockingInAHiddenSession(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newBlockers(t, kind)
		tabs := [2]*peer{s.hidden(""), s.hidden("")}
		for _, change := range []string{blockBob, unblockBob, blockBob} {
			tabs[0].enable()
			tabs[0].say(leaves)
			tabs[0].say(change)
			if kind == onEjabberd {
				tabs[0].reset("s")
				tabs[1].reset("")
				tabs = [2]*peer{s.hidden(""), s.hidden("")}
			} else {
				require.Equal(t, "result", tabs[0].expectReply("s").Type())
				tabs[0].say(comes)
				tabs[0].sync()
				require.Equal(t, tabs[0].sent, atoi(t, tabs[0].handled()))
			}
			want := everything
			if change == blockBob {
				want = ""
			}
			for _, tab := range tabs {
				require.Equal(t, want, s.hears(tab))
			}
			require.Empty(t, ofAlice(s.bob.Sync()))
			if kind == onEjabberd { // a tab that comes sets the list for all, and ends none
				tabs[0].sync()
				s.hidden("").cut()
				for _, tab := range tabs {
					require.Equal(t, want, s.hears(tab))
				}
				continue
			}
			tabs[0].cut()
			tabs[0] = s.hidden("")
		}
	})
}

// TestBlockingBeforeTheWalk: what a shown session blocks, or an app meanwhile, holds
// when it hides without a new login.
func TestBlockingBeforeTheWalk(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newBlockers(t, kind)
		s.consent("alice", true, false, false)
		alice := s.online("alice", "?consent=walk")
		alice.enable()
		alice.say(comes)
		alice.sync()
		alice.say(blockBob)
		require.Equal(t, "result", alice.expectReply("s").Type())
		s.app(strings.ReplaceAll(blockBob, "bob@", "stranger@"))
		require.Empty(t, s.hears(alice))
		s.consent("alice", false, false, false)
		alice.say(leaves)
		alice.say(setHidden)
		require.Equal(t, "result", alice.expectReply("list").Type())
		alice.say(activate)
		require.Equal(t, "result", alice.expectReply("active").Type())
		alice.say(comes)
		alice.sync()
		require.Empty(t, s.hears(alice))
		require.Equal(t, alice.sent, atoi(t, alice.handled()))
	})
}

// TestBlockingWhileCut: an app blocks bob while the line is cut. The session hears of
// it when it is resumed.
func TestBlockingWhileCut(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newBlockers(t, kind)
		old := s.hidden("")
		previd := old.enable()
		old.sync()
		old.cut()
		s.app(blockBob)
		alice := s.connect("")
		alice.login("alice", s.password("alice"))
		require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
		if kind == onEjabberd {
			alice.reset("")
			alice = s.hidden("")
		}
		require.Empty(t, s.hears(alice))
	})
}

// TestBlockingMany: a list with 500 blocked addresses is one that servers take. Whoever
// blocks more than a list can hold gets no message at once, and none of bob's at all.
func TestBlockingMany(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newBlockers(t, kind)
		var items strings.Builder
		for i := range 499 {
			fmt.Fprintf(&items, "<item jid='somebody-%d@elsewhere.example'/>", i)
		}
		s.app(strings.Replace(blockBob, "<item", items.String()+"<item", 1))
		require.Empty(t, s.hears(s.hidden("")))
		s.app(strings.ReplaceAll(blockBob, "bob@", "stranger@"))
		alice := s.online("alice", "")
		want := "delivery='live'"
		if kind == onEjabberd {
			want = "delivery='archive'"
		}
		require.Contains(t, alice.full, want)
		alice.say(comes)
		alice.sync()
		require.Empty(t, s.hears(alice))
		require.Empty(t, ofAlice(s.bob.Sync()))
	})
}
