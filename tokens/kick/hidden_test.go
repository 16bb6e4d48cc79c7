package kick

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// A person who is hidden behind a privacy list (XEP-0016) and is kicked leaves
// unseen; and mod_last, which would tell contacts of a hidden person, is not there.
func TestKickingAHiddenPersonTellsNobody(t *testing.T) {
	e := server(t)
	k := kicker(t, e, nil)
	befriend(t, e)
	bob := integration.Connect(t, e, "bob", "pw", "b")
	bob.Say("<presence/>")
	bob.Sync()
	alice := integration.Connect(t, e, "alice", "pw", "hidden")
	alice.Query("<iq type='set' id='1'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'>" +
		"<item type='subscription' value='both' action='deny' order='1'><presence-out/></item>" +
		"<item type='subscription' value='from' action='deny' order='2'><presence-out/></item></list></query></iq>")
	active := alice.Query("<iq type='set' id='2'><query xmlns='jabber:iq:privacy'><active name='trunkline-hidden'/></query></iq>")
	require.Equal(t, "result", active.Attrs["type"], active.XML)
	alice.Say("<presence/>")
	alice.Sync()
	last := bob.Query("<iq type='get' id='last' to='alice@social.example'><query xmlns='jabber:iq:last'/></iq>")
	assert.Equal(t, "error", last.Attrs["type"], last.XML)
	_, err := k.Kick(t.Context(), "alice", reason, nil)
	require.NoError(t, err)
	alice.Expect("the end", ended)
	for _, seen := range bob.Sync() {
		assert.False(t, seen.Name.Local == "presence" && seen.Attrs["from"] == "alice@social.example/hidden", seen.XML)
	}
}

// befriend makes alice and bob subscribe to each other.
func befriend(t *testing.T, e *integration.Ejabberd) {
	t.Helper()
	alice := integration.Connect(t, e, "alice", "pw", "early")
	bob := integration.Connect(t, e, "bob", "pw", "early")
	for _, c := range []*integration.Client{alice, bob} {
		c.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
		c.Say("<presence/>")
		c.Sync()
	}
	from := func(kind string) func(integration.Element) bool {
		return func(e integration.Element) bool { return e.Attrs["type"] == kind }
	}
	bob.Say("<presence type='subscribe' to='alice@social.example'/>")
	alice.Expect("a request", from("subscribe"))
	alice.Say("<presence type='subscribed' to='bob@social.example'/><presence type='subscribe' to='bob@social.example'/>")
	bob.Expect("a request", from("subscribe"))
	bob.Say("<presence type='subscribed' to='alice@social.example'/>")
	bob.Expect("alice", func(e integration.Element) bool {
		return strings.HasSuffix(e.Attrs["from"], "/early") && e.Attrs["type"] == ""
	})
	alice.Expect("bob", func(e integration.Element) bool {
		return strings.HasSuffix(e.Attrs["from"], "/early") && e.Attrs["type"] == ""
	})
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close())
}
