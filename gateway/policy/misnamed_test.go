package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnotherResourceAsSenderIsTakenOut and the stanza judged like any other; who else is named is the server's to refuse.
func TestAnotherResourceAsSenderIsTakenOut(t *testing.T) {
	const asks = "<iq xmlns='jabber:client' FROM id='1' to='social.example' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
	const types = "<message xmlns='jabber:client' FROM to='juliet@capulet.example' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
	s := bound(t, nobody, true)
	with := func(frame, from string) string { return strings.Replace(frame, "FROM", "from='"+from+"'", 1) }
	without := func(frame string) string { return strings.Replace(frame, " FROM", "", 1) }

	v := client(t, s, with(asks, s.state.Bare+"/other"))
	require.Equal(t, Replace, v.Action)
	require.Equal(t, without(asks), string(v.Frame))
	require.Equal(t, "from", v.Reason)
	for _, from := range []string{s.JID(), s.state.Bare, "juliet@capulet.example/x", "romeo@elsewhere.example/x", ""} {
		require.Equal(t, Pass, client(t, s, with(asks, from)).Action, from)
	}
	v = client(t, s, with(types, s.state.Bare+"/other"))
	require.Equal(t, client(t, s, without(types)).Reason, v.Reason)
	requireHeld(t, v.Frame)
	require.NotContains(t, string(v.Frame), "other")
}
