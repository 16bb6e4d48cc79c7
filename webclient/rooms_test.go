package webclient

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// says is an answer as one word.
func says(yes bool, err error) string {
	switch {
	case err != nil:
		return "cannot tell"
	case yes:
		return "yes"
	}
	return "no"
}

// forgetToken is what becomes of a token when the last login of its owner ends.
func (w *world) forgetToken(name string) {
	w.t.Helper()
	_, err := w.db.ExecContext(w.t.Context(), `UPDATE accounts SET mastodon_token = NULL WHERE username = $1`, name)
	require.NoError(w.t, err)
}

// noToken is what can be told of people who have not signed in: on GoToSocial
// nothing is public.
func (w *world) noToken(mastodonSays string) string {
	if w.instance.Mode() == mastodontest.GoToSocial {
		return "cannot tell"
	}
	return mastodonSays
}

func TestRoomsLocalPeople(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.in("alice")
		require.Equal(t, "yes", says(NewRooms(w.s, "").Local(ctx, "alice")))
		require.Equal(t, w.noToken("yes"), says(NewRooms(w.s, "").Local(ctx, "bob")))
		require.Equal(t, w.noToken("no"), says(NewRooms(w.s, "").Local(ctx, "nobody")))
		r := NewRooms(w.s, w.instance.IssueToken("carol", "read:accounts"))
		for name, want := range map[string]string{"alice": "yes", "ALICE": "yes", "bob": "yes", "dana": "yes", "nobody": "no",
			"erin@garden.example": "no", "": "no", "a b": "no", "../x": "no"} {
			require.Equal(t, want, says(r.Local(ctx, name)), name)
		}
		for column, value := range map[string]string{"suspended_at": "1", "blocked_at": "1"} {
			_, err := w.db.ExecContext(ctx, `UPDATE accounts SET `+column+` = `+value+` WHERE username = 'alice'`)
			require.NoError(t, err)
			require.Equal(t, "no", says(r.Local(ctx, "alice")), "at once: %s", column)
			_, err = w.db.ExecContext(ctx, `UPDATE accounts SET `+column+` = NULL WHERE username = 'alice'`)
			require.NoError(t, err)
			require.Equal(t, "yes", says(r.Local(ctx, "alice")))
		}
		w.instance.SetState("bob", mastodontest.Suspended)
		w.instance.SetState("carol", mastodontest.Moved)
		w.clock.advance(roomFresh)
		require.Equal(t, "no", says(r.Local(ctx, "bob")))
		require.Equal(t, "no", says(r.Local(ctx, "carol")))
	})
}

func TestRoomsFollows(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ask := func(who, whom string) string { return says(NewRooms(w.s, "").Follows(ctx, who, whom)) }
		truth := map[[2]string]string{{"alice", "bob"}: "yes", {"bob", "alice"}: "yes", {"alice", "dana"}: "yes", {"dana", "carol"}: "no", {"dana", "bob"}: "no", {"bob", "dana"}: "yes",
			{"bob", "erin@garden.example"}: "yes", {"bob", "news@press.example"}: "no", {"carol", "dana"}: "no", {"dana", "alice"}: "yes"}
		for pair, want := range truth {
			require.Equal(t, w.noToken(want), ask(pair[0], pair[1]), "nobody has signed in: %v", pair)
		}
		for _, name := range []string{"alice", "bob", "carol"} {
			w.in(name)
		}
		for pair, want := range truth { // dana has not, but those she is asked about have
			require.Equal(t, want, ask(pair[0], pair[1]), pair)
		}
		require.Equal(t, "yes", ask("Bob", "Alice@Social.example"))
		w.forgetToken("bob")
		require.Equal(t, "yes", ask("bob", "alice"), "by alice's")
		require.Equal(t, w.noToken("yes"), ask("bob", "erin@garden.example"))
		require.Equal(t, w.noToken("no"), ask("bob", "nobody"))
		require.Equal(t, "no", ask("alice", "nobody"))
		require.NotEqual(t, "yes", ask("erin@garden.example", "nobody"))
		require.Equal(t, "cannot tell", ask("erin@garden.example", "dana"), "whom remote people follow is only told to themselves and those")
	})
}

