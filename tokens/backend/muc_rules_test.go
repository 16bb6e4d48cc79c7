package backend

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoomRules(t *testing.T) {
	rules, err := parseRooms([]Room{
		{JID: "Tea@Rooms.example.org", Allow: []string{"account:Alice", "account:Bob@Other.example", "followers:dana@photos.example", "list:01HV@alice"}},
		{JID: "staff", Allow: []string{"moderators", "list:42@Carol", "mutuals:ALICE"}},
		{JID: "*@rooms.example.org", Allow: []string{"local"}},
		{JID: "*@open.example.org"},
		{JID: "*", Allow: []string{"local"}},
	}, "example.org")
	require.NoError(t, err)
	require.Len(t, rules, 5)
	require.Equal(t, roomRule{written: "Tea@Rooms.example.org", local: "tea", domain: "rooms.example.org", allow: []grant{
		{kind: "account", account: "alice@example.org", written: "account:Alice"},
		{kind: "account", account: "bob@other.example", written: "account:Bob@Other.example"},
		{kind: "followers", account: "dana@photos.example", written: "followers:dana@photos.example"},
		{kind: "list", list: "01HV", account: "alice", written: "list:01HV@alice"},
	}}, rules[0])
	require.Equal(t, []grant{{kind: "moderators", written: "moderators"},
		{kind: "list", list: "42", account: "carol", written: "list:42@Carol"}, {kind: "mutuals", account: "alice", written: "mutuals:ALICE"}}, rules[1].allow)
	require.Equal(t, roomRule{written: "*", local: "*", allow: []grant{{kind: "local", written: "local"}}}, rules[4])

	first := func(local, domain string) string {
		for _, r := range rules {
			if r.fits(local, domain) {
				return r.written
			}
		}
		return ""
	}
	require.Equal(t, "Tea@Rooms.example.org", first("tea", "rooms.example.org"))
	require.Equal(t, "*", first("tea", "other.example.org"))
	require.Equal(t, "staff", first("staff", "rooms.example.org"))
	require.Equal(t, "*@rooms.example.org", first("teapot", "rooms.example.org"))
	require.Equal(t, "*@open.example.org", first("x", "open.example.org"))
}

func TestRoomMistakesAreNamed(t *testing.T) {
	word := func(s string) []Room { return []Room{{JID: "tea@r.example", Allow: []string{s}}} }
	rows := []struct {
		rooms []Room
		want  string
	}{
		{[]Room{{JID: ""}}, "address of a room"},
		{[]Room{{JID: "@r.example"}}, "address of a room"},
		{[]Room{{JID: "tea@"}}, "address of a room"},
		{[]Room{{JID: "tea*@r.example"}}, "address of a room"},
		{[]Room{{JID: "t*"}}, "address of a room"},
		{[]Room{{JID: "**@r.example"}}, "address of a room"},
		{[]Room{{JID: "tea@*"}}, "address of a room"},
		{[]Room{{JID: "tea room@r.example"}}, "address of a room"},
		{[]Room{{JID: "tea@r.example/nick"}}, "address of a room"},
		{[]Room{{JID: "a@b@r.example"}}, "address of a room"},
		{[]Room{{JID: "tea@r.example"}, {JID: "TEA@r.example"}}, "never counts"},
		{[]Room{{JID: "*@r.example"}, {JID: "tea@r.example"}}, `"*@r.example" before it`},
		{[]Room{{JID: "*"}, {JID: "*@r.example"}}, "never counts"},
		{[]Room{{JID: "tea"}, {JID: "tea@r.example"}}, "never counts"},
		{[]Room{{JID: "tea@r.example", Allow: make([]string, maxGrants+1)}}, "more than 32"},
		{word(""), "none of local"},
		{word("everybody"), "none of local"},
		{word("Local"), "none of local"},
		{word("local:"), "none of local"},
		{word("local:alice"), "none of local"},
		{word("moderators:alice"), "none of local"},
		{word("followers"), "none of local"},
		{word("followers:"), "a name is expected"},
		{word("followers:@alice"), "a name is expected"},
		{word("mutuals:alice@"), "a name is expected"},
		{word("account:*"), "a name is expected"},
		{word("account:*@other.example"), "a name is expected"},
		{word("account:a:b"), "a name is expected"},
		{word("account:bob@other.example/phone"), "a name is expected"},
		{word("list:alice"), "is not a list"},
		{word("list:42"), "is not a list"},
		{word("list:42@"), "is not a list"},
		{word("list:@alice"), "is not a list"},
		{word("list:../x@alice"), "is not a list"},
		{word("list:42@bob@other.example"), "is not a list"},
	}
	for _, row := range rows {
		_, err := parseRooms(row.rooms, "example.org")
		require.ErrorContains(t, err, row.want, "%v", row.rooms)
		require.ErrorContains(t, err, "backend: room ")
	}
	_, err := parseRooms([]Room{{JID: "a@b", Allow: []string{"x"}}, {JID: "ok@b"}, {JID: "c d@b"}}, "example.org")
	require.ErrorContains(t, err, `room "a@b"`)
	require.ErrorContains(t, err, `room "c d@b"`, "every mistake at once")
}

// FuzzRoom: a rule that was read is read the same from its normal form, and fits
// nothing but what it says.
func FuzzRoom(f *testing.F) {
	for _, row := range [][2]string{{"tea@rooms.example.org", "followers:alice"}, {"*", "local"}, {"*@r.example", "list:42@alice"},
		{"TEA", "account:Bob@Other.example"}, {"ﬁ@r.example", "mutuals:é"}, {"a\u200d@x", "moderators"}} {
		f.Add(row[0], row[1])
	}
	f.Fuzz(func(t *testing.T, jid, word string) {
		rule, err := parseRoom(Room{JID: jid, Allow: []string{word}}, "example.org")
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, rule.local)
		require.True(t, rule.local == "*" || !strings.ContainsAny(rule.local, "*@/"))
		require.NotContains(t, rule.domain, "*")
		written := rule.local
		if rule.domain != "" {
			written += "@" + rule.domain
		}
		g := rule.allow[0]
		normal := g.kind
		switch g.kind {
		case grantList:
			normal += ":" + g.list + "@" + g.account
		case grantFollowers, grantMutuals, grantAccount:
			normal += ":" + g.account
		}
		again, err := parseRoom(Room{JID: written, Allow: []string{normal}}, "example.org")
		require.NoError(t, err, "%q %q", written, normal)
		require.Equal(t, rule.local, again.local)
		require.Equal(t, rule.domain, again.domain)
		require.Equal(t, g.kind, again.allow[0].kind)
		require.Equal(t, g.account, again.allow[0].account)
		require.True(t, rule.covers(again))
		require.Equal(t, rule.local == "*", rule.fits("some other room", rule.domain))
	})
}
