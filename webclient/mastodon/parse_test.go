package mastodon

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"mellium.im/xmpp/jid"
)

func TestXMPPAddress(t *testing.T) {
	rows := []struct{ name, value, want string }{
		{"XMPP", `<a href="xmpp:romeo@montague.example" rel="nofollow noopener me">romeo@montague.example</a>`, "romeo@montague.example"},
		{"Chat", `<a href="xmpp:romeo@montague.example?message;body=hi">write me</a>`, "romeo@montague.example"},
		{"Chat", `xmpp:Romeo@Montague.Example/balcony`, "romeo@montague.example"},
		{"Chat", `on XMPP:romeo@montague.example or by post`, "romeo@montague.example"},
		{"Chat", `xmpp:nasty%21%23%24@example.com`, "nasty!#$@example.com"}, // RFC 5122 section 2.7.2
		{"Chat", `<a href="xmpp:ji%C5%99i@%C4%8Dechy.example">x</a>`, "jiři@čechy.example"},
		{"Jabber", `juliet@capulet.example`, "juliet@capulet.example"},
		{"Jabber/XMPP", `<span>juliet@capulet.example</span>`, "juliet@capulet.example"},
		{"E-mail", `juliet@capulet.example`, ""},
		{"XMPP", `ask me`, ""},
		{"XMPP", `either a@b.example or c@d.example`, ""},
		{"XMPP", `capulet.example`, ""},
		{"Chat", `xmpp:capulet.example`, ""},
		{"Chat", `xmpp:juliet@localhost`, ""},
		{"Chat", `xmpp://guest@example.com/support@example.com?message`, ""},
		{"Chat", `xmpp:a%ZZ@b.example`, ""},
		{"Chat", `<a href="https://x.example/?xmpp:a@b.example">x</a>`, ""},
		{"Chat", `xmpp:a b@c.example`, ""},
		{"Chat", `xmpp:<script>@c.example`, ""},
		{"", "", ""},
	}
	for _, row := range rows {
		got, ok := XMPPAddress([]Field{{Name: "Web", Value: "https://x.example"}, {row.name, row.value}})
		require.Equal(t, row.want, got, "%s: %s", row.name, row.value)
		require.Equal(t, row.want != "", ok)
	}
}

// FuzzXMPPAddress: what is found is a bare JID in its normal form, and is found again
// when it is written as a URI.
func FuzzXMPPAddress(f *testing.F) {
	f.Add("XMPP", `<a href="xmpp:romeo@montague.example">x</a>`)
	f.Add("Jabber", `nurse@capulet.example`)
	f.Add("", `xmpp:nasty%21%23%24%25%28%29%2A+-.%3B=%3F%5B%5C%5D%5E_%60%7B%7C%7D~node@example.com?x`)
	f.Fuzz(func(t *testing.T, name, value string) {
		got, ok := XMPPAddress([]Field{{name, value}})
		if !ok {
			require.Empty(t, got)
			return
		}
		j, err := jid.Parse(got)
		require.NoError(t, err)
		require.Equal(t, got, j.Bare().String())
		require.NotEmpty(t, j.Localpart())
		require.False(t, strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>"'&`, r)
		}), "%q", got)
		again, ok := fromURI("xmpp:" + url.PathEscape(got) + "?message")
		require.True(t, ok)
		require.Equal(t, got, again)
	})
}

// FuzzNextPage: whatever a Link header holds, the cursor it yields is one that
// parseCursor takes, leads one page further, and no link to elsewhere yields any.
func FuzzNextPage(f *testing.F) {
	f.Add(`<https://m.example/list?max_id=5>; rel="next", <https://m.example/list?since_id=9>; rel="prev"`, "")
	f.Add(`</list?max_id=5>;rel=next;title="a,\"b"`, "2.7")
	f.Add(`<//evil.example/list?max_id=5>; rel=next`, "")
	base := &url.URL{Scheme: "https", Host: "m.example"}
	f.Fuzz(func(t *testing.T, link, from string) {
		at, err := parseCursor(from)
		if err != nil {
			return
		}
		next, err := nextPage([]string{link}, base, "/list", at)
		if err != nil || next == "" {
			return
		}
		cu, err := parseCursor(next)
		require.NoError(t, err)
		require.Equal(t, at.page+1, cu.page)
		require.NotEqual(t, at.maxID, cu.maxID)
		target, ok := relNext(link)
		require.True(t, ok)
		u, err := base.Parse(target)
		require.NoError(t, err)
		require.Equal(t, "m.example", u.Hostname())
		require.Equal(t, cu.maxID, u.Query().Get("max_id"))
	})
}

// FuzzRefusal: an error body never makes an error without a kind, with a secret, or
// unfit for a log line.
func FuzzRefusal(f *testing.F) {
	f.Add(401, []byte(`{"error":"The access token is invalid"}`), 0, "tok123")
	f.Add(400, []byte(`{"error":"invalid_grant","error_description":"tok\u0000123"}`), 1, "tok123")
	f.Add(403, []byte(`<html>`), 2, "s3cret")
	f.Fuzz(func(t *testing.T, status int, body []byte, at int, secret string) {
		if len(secret) < 6 || strings.Contains(redacted, secret) || strings.Contains(secret, redacted) {
			return
		}
		const op = "0"
		e := refusal(&call{op: op, realm: realm(((at % 3) + 3) % 3), secrets: []string{secret}}, status, body)
		require.NotNil(t, e.Kind)
		require.LessOrEqual(t, utf8.RuneCountInString(e.Detail), maxDetail+1)
		require.NotContains(t, e.Detail, secret)
		require.NotContains(t, e.Code, secret)
		require.True(t, utf8.ValidString(e.Error()))
		require.False(t, strings.ContainsFunc(e.Error(), unicode.IsControl), "%q", e.Error())
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	rows := []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, time.Minute},
		{http.Header{"X-Ratelimit-Reset": {"2026-11-01T12:02:30.500000Z"}}, 150*time.Second + 500*time.Millisecond},
		{http.Header{"X-Ratelimit-Reset": {"2026-11-01T11:00:00Z"}}, time.Second},
		{http.Header{"X-Ratelimit-Reset": {"2027-11-01T11:00:00Z"}}, 15 * time.Minute},
		{http.Header{"X-Ratelimit-Reset": {"1793534430"}}, 30 * time.Second},
		{http.Header{"X-Ratelimit-Reset": {"soon"}}, time.Minute},
		{http.Header{"Retry-After": {"7"}, "X-Ratelimit-Reset": {"2026-11-01T12:02:30Z"}}, 7 * time.Second},
		{http.Header{"Retry-After": {"-7"}}, time.Second},
		{http.Header{"Retry-After": {"99999999999999999999"}}, time.Minute},
		{http.Header{"Retry-After": {"Sun, 01 Nov 2026 12:00:09 GMT"}}, 9 * time.Second},
		{http.Header{"Date": {"Sun, 01 Nov 2026 11:00:00 GMT"}, "X-Ratelimit-Reset": {"2026-11-01T11:00:20Z"}}, 20 * time.Second},
	}
	for _, row := range rows {
		require.Equal(t, row.want, retryAfter(row.header, now), "%v", row.header)
	}
}