func TestRoomsHiddenAndLongLists(t *testing.T) {
	w := newWorld(t, mastodontest.Options{RateLimit: -1}, nil)
	ctx, r := t.Context(), NewRooms(w.s, "")
	w.instance.HideFollows("bob")
	_, err := r.Follows(ctx, "bob", "alice")
	require.ErrorContains(t, err, "hidden")
	w.instance.AddFollows("carol", 80*maxPublicPages)
	require.Equal(t, "cannot tell", says(r.Follows(ctx, "carol", "alice")), "she is on the last page")
	_, err = r.Follows(ctx, "carol", "dana")
	require.ErrorContains(t, err, "follows more than 800 people")
	w.in("carol")
	require.Equal(t, "yes", says(r.Follows(ctx, "carol", "alice")))
}

func TestRoomsLists(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		friends := w.instance.MakeList("alice", "Friends", "bob", "dana")
		other := w.instance.MakeList("bob", "Others", "carol")
		for _, name := range []string{"alice", "bob", "carol", "dana"} {
			if name != "dana" { // who cannot sign in at the stand-in
				w.in(name)
			}
		}
		_, err := NewRooms(w.s, "").InList(ctx, friends, "alice", "bob")
		require.ErrorIs(t, err, errNoRoomToken, "a login asks for no lists")

		r := NewRooms(w.s, w.instance.IssueToken("alice", "read:lists"))
		require.Equal(t, "yes", says(r.InList(ctx, friends, "alice", "bob")))
		require.Equal(t, "yes", says(r.InList(ctx, friends, "ALICE", "Bob")))
		require.Equal(t, "no", says(r.InList(ctx, friends, "alice", "carol")))
		require.Equal(t, "no", says(r.InList(ctx, other, "bob", "carol")), "a list that the token does not show")
		require.Equal(t, "no", says(r.InList(ctx, "999", "alice", "bob")))
		require.Equal(t, "cannot tell", says(NewRooms(w.s, "revoked").InList(ctx, friends, "alice", "bob")))
		w.instance.Unfollow("alice", "bob")
		require.Equal(t, "yes", says(r.InList(ctx, friends, "alice", "bob")), "remembered")
		w.clock.advance(roomFresh)
		require.Equal(t, "no", says(r.InList(ctx, friends, "alice", "bob")))
	})
}

// Where a login was granted more, for example all of read, nothing else is needed.
func TestRoomsListsByTheStoredToken(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		friends := w.instance.MakeList("alice", "Friends", "bob")
		w.in("alice")
		w.in("bob")
		id := w.instance.AccountID("alice")
		sealed, err := w.s.keys.seal(tokenPurpose(id), []byte(w.instance.IssueToken("alice", "read")))
		require.NoError(t, err)
		_, err = w.db.ExecContext(t.Context(), `UPDATE accounts SET mastodon_token = $1, token_scopes = 'read' WHERE id = $2`, sealed, id)
		require.NoError(t, err)
		require.Equal(t, "yes", says(NewRooms(w.s, "").InList(t.Context(), friends, "alice", "bob")))
	})
}

// A token of the list's owner that may read more also says who follows them, when
// nobody of the two is signed in.
func TestRoomsExtraTokenForFollows(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := NewRooms(w.s, w.instance.IssueToken("alice", "read:lists", "read:accounts", "read:follows"))
		require.Equal(t, "yes", says(r.Follows(ctx, "bob", "alice")))
		require.Equal(t, "yes", says(r.Follows(ctx, "alice", "bob")))
		require.Equal(t, "yes", says(r.Follows(ctx, "dana", "alice")))
		w.instance.HideFollows("bob")
		require.Equal(t, "cannot tell", says(r.Follows(ctx, "bob", "carol")), "it is about others")
		require.Equal(t, "yes", says(r.Local(ctx, "bob")))
		w.clock.advance(roomStale)
		w.instance.RevokeTokens("alice")
		w.in("bob")
		require.Equal(t, "yes", says(r.Follows(ctx, "bob", "alice")), "a token that has ended stands in nobody's way")
	})
}

