package backend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// second is another authentication module, as one for a directory is: it knows
// bob and dave, and fails for whoever is called trouble.
const second = `
local provider = {};
local people = { bob = "bobs own"; dave = "daves own"; };
function provider.test_password(username, password)
	module:log("info", "asked about %s with %d letters", username, #password);
	if username == "trouble" then error("the directory is away"); end
	return people[username] == password;
end
function provider.user_exists(username)
	if username == "trouble" then error("the directory is away"); end
	return people[username] ~= nil;
end
function provider.get_sasl_handler()
	error("this is not the host's own");
end
module:provides("auth", provider);
`

func newFallbackStack(t *testing.T) *stack {
	return newStackWith(t, integration.ProsodyConfig{
		PluginPaths: plugin(t, "auth_second", second), HostExtra: quick + `trunkline_fallback = "second"`,
	})
}

// What Trunkline issued is asked of Trunkline and nobody else, whoever's it is;
// all other passwords are asked of the other module and nobody else.
func TestEachPasswordGoesWhereItBelongs(t *testing.T) {
	s := newFallbackStack(t)
	phone := s.device("bob")
	for _, secret := range []string{
		s.password("bob"), phone.secret, strings.ToUpper(phone.secret), strings.ReplaceAll(phone.secret, "-", " "),
		strings.ReplaceAll(phone.secret, "-", ""), strings.ReplaceAll(phone.secret, "-", "\u2013"),
	} {
		require.Equal(t, "", s.login("bob", secret))
		require.Equal(t, wrong, s.login("dave", secret))
	}
	require.NotContains(t, s.prosody.Log(), "asked about", "no password of ours has left")

	asked := s.front.count("auth")
	require.Zero(t, s.front.count("welcome"))
	require.Equal(t, "", s.login("bob", "bobs own"))
	require.Equal(t, "", s.login("dave", "daves own"))
	require.Equal(t, wrong, s.login("bob", "daves own"))
	require.Equal(t, wrong, s.login("alice", "bobs own"))
	require.Equal(t, wrong, s.login("nobody", "bobs own"))
	require.Equal(t, temporary, s.login("trouble", "any"))
	require.Equal(t, asked, s.front.count("auth"), "no password of the directory has left")
	require.Equal(t, 2, s.front.count("welcome"), "nor is Trunkline asked about who has a wrong one")

	s.front.down()
	require.Equal(t, temporary, s.login("dave", "daves own"), "it cannot be told whether he is suspended")
	require.Equal(t, wrong, s.login("dave", "wrong"))
	require.Equal(t, temporary, s.login("bob", phone.secret))
	s.front.up()
	require.Equal(t, "", s.login("dave", "daves own"))
}

// The directory knows nothing of Mastodon: who is suspended there, or blocked by
// the admin, stays out whatever the password.
func TestTheDirectorysPasswordOpensNothingForTheSuspended(t *testing.T) {
	s := newFallbackStack(t)
	require.Equal(t, "", s.login("bob", "bobs own"))
	require.NoError(t, s.tokens.BlockAccount(t.Context(), "id-bob", "rude"))
	require.Equal(t, wrong, s.login("bob", "bobs own"))
	require.Equal(t, "", s.login("dave", "daves own"), "nothing is known of him")
	require.NoError(t, s.tokens.UnblockAccount(t.Context(), "id-bob", "sorry"))
	require.Equal(t, "", s.login("bob", "bobs own"))
	_, err := s.db.ExecContext(t.Context(), `UPDATE accounts SET suspended_at = 1, standing = 'suspended' WHERE username = 'bob'`)
	require.NoError(t, err)
	require.Equal(t, wrong, s.login("bob", "bobs own"))
	_, err = s.db.ExecContext(t.Context(), `UPDATE accounts SET suspended_at = NULL, standing = 'good' WHERE username = 'bob'`)
	require.NoError(t, err)
	require.Equal(t, "", s.login("bob", "bobs own"))

	for _, answer := range []string{`{"result":"unknown"}`, `{"result":true}`, `{}`, ``} {
		s.front.setFault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/verify" {
				s.front.backend.ServeHTTP(w, r)
				return
			}
			fmt.Fprint(w, answer)
		})
		require.Equal(t, temporary, s.login("bob", "bobs own"), answer)
	}
}

func TestPeopleOfEither(t *testing.T) {
	s := newFallbackStack(t)
	dave := s.with("dave", "daves own", "desk")
	bounced := map[string]bool{}
	for _, to := range []string{"alice", "bob", "nobody", "trouble"} {
		dave.Say(fmt.Sprintf("<message to='%s@%s' type='chat' id='%s'><body>x</body></message>", to, domain, to))
	}
	for _, e := range errorsIn(dave.Sync()) {
		bounced[e.Attrs["id"]] = true
	}
	require.Equal(t, map[string]bool{"nobody": true}, bounced)
	require.NoError(t, dave.Close())
	s.connect("alice").Say("<message to='dave@" + domain + "' type='chat'><body>hello</body></message>")
	dave = s.with("dave", "daves own", "desk")
	dave.Say("<presence/>")
	dave.Expect("what was kept", func(e integration.Element) bool { return e.Has("hello") })
}

// The end of an account ends what was opened with the directory's password, too;
// the end of a device's does not.
func TestSessionsOfTheOtherModule(t *testing.T) {
	s := newFallbackStack(t)
	phone := s.device("bob")
	desk := s.with("bob", "bobs own", "desk")
	other := s.with("dave", "daves own", "desk")
	s.revoke("bob", phone)
	s.heard()
	require.Empty(t, desk.Sync())
	require.NoError(t, s.tokens.EndAccount(t.Context(), "id-bob", "suspended"))
	ends(t, desk)
	require.Empty(t, other.Sync())
}
