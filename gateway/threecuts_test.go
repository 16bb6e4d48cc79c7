package gateway_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// standing is what holds of a stream, whichever connection carries it.
type standing struct {
	name    string
	consent [3]bool
	walk    func(*peer) // how it comes to this from the one before
	active  bool        // the list, at the server
	traces  []string    // what bob notices of it
	refuses string      // the rule by which declining the list is refused, "" if it is not
}

func walked(p *peer, iq, id string) {
	p.t.Helper()
	p.say(iq)
	require.Equal(p.t, "result", p.expectReply(id).Type())
}

var standings = []standing{
	{name: "hidden", active: true, refuses: "privacy-decline", walk: func(*peer) {}},
	{name: "shown", consent: [3]bool{true, false, false}, traces: []string{"presence"}, walk: func(p *peer) { walked(p, decline, "decline") }},
	{name: "shown, typing", consent: [3]bool{true, true, false}, traces: []string{"presence", "typing", "typing"}, walk: func(*peer) {}},
	// The list is not set again: that it was is remembered.
	{name: "hidden again", active: true, refuses: "privacy-decline", walk: func(p *peer) {
		p.say("<presence xmlns='jabber:client' type='unavailable'/>")
		walked(p, activate, "active")
	}},
}

// TestPolicyStateAfterThreeCuts breaks the line three times in a row under each
// standing of one session, and looks right after each resumption at who is bound,
// which consent holds, and whether the list is set: at the server, and by what the
// gateway does.
func TestPolicyStateAfterThreeCuts(t *testing.T) { onEachServer(t, testPolicyStateAfterThreeCuts) }

func testPolicyStateAfterThreeCuts(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	alice := s.online("alice", "?consent=walk")
	previd := alice.enable()
	bound := []string{resourceOf(alice)}
	for _, now := range standings {
		s.consent("alice", now.consent[0], now.consent[1], now.consent[2])
		now.walk(alice)
		alice.sync()
		for range 3 {
			old := alice
			old.cut()
			alice = s.connect("?consent=walk")
			alice.login("alice", s.password("alice"))
			require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"), now.name)
			require.Equal(t, bound, s.gateway.Resources("id-alice"), now.name)
			require.Equal(t, now.active, alice.hasActiveList(), now.name)
			bob.Sync() // what came before
			require.Equal(t, now.traces, withoutLeaves(traces(tell(alice, bob))), now.name)
			if now.refuses != "" {
				require.Equal(t, now.refuses, alice.refused(strings.Replace(decline, "id='decline'", "id='no'", 1), "no"), now.name)
			}
			require.Equal(t, alice.sent, atoi(t, alice.handled()), now.name)
			alice.say("<a xmlns='" + nsSM + "' h='" + strconv.Itoa(alice.got) + "'/>")
		}
	}
}

// hasActiveList asks the server itself, and holds that our list is there.
func (p *peer) hasActiveList() bool {
	p.t.Helper()
	p.say("<iq xmlns='jabber:client' type='get' id='lists'><query xmlns='jabber:iq:privacy'/></iq>")
	query := p.expectReply("lists").Child("jabber:iq:privacy", "query")
	active, set := false, false
	for c := range query.Children() {
		active = active || c.Name.Local == "active" && c.Attr("name") == "trunkline-hidden"
		set = set || c.Name.Local == "list" && c.Attr("name") == "trunkline-hidden"
	}
	require.True(p.t, set, "%s", query.Raw)
	return active
}

// withoutLeaves is what bob notices but a leave, which is seen when she hides.
func withoutLeaves(found []string) (rest []string) {
	for _, f := range found {
		if f != "leave" {
			rest = append(rest, f)
		}
	}
	return rest
}