func TestRoomsModerators(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.instance.SetRole("alice", "moderator")
		w.instance.SetRole("bob", "admin")
		ask := func(name string) string { return says(NewRooms(w.s, "").Moderator(ctx, name)) }
		require.Equal(t, "cannot tell", ask("alice"), "only she can say")
		for _, name := range []string{"alice", "bob", "carol"} {
			w.in(name)
		}
		for name, want := range map[string]string{"alice": "yes", "Bob": "yes", "carol": "no", "dana": "cannot tell", "erin@garden.example": "cannot tell"} {
			require.Equal(t, want, ask(name), name)
		}
		w.instance.SetRole("alice", "user")
		require.Equal(t, "no", ask("alice"))
		w.instance.RevokeTokens("bob")
		require.Equal(t, "cannot tell", ask("bob"))
	})
}

func TestRoomsWhileMastodonIsAway(t *testing.T) {
	for _, down := range []mastodontest.Down{mastodontest.Down503, mastodontest.DownHTML} {
		t.Run(string(down), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			ctx := t.Context()
			friends := w.instance.MakeList("alice", "Friends", "bob")
			w.instance.SetRole("alice", "moderator")
			w.in("alice")
			r := NewRooms(w.s, w.instance.IssueToken("alice", "read:lists"))
			all := func() string {
				return fmt.Sprint(says(r.Local(ctx, "dana")), ", ", says(r.Follows(ctx, "alice", "bob")), ", ",
					says(r.InList(ctx, friends, "alice", "bob")), ", ", says(r.Moderator(ctx, "alice")))
			}
			require.Equal(t, "yes, yes, yes, yes", all())
			w.instance.SetDown(down)
			require.Equal(t, "yes, yes, yes, yes", all(), "fresh")
			w.clock.advance(roomStale - time.Second)
			require.Equal(t, "yes, yes, yes, yes", all(), "the last known")
			w.clock.advance(time.Second)
			require.Equal(t, "cannot tell, cannot tell, cannot tell, cannot tell", all())
			require.Equal(t, "yes", says(r.Local(ctx, "alice")), "what we know ourselves")
			w.instance.SetDown(mastodontest.DownNo)
			require.Equal(t, "yes, yes, yes, yes", all())
		})
	}
}

func TestRoomsGiveUpWithTheQuestion(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	w.instance.SetDown(mastodontest.DownHang)
	t.Cleanup(func() { w.instance.SetDown(mastodontest.DownNo) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := NewRooms(w.s, "").Follows(ctx, "alice", "bob")
	require.Error(t, err)
	require.Less(t, w.instance.Counters().APICalls, 3)
}

func TestRoomsRateLimit(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	w.instance.RateLimitNext(1)
	require.Equal(t, "yes", says(NewRooms(w.s, "").Follows(t.Context(), "alice", "bob")), "another way is left")
	w.instance.RateLimitNext(1)
	_, err := NewRooms(w.s, "").Moderator(t.Context(), "alice")
	require.ErrorIs(t, err, mastodon.ErrRateLimited)
}

func TestRoomsMemoryIsBounded(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	r := NewRooms(w.s, "")
	for i := range maxRoomAnswers + maxRoomAnswers/2 {
		if i == maxRoomAnswers/2 {
			w.clock.advance(time.Second)
		}
		r.keep(fmt.Sprint("question ", i), true)
		require.LessOrEqual(t, len(r.answers), maxRoomAnswers)
	}
	require.Greater(t, len(r.answers), maxRoomAnswers/2)
	_, known := r.recall(fmt.Sprint("question ", maxRoomAnswers+maxRoomAnswers/2-1))
	require.True(t, known, "the newest stays")
	w.clock.advance(roomStale)
	r.keep("another", true)
	for i := range maxRoomAnswers {
		r.keep(fmt.Sprint("again ", i), true)
	}
	require.LessOrEqual(t, len(r.answers), maxRoomAnswers)
}

// Whom people follow, their lists and tokens are nobody's business.
func TestRoomsSayNothingSecret(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	token := w.instance.IssueToken("alice", "read:lists")
	r := NewRooms(w.s, token)
	w.instance.SetDown(mastodontest.DownHTML)
	_, err := r.InList(t.Context(), "1", "alice", "bob")
	require.Error(t, err)
	require.NotContains(t, err.Error()+w.log.String(), token)
}
