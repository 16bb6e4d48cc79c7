package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withSecret returns minimal with a secret and whatever stands at its end.
func withSecret(line, end string) string {
	return strings.Replace(minimal(), "[secrets]\n", "[secrets]\n"+line+"\n", 1) + end
}

func muc() string { return fmt.Sprintf("muc_secret = %q", key(4)) }

func room(jid string, allow ...string) string {
	quoted := make([]string, len(allow))
	for i, a := range allow {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	return fmt.Sprintf("[[rooms]]\njid = %q\nallow = [%s]\n", jid, strings.Join(quoted, ", "))
}

func TestRoomRules(t *testing.T) {
	for _, rule := range []string{
		"local", "moderators", "followers:alice", "followers:alice@other.example", "mutuals:alice", "account:bob", "account:bob@other.example",
	} {
		c, err := parse(t, withSecret(muc(), room("tea@rooms.example.org", rule)))
		require.NoError(t, err, rule)
		assert.Empty(t, c.Warnings, rule)
	}
	for _, rule := range []string{"list:42@alice", "list:x@alice", "list:01H8XGJWBWBAQ4Z4Q6M1N7Y7QT@alice"} {
		_, err := parse(t, withSecret(muc(), room("tea@rooms.example.org", rule)))
		require.NoError(t, err, rule)
	}
	for rule, says := range map[string]string{
		"list:alice": "list:42@alice", "list:@alice": "list:42@alice", "list:42@": "list:42@alice", "list:4 2@alice": "list:42@alice",
		"list:42@alice@example.org": "list:42@alice", "list": "list:42@alice", "list:": "list:42@alice",
		"account:bob@": "account:alice@other.example", "account:": "account:alice", "account": "account:alice",
		"followers:": "followers:alice", "mutuals:@": "mutuals:alice", "followers:a b": "followers:alice", "followers:*": "followers:alice",
		"local:": `write "local" alone`, "moderators:alice": `write "moderators" alone`,
		"everybody": "choose from", "": "choose from", "Local": "choose from",
	} {
		_, err := parse(t, withSecret(muc(), room("tea@rooms.example.org", rule)))
		ms, _ := AsMistakes(err)
		require.Equal(t, []string{"rooms.1.allow"}, ms.Keys(), rule)
		assert.Contains(t, ms[0].Problem, fmt.Sprintf("%q", rule))
		assert.Contains(t, ms[0].Advice, says, rule)
	}
	_, err := parse(t, withSecret(muc(), room("tea@rooms.example.org", "everybody", "local", "list:alice", "everybody", "account:bob@")))
	ms, _ := AsMistakes(err)
	require.Len(t, ms, 3, "every word is told, and once")
	for i, word := range []string{"everybody", "list:alice", "account:bob@"} {
		assert.Contains(t, ms[i].Problem, word)
	}
	var many []string
	for i := range maxRoomRules + 1 {
		many = append(many, fmt.Sprintf("account:a%d", i))
	}
	_, err = parse(t, withSecret(muc(), room("tea@rooms.example.org", many...)))
	require.ErrorContains(t, err, "write at most 32")
}

func TestRoomsThatAreNeverReached(t *testing.T) {
	for _, tc := range []struct {
		first, second string
		reached       bool
	}{
		{"tea@rooms.example.org", "tea@rooms.example.org", false},
		{"tea@rooms.example.org", "Tea@Rooms.Example.ORG", false},
		{"*@rooms.example.org", "tea@rooms.example.org", false},
		{"*@rooms.example.org", "*@rooms.example.org", false},
		{"tea@rooms.example.org", "*@rooms.example.org", true},
		{"*@rooms.example.org", "tea@rooms.example.net", true},
		{"tea@rooms.example.org", "cake@rooms.example.org", true},
	} {
		_, err := parse(t, withSecret(muc(), room("nowhere", "local")+room(tc.first, "local")+room(tc.second, "local")))
		ms, _ := AsMistakes(err)
		if tc.reached {
			require.Equal(t, []string{"rooms.1.jid"}, ms.Keys(), "%v", tc)
			continue
		}
		require.Equal(t, []string{"rooms.1.jid", "rooms.3.jid"}, ms.Keys(), "%v", tc)
		assert.Contains(t, ms[1].Error(), fmt.Sprintf("section 2 of [[rooms]] fits the same rooms (%q)", tc.first))
	}
}

func TestSecretsThatNothingUses(t *testing.T) {
	ldapSecret := fmt.Sprintf("ldap_secret = %q", key(5))
	for _, tc := range []struct {
		text string
		keys []string
		says string
	}{
		{withSecret(muc(), ""), []string{"secrets.muc_secret"}, "there is no room"},
		{withSecret(ldapSecret, ""), []string{"secrets.ldap_secret"}, "nothing listens"},
		{withSecret(ldapSecret, "[ldap]\nlisten = \"127.0.0.1:3389\"\n"), nil, ""},
		{withSecret(fmt.Sprintf("extauth_secret = %q\noauth_secret = %q\nauth_http_secret = %q", key(5), key(6), key(7)), ""), nil, ""},
		{withSecret(muc(), room("tea@rooms.example.org", "list:42@alice")), []string{"rooms.1.allow"}, "secrets.list_token is not"},
		{withSecret(muc()+"\nlist_token = \"0123456789abcdef\"", room("tea@rooms.example.org", "list:42@alice")), nil, ""},
	} {
		c, err := parse(t, tc.text)
		require.NoError(t, err)
		require.Equal(t, tc.keys, append([]string(nil), c.Warnings.Keys()...), tc.text)
		if tc.says != "" {
			assert.Contains(t, c.Warnings[0].Error(), tc.says)
			assert.NotEmpty(t, c.Warnings[0].Advice)
		}
	}
}

func TestSecretsThatComeFromMastodon(t *testing.T) {
	for _, name := range []string{"list_token", "webhook_secret"} {
		for _, value := range []string{`"short"`, `"0123456789 abcdef"`, `3`} {
			_, err := parse(t, withSecret(name+" = "+value, ""))
			ms, _ := AsMistakes(err)
			require.Equal(t, []string{"secrets." + name}, ms.Keys(), value)
			assert.Contains(t, ms[0].Advice, "copy it from Mastodon: ")
			assert.NotContains(t, err.Error(), "trunkline config secret")
		}
		_, err := parse(t, withSecret(name+` = "0123456789abcdef"`, ""))
		require.NoError(t, err, "Mastodon says how long its own are")
	}
	_, err := parse(t, withSecret(`oauth_secret = "0123456789abcdef"`, ""))
	require.ErrorContains(t, err, "32 to 1000", "ours are longer")
	_, err = Parse(Source{Name: "t.toml", Text: []byte(withSecret(`list_token_file = "/l"`, "")),
		ReadFile: func(string) ([]byte, error) { return []byte("\n"), nil }})
	require.ErrorContains(t, err, "is empty; copy it from Mastodon")
}
