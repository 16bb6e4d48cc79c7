package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A hidden client may decline the list for what it keeps from getting through, and nothing shows meanwhile.
func TestWalkWhileHidden(t *testing.T) {
	s := bound(t, nobody, true)
	require.Nil(t, s.Farewell(), "never present")
	client(t, s, "<presence/>")
	require.Equal(t, "<presence xmlns='jabber:client' type='unavailable'/>", string(s.Farewell()))
	require.Equal(t, "privacy-decline", client(t, s, useNone).Reason, "contacts would see the session")
	client(t, s, "<presence type='unavailable'/>")
	require.Nil(t, s.Farewell())
	stepOver(t, s, useNone, true)
	require.True(t, s.Settled(), "nothing shows")
	require.Equal(t, "presence-held", client(t, s, "<presence/>").Reason)

	b, err := s.Snapshot()
	require.NoError(t, err)
	r, err := Restore(Config{Identity: romeo, Aware: true, Rand: entropy(9)}, b)
	require.NoError(t, err, "the walk goes on after a resumption")
	require.Equal(t, "presence-held", client(t, r, "<presence/>").Reason)
	require.Equal(t, Verdict{}, client(t, r, "<presence type='unsubscribed' to='juliet@capulet.example'/>"))
	stepOver(t, r, useOurs, true)
	require.Equal(t, Verdict{}, client(t, r, "<presence/>"))
	require.NotNil(t, r.Farewell())

	require.Equal(t, AwaitWalk, s.SetConsent(contacts), "presence was held")
	client(t, s, "<presence/>")
	require.Equal(t, AwaitWalk, s.SetConsent(nobody), "the decline of then counts no more")
}

// A decline that failed leaves the list where it was, one that works late holds presence at once.
func TestDeclineWhileHiddenThatFails(t *testing.T) {
	s := bound(t, nobody, true)
	stepOver(t, s, useNone, false)
	require.True(t, s.state.ListActive)
	require.Equal(t, Verdict{}, client(t, s, "<presence/>"))
	require.Equal(t, "presence-subscription-listed", client(t, s, "<presence type='subscribe' to='juliet@capulet.example'/>").Reason)
}

func TestWaiting(t *testing.T) {
	s := start(t, nobody, true)
	require.False(t, s.Waiting())
	client(t, s, bindRequest)
	require.True(t, s.Waiting())
	v := server(t, s, bindResult)
	require.Equal(t, Verdict{}, server(t, s, "<message from='social.example'><body>welcome</body></message>"))
	require.True(t, s.Waiting(), "the list is under way")
	for _, frame := range v.Inject {
		require.True(t, s.Waiting())
		s.FromServer(parse(t, answer(t, frame, true)))
	}
	require.False(t, s.Waiting())
}
