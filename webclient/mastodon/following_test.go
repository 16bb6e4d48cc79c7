package mastodon_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestFollowingToTheEnd(t *testing.T) {
	for _, m := range modes {
		for _, n := range []int{0, 73, 74, 2000} { // with seven everybody has: 80 is one full page
			t.Run(fmt.Sprint(m, "/", n), func(t *testing.T) {
				r := newRig(t, mastodontest.Options{Mode: m, Follows: n}, mastodon.Config{})
				tok := r.login("alice")
				id := r.server.AccountID("alice")
				seen := map[string]bool{}
				var last mastodon.Account
				calls, cursor := 0, ""
				for done := false; !done; done = cursor == "" {
					page, err := r.client.Following(t.Context(), tok.Access, id, cursor)
					require.NoError(t, err)
					calls++
					require.Equal(t, 300, page.Rate.Limit)
					require.False(t, page.Rate.Reset.IsZero())
					for _, p := range page.People {
						require.False(t, seen[p.ID], "%s twice", p.Acct)
						seen[p.ID], last = true, p
					}
					cursor = page.Next
				}
				require.Len(t, seen, n+7)
				require.Equal(t, "news@press.example", last.Acct, "the oldest follow comes last")
				require.True(t, last.Bot)
				require.LessOrEqual(t, calls, (n+7)/80+2)
			})
		}
	}
}

func TestWhoCanBeReached(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("alice")
		page, err := r.client.Following(t.Context(), tok.Access, r.server.AccountID("alice"), "")
		require.NoError(t, err)
		got := map[string]string{}
		for _, p := range page.People {
			address, _ := mastodon.XMPPAddress(p.Fields)
			got[p.Acct] = fmt.Sprint(p.Local(), " ", address)
		}
		require.Equal(t, map[string]string{
			"bob": "true ", "carol": "true ", "Dana": "true ", "farid@photos.example": "false ", "news@press.example": "false ",
			"erin@garden.example": "false erin@chat.garden.example", "gwen@bücher.example": "false gwen@bücher.example",
		}, got)
	})
}

func TestRelationships(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		tok := r.login("bob")
		ids := []string{r.server.AccountID("alice"), r.server.AccountID("carol"), r.server.AccountID("dana")}
		rs, err := r.client.Relationships(t.Context(), tok.Access, ids)
		require.NoError(t, err)
		require.Equal(t, []mastodon.Relationship{
			{ID: ids[0], Following: true, FollowedBy: true}, {ID: ids[1], Following: true, FollowedBy: true}, {ID: ids[2], Following: true},
		}, rs)
		rs, err = r.client.Relationships(t.Context(), tok.Access, slices.Repeat(ids, 40))
		require.NoError(t, err)
		require.Len(t, rs, 120)
	})
}

func TestInstance(t *testing.T) {
	eachMode(t, func(t *testing.T, r *rig) {
		in, err := r.client.Instance(t.Context())
		require.NoError(t, err)
		require.Equal(t, "social.example", in.Domain)
		require.Equal(t, "Social Example", in.Title)
		require.NotEmpty(t, in.Version)
	})
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2/instance" {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error":"Not Found"}`)
			return
		}
		io.WriteString(w, `{"domain":"Only-V2.example","title":"Two","version":"9","thumbnail":{"url":"x"}}`)
	})
	in, err := c.Instance(t.Context())
	require.NoError(t, err)
	require.Equal(t, mastodon.Instance{Title: "Two", Domain: "only-v2.example", Version: "9"}, in)
}

const onePerson = `[{"id":"7","username":"x","acct":"x@y.example"}]`

func TestPagingLinks(t *testing.T) {
	const path = "/api/v1/accounts/1/following"
	rows := []struct {
		name, cursor, link, next string
		want                     error
	}{
		{"none", "", "", "", nil},
		{"only prev", "", `<%s` + path + `?since_id=9>; rel="prev"`, "", nil},
		{"next", "", `<%s` + path + `?max_id=40&limit=80>; rel="next", <%[1]s` + path + `?since_id=9>; rel="prev"`, "1.40", nil},
		{"relative", "", `<` + path + `?max_id=40>; rel=next`, "1.40", nil},
		{"onwards", "3.40", `<%s` + path + `?max_id=39>; rel="prev next"`, "4.39", nil},
		{"ULID", "3.01HV3B8Q2R000000000000000B", `<%s` + path + `?max_id=01HV3B8Q2R000000000000000A>; rel="next"`, "4.01HV3B8Q2R000000000000000A", nil},
		{"the same again", "3.40", `<%s` + path + `?max_id=40>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"backwards", "3.40", `<%s` + path + `?max_id=100>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"another origin", "", `<https://evil.example` + path + `?max_id=40>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"another port", "", `<http://127.0.0.1:1` + path + `?max_id=40>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"another list", "", `<%s/api/v1/accounts/2/following?max_id=40>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"no max_id", "", `<%s` + path + `?page=2>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"endless", "1000.40", `<%s` + path + `?max_id=39>; rel="next"`, "", mastodon.ErrNotMastodon},
		{"cursor made up", "x", "", "", mastodon.ErrBadCursor},
		{"cursor with a path", "1.../..", "", "", mastodon.ErrBadCursor},
		{"cursor with a query", "1.4&since_id=2", "", "", mastodon.ErrBadCursor},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if row.link != "" {
					link := row.link
					if row.link[:3] == "<%s" {
						link = fmt.Sprintf(row.link, "http://"+r.Host)
					}
					w.Header().Set("Link", link)
				}
				io.WriteString(w, onePerson)
			})
			page, err := c.Following(t.Context(), "t", "1", row.cursor)
			require.ErrorIs(t, err, row.want)
			require.Equal(t, row.next, page.Next)
			require.Equal(t, row.want == nil, len(page.People) == 1)
		})
	}
}

func TestFollowingTakesOddPeople(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[null, {"id":"a/b","username":"x","acct":"x"}, {"id":"1"}, {"id":"2","username":"y","acct":"y",
			"avatar":"javascript:alert(1)","url":"data:text/html,x","display_name":" a\u0000b\nc "}]`)
	})
	page, err := c.Following(t.Context(), "t", "1", "")
	require.NoError(t, err)
	require.Equal(t, []mastodon.Account{{ID: "2", Username: "y", Acct: "y", DisplayName: "ab c"}}, page.People)
	_, err = c.Following(t.Context(), "t", "../2", "")
	require.ErrorIs(t, err, mastodon.ErrBadCursor)
}
