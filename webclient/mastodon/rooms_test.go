package mastodon_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestResolve(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		access := mastodon.Secret("")
		if _, err := r.client.Resolve(t.Context(), access, "alice"); err != nil { // GoToSocial tells people only
			require.ErrorIs(t, err, mastodon.ErrTokenInvalid)
			access = r.login("bob").Access
		}
		for acct, id := range map[string]string{"alice": "alice", "ALICE": "alice", "dana": "dana"} {
			a, err := r.client.Resolve(t.Context(), access, acct)
			require.NoError(t, err)
			require.Equal(t, r.server.AccountID(id), a.ID)
		}
		a, err := r.client.Resolve(t.Context(), access, "erin@garden.example")
		require.NoError(t, err)
		require.False(t, a.Local())
		_, err = r.client.Resolve(t.Context(), access, "nobody")
		require.ErrorIs(t, err, mastodon.ErrNotFound)
		r.server.SetState("dana", mastodontest.Suspended)
		a, err = r.client.Resolve(t.Context(), access, "dana")
		require.NoError(t, err)
		require.True(t, a.Suspended)
	})
}

func TestRelationshipWith(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("bob")
		dana := r.server.AccountID("dana")
		rel, err := r.client.RelationshipWith(t.Context(), tok.Access, dana)
		require.NoError(t, err)
		require.Equal(t, mastodon.Relationship{ID: dana, Following: true}, rel)
		_, err = r.client.RelationshipWith(t.Context(), tok.Access, "1/../2")
		require.ErrorIs(t, err, mastodon.ErrNotFound)
	})
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `[{"id":"8","following":true}]`) })
	_, err := c.RelationshipWith(t.Context(), "t", "7")
	require.ErrorIs(t, err, mastodon.ErrNotFound, "an answer about another account")
}

func TestPublicFollows(t *testing.T) {
	for _, m := range []mastodontest.Mode{mastodontest.V46, mastodontest.V43} {
		r := newRig(t, mastodontest.Options{Mode: m}, mastodon.Config{})
		id := r.server.AccountID("alice")
		page, err := r.client.Following(t.Context(), "", id, "")
		require.NoError(t, err)
		require.Len(t, page.People, 7)
		hidden, err := r.client.HidesFollows(t.Context(), id)
		require.NoError(t, err)
		require.False(t, hidden)
		r.server.HideFollows("alice")
		page, err = r.client.Following(t.Context(), "", id, "")
		require.NoError(t, err)
		require.Empty(t, page.People)
		hidden, err = r.client.HidesFollows(t.Context(), id)
		require.NoError(t, err)
		require.True(t, hidden)
		own, err := r.client.Following(t.Context(), r.login("alice").Access, id, "")
		require.NoError(t, err)
		require.Len(t, own.People, 7, "nobody hides from themselves")
	}
	r := newRig(t, mastodontest.Options{Mode: mastodontest.GoToSocial}, mastodon.Config{})
	_, err := r.client.Following(t.Context(), "", r.server.AccountID("alice"), "")
	require.ErrorIs(t, err, mastodon.ErrTokenInvalid)
}

func TestListsWith(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		friends := r.server.MakeList("alice", "Friends", "bob", "carol")
		r.server.MakeList("bob", "Others", "carol")
		token := mastodon.Secret(r.server.IssueToken("alice", "read:lists"))
		ids, err := r.client.ListsWith(t.Context(), token, r.server.AccountID("carol"))
		require.NoError(t, err)
		require.Equal(t, []string{friends}, ids)
		ids, err = r.client.ListsWith(t.Context(), token, r.server.AccountID("dana"))
		require.NoError(t, err)
		require.Empty(t, ids)
		r.server.Unfollow("alice", "carol")
		ids, err = r.client.ListsWith(t.Context(), token, r.server.AccountID("carol"))
		require.NoError(t, err)
		require.Empty(t, ids)

		_, err = r.client.ListsWith(t.Context(), r.login("alice").Access, r.server.AccountID("carol"))
		require.ErrorIs(t, err, mastodon.ErrScope, "what people sign in with does not show their lists")
		_, err = r.client.ListsWith(t.Context(), token, "x/y")
		require.ErrorIs(t, err, mastodon.ErrNotFound)
		_, err = r.client.ListsWith(t.Context(), token, "404")
		require.ErrorIs(t, err, mastodon.ErrNotFound)
	})
}

func TestRole(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		moderates := func(name string) bool {
			role, err := r.client.Role(t.Context(), r.login(name).Access)
			require.NoError(t, err)
			return role.Moderates()
		}
		require.False(t, moderates("alice"), "everybody's role")
		for _, word := range []string{"moderator", "admin"} {
			r.server.SetRole("alice", word)
			require.True(t, moderates("alice"), word)
		}
		r.server.SetRole("alice", "user")
		require.False(t, moderates("alice"))
		_, err := r.client.Role(t.Context(), "wrong")
		require.ErrorIs(t, err, mastodon.ErrTokenInvalid)
		token := r.login("alice").Access
		r.server.SetState("alice", mastodontest.Disabled)
		_, err = r.client.Role(t.Context(), token)
		require.Error(t, err)
	})
	r := newRig(t, mastodontest.Options{}, mastodon.Config{})
	r.server.SetRole("alice", "owner")
	r.server.SetRole("bob", "emoji")
	role, err := r.client.Role(t.Context(), r.login("alice").Access)
	require.NoError(t, err)
	require.True(t, role.Moderates())
	role, err = r.client.Role(t.Context(), r.login("bob").Access)
	require.NoError(t, err)
	require.Equal(t, "moderator", role.Name)
	require.False(t, role.Moderates(), "a name that an admin gave says nothing")
}

func TestRoleShapes(t *testing.T) {
	rows := []struct {
		role      string
		moderates bool
		bad       bool
	}{
		{`{"id":"1","permissions":"16"}`, true, false},
		{`{"id":"1","permissions":"1024"}`, true, false},
		{`{"id":1,"permissions":1}`, true, false},
		{`{"id":"1","permissions":"66847"}`, true, false},
		{`{"id":"1","permissions":"66560"}`, true, false},
		{`{"id":"1","permissions":"65536"}`, false, false},
		{`{"id":"1","permissions":"-1"}`, false, true},
		{`{"id":"1","permissions":"0x10"}`, false, true},
		{`{"id":"1","permissions":"99999999999999999999999"}`, false, true},
		{`{"id":"1","permissions":null}`, false, false},
		{`{"id":"9","name":"admin"}`, false, false},
		{`{"name":"admin"}`, true, false}, // GoToSocial before 0.17.2
		{`{"name":"user"}`, false, false},
		{`null`, false, false},
		{`[]`, false, true},
	}
	for _, row := range rows {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"id":"7","username":"x","acct":"x","role":`+row.role+`}`)
		})
		role, err := c.Role(t.Context(), "t")
		require.Equal(t, row.bad, err != nil, row.role)
		require.Equal(t, row.moderates, role.Moderates(), row.role)
	}
}
