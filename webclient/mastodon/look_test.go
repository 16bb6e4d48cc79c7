package mastodon_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestLook(t *testing.T) {
	for _, mode := range []mastodontest.Mode{mastodontest.V46, mastodontest.V43} {
		r := newRig(t, mastodontest.Options{Mode: mode}, mastodon.Config{})
		id := r.server.AccountID("alice")
		for state, want := range map[mastodontest.State]mastodon.Account{
			mastodontest.Active: {}, mastodontest.Disabled: {}, // a frozen login does not show
			mastodontest.Suspended: {Suspended: true}, mastodontest.Moved: {Moved: true},
		} {
			r.server.SetState("alice", state)
			a, err := r.client.Look(t.Context(), "", id)
			require.NoError(t, err, state)
			require.Equal(t, want.Suspended, a.Suspended, state)
			require.Equal(t, want.Moved, a.Moved, state)
		}
		for _, state := range []mastodontest.State{mastodontest.Deleted, mastodontest.Unconfirmed, mastodontest.Pending} {
			r.server.SetState("alice", state)
			_, err := r.client.Look(t.Context(), "", id)
			require.ErrorIs(t, err, mastodon.ErrNotFound, state)
		}
		_, err := r.client.Look(t.Context(), "", "1/../2")
		require.ErrorIs(t, err, mastodon.ErrNotFound)
	}
}

func TestLookWhereStrangersAreNotAnswered(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		id := r.server.AccountID("alice")
		r.server.SetClosed(mastodontest.ClosedToStrangers)
		_, err := r.client.Look(t.Context(), "", id)
		require.ErrorIs(t, err, mastodon.ErrClosed)
		_, err = r.client.LocalPerson(t.Context(), "", "alice")
		require.ErrorIs(t, err, mastodon.ErrClosed)

		token, err := r.client.AppToken(t.Context(), r.register())
		require.NoError(t, err)
		require.NotEmpty(t, string(token))
		_, err = r.client.Look(t.Context(), token, id)
		if t.Name() == "TestLookWhereStrangersAreNotAnswered/gotosocial" {
			require.ErrorIs(t, err, mastodon.ErrClosed)
			return
		}
		require.NoError(t, err)
		r.server.SetClosed(mastodontest.ClosedToApps)
		_, err = r.client.Look(t.Context(), token, id)
		require.ErrorIs(t, err, mastodon.ErrClosed)
	})
}

func TestLocalPerson(t *testing.T) {
	r := newRig(t, mastodontest.Options{}, mastodon.Config{})
	for name, found := range map[string]bool{
		"alice": true, "ALICE": true, "nobody": false, "erin@garden.example": false, "alice@social.example": false,
		"": false, "a b": false, "../alice": false, "a?acct=bob": false,
	} {
		a, err := r.client.LocalPerson(t.Context(), "", name)
		if !found {
			require.ErrorIs(t, err, mastodon.ErrNotFound, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, r.server.AccountID("alice"), a.ID)
	}
	r.server.SetState("alice", mastodontest.Deleted)
	_, err := r.client.LocalPerson(t.Context(), "", "alice")
	require.NoError(t, err, "the name stays taken")
	r.server.SetDown(mastodontest.Down503)
	_, err = r.client.LocalPerson(t.Context(), "", "alice")
	require.ErrorIs(t, err, mastodon.ErrDown)
}

func TestBusy(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 1, 0, 0, time.UTC)
	now := func() time.Time { return at }
	r := newRig(t, mastodontest.Options{Now: now}, mastodon.Config{Now: now})
	tok := r.login("alice")
	id := r.server.AccountID("alice")
	look := func() {
		_, err := r.client.Look(t.Context(), "", id)
		require.NoError(t, err)
	}
	for range 239 {
		look()
	}
	require.Zero(t, r.client.PublicBusy(), "61 are left")
	look()
	require.Equal(t, 4*time.Minute, r.client.PublicBusy(), "a fifth is left for what people wait for")
	require.Zero(t, r.client.PersonsBusy(), "a person's token has a limit of its own")
	at = at.Add(4 * time.Minute)
	require.Zero(t, r.client.PublicBusy())

	r.server.RateLimitNext(1)
	_, err := r.client.VerifyCredentials(t.Context(), tok.Access)
	require.ErrorIs(t, err, mastodon.ErrRateLimited)
	require.Positive(t, r.client.PersonsBusy())
	require.Zero(t, r.client.PublicBusy())
}
