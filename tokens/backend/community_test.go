package backend

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// community reads one of the configurations for modules that are not in Debian, and
// the options in it that are strings.
func community(t *testing.T, name string) (text string, options map[string]string) {
	t.Helper()
	raw, err := os.ReadFile("../../contrib/prosody/community/" + name)
	require.NoError(t, err)
	options = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) = "([^"]*)"$`).FindAllStringSubmatch(string(raw), -1) {
		options[m[1]] = m[2]
	}
	return string(raw), options
}

// private is the private listener with all fronts of this kind, where the example
// configuration has it.
func private(t *testing.T) http.Handler {
	t.Helper()
	d := newDesk()
	core := d.core(t, "example.org")
	oauth, err := OAuth(core, d, OAuthConfig{ClientID: "prosody", Secret: []byte("THE-OAUTH-SECRET"), Now: oauthNow})
	require.NoError(t, err)
	rooms, err := MUC(core, []Room{{JID: "*@rooms.example.org", Allow: []string{"local"}}, {JID: "*@groups.example.org", Allow: []string{"local"}}},
		newCircle(), []byte("THE-MUC-SECRET"))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/prosody/", AuthHTTP(core, "prosody", []byte("THE-AUTH-HTTP-SECRET")))
	mux.Handle("/oauth/", oauth)
	mux.Handle("/muc/authorize", rooms)
	return mux
}

// do makes a request as net.http of Prosody does.
func do(t *testing.T, h http.Handler, method, to, body string, prepare func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8081", u.Host, "the default of server.private_listen")
	r := httptest.NewRequest(method, to, strings.NewReader(body))
	prepare(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The files that the documentation tells people to copy are taken at their word.
func TestCommunityConfigurations(t *testing.T) {
	h := private(t)

	_, o := community(t, "auth_http.cfg.lua")
	user, secret, _ := strings.Cut(o["http_auth_credentials"], ":")
	query := url.Values{"user": {"alice"}, "server": {"example.org"}, "pass": {alicesPassword}}
	w := do(t, h, "GET", o["http_auth_url"]+"/check_password?"+query.Encode(), "", func(r *http.Request) { r.SetBasicAuth(user, secret) })
	require.True(t, isYes(w.Code, w.Body.String()))

	_, o = community(t, "oauth_external.cfg.lua")
	form := url.Values{"grant_type": {"password"}, "client_id": {o["oauth_external_client_id"]}, "client_secret": {o["oauth_external_client_secret"]},
		"username": {"alice"}, "password": {alicesPassword}, "scope": {o["oauth_external_scope"]}}
	w = do(t, h, "POST", o["oauth_external_token_endpoint"], form.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	})
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	token := decode[tokenAnswer](t, w)
	require.Equal(t, o["oauth_external_scope"], token.Scope)
	w = do(t, h, "GET", o["oauth_external_validation_endpoint"], "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Token) })
	require.Equal(t, "alice", decode[map[string]any](t, w)[o["oauth_external_username_field"]])

	for file, service := range map[string]string{"rooms.cfg.lua": "rooms", "rooms-archived.cfg.lua": "groups"} {
		text, o := community(t, file)
		require.Contains(t, text, `Component "`+service+`.example.org" "muc"`)
		require.Contains(t, text, "restrict_room_creation = true")
		w = do(t, h, "GET", o["muc_http_auth_url"]+"?userJID=alice%40example.org&mucJID=tea%40"+service+".example.org&nickname=x", "",
			func(r *http.Request) { r.Header.Set("Authorization", o["muc_http_auth_authorization_header"]) })
		allowed, _ := read(t, w)
		require.True(t, allowed)
	}
}

func TestCommunityConfigurationsAreDocumented(t *testing.T) {
	for doc, files := range map[string][]string{"oauth.md": {"auth_http.cfg.lua", "oauth_external.cfg.lua"}, "rooms.md": {"rooms.cfg.lua", "rooms-archived.cfg.lua"}} {
		text, err := os.ReadFile("../../docs/" + doc)
		require.NoError(t, err)
		for _, file := range files {
			raw, _ := community(t, file)
			var lines []string
			for line := range strings.Lines(raw) {
				if !strings.HasPrefix(line, "--") { // but for what the page says in its own words
					lines = append(lines, line)
				}
			}
			require.Contains(t, string(text), "```lua\n"+strings.Join(lines, "")+"```", "%s as it is in %s", file, doc)
		}
	}
}

// What the module leaves to Prosody's own configuration: only admins make rooms, and
// nobody but a member reads an archive. (The module itself is not in Debian, so here
// it is missing, and everybody gets past it.)
func TestRoomsOnProsody(t *testing.T) {
	open, _ := community(t, "rooms.cfg.lua")
	archived, _ := community(t, "rooms-archived.cfg.lua")
	p := integration.StartProsody(t, integration.ProsodyConfig{
		Domain: "example.org", Users: map[string]string{"alice": "a", "bob": "b"}, HostExtra: open + archived,
	})
	alice := integration.Connect(t, p, "alice", "a", "desk")
	bob := integration.Connect(t, p, "bob", "b", "desk")
	join := func(c *integration.Client, room string) string {
		nick := room + "/" + c.JID[:strings.IndexByte(c.JID, '@')]
		c.Say("<presence to='" + nick + "'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
		e := c.Expect("an answer of "+room, func(e integration.Element) bool {
			return e.Name.Local == "presence" && e.Attrs["from"] == nick
		})
		for _, condition := range []string{"not-allowed", "registration-required", "item-not-found"} {
			if e.Has("<" + condition) {
				return condition
			}
		}
		return e.Attrs["type"]
	}
	create := func(room string) {
		require.Empty(t, join(alice, room))
		alice.Query("<iq type='set' id='own' to='" + room + "'><query xmlns='http://jabber.org/protocol/muc#owner'>" +
			"<x xmlns='jabber:x:data' type='submit'/></query></iq>")
	}
	archive := func(c *integration.Client, room string) integration.Element {
		return c.Query("<iq type='set' id='mam' to='" + room + "'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>")
	}
	const tea, group = "tea@rooms.example.org", "tea@groups.example.org"
	for _, room := range []string{tea, group} {
		require.Equal(t, "not-allowed", join(bob, room), "who is turned away must not become the owner of %s", room)
		create(room)
	}
	require.Empty(t, join(bob, tea), "the door is the module's")
	require.True(t, archive(bob, tea).Has("service-unavailable"), "there is no archive to leak")

	require.Equal(t, "registration-required", join(bob, group))
	alice.Say("<message type='groupchat' to='" + group + "'><body>top secret</body></message>")
	alice.Sync()
	require.True(t, archive(bob, group).Has("forbidden"))
	alice.Query("<iq type='set' id='m' to='" + group + "'><query xmlns='http://jabber.org/protocol/muc#admin'>" +
		"<item affiliation='member' jid='bob@example.org'/></query></iq>")
	require.Empty(t, join(bob, group))
	require.Equal(t, "result", archive(bob, group).Attrs["type"])
	require.Contains(t, p.Log(), "muc_http_auth", "the module's absence is told")
}
