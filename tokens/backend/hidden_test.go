package backend_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// A hidden session ends unseen by contacts, whatever they are subscribed to;
// the person's own sessions hear of it, and one that is shown is told of as ever.
func TestHiddenSessionsEndUnseen(t *testing.T) {
	s := newStack(t, `modules_enabled = { "privacy_lists" }`)
	bob := s.connect("bob")
	other := integration.Connect(t, s.prosody, "alice", s.password("alice"), "other")
	for _, c := range []*integration.Client{bob, other} {
		c.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
		c.Say("<presence/>")
		c.Sync()
	}
	bob.Say("<presence type='subscribe' to='alice@" + domain + "'/>")
	other.Expect("a request", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
	other.Say("<presence type='subscribed' to='bob@" + domain + "'/>")
	bob.Expect("alice", func(e integration.Element) bool { return strings.HasSuffix(e.Attrs["from"], "/other") })

	hide := func() *integration.Client {
		c := integration.Connect(t, s.prosody, "alice", s.password("alice"), "hidden")
		c.Query("<iq type='set' id='1'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'>" +
			"<item type='subscription' value='both' action='deny' order='1'><presence-out/></item>" +
			"<item type='subscription' value='from' action='deny' order='2'><presence-out/></item></list></query></iq>")
		answer := c.Query("<iq type='set' id='2'><query xmlns='jabber:iq:privacy'><active name='trunkline-hidden'/></query></iq>")
		require.Equal(t, "result", answer.Attrs["type"])
		c.Say("<presence/>")
		c.Sync()
		return c
	}
	leaves := func(resource string) func(integration.Element) bool {
		return func(e integration.Element) bool {
			return e.Name.Local == "presence" && e.Attrs["from"] == "alice@"+domain+"/"+resource && e.Attrs["type"] == "unavailable"
		}
	}
	hidden := hide()
	require.NoError(t, hidden.Close()) // without a word
	other.Expect("her own session leaving", leaves("hidden"))

	last := hide() // and as the last session
	require.NoError(t, other.Close())
	bob.Expect("the shown session leaving", func(e integration.Element) bool {
		require.NotContains(t, e.Attrs["from"], "/hidden")
		return leaves("other")(e)
	})
	require.NoError(t, last.Close())
	again := integration.Connect(t, s.prosody, "alice", s.password("alice"), "again")
	again.Say("<presence/>")
	for {
		e := bob.Expect("what is shown", func(e integration.Element) bool { return e.Name.Local == "presence" })
		require.NotContains(t, e.Attrs["from"], "/hidden")
		if strings.HasSuffix(e.Attrs["from"], "/again") {
			break
		}
	}
}
