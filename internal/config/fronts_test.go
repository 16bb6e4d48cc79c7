package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryMistakeOfAFrontIsNamedByItsKey(t *testing.T) {
	for _, tc := range []struct{ section, lines, key, says string }{
		{"server", "private_listen = \"0.0.0.0:81\"\nprivate_tls_cert = \"/c\"", "server.private_client_ca", "set together"},
		{"standing", "every = \"1s\"", "standing.every", "too short"},
		{"standing", "grace = \"1m\"", "standing.grace", "twice standing.every"},
		{"ejabberd", "api_url = \"http://127.0.0.1:5280/api\"", "secrets.ejabberd_password", "set together"},
		{"ldap", "listen = \"127.0.0.1:3389\"", "ldap.listen", "secrets.ldap_secret is not"},
		{"ldap", "listen = \"nowhere\"", "ldap.listen", "is not HOST:PORT"},
		{"ldap", "tls_cert = \"/c\"", "ldap.tls_key", "set together"},
		{"oauth", "issuer = \"example\"", "oauth.issuer", "is not an address"},
		{"oauth", "client_id = \"a:b\"", "oauth.client_id", "without a colon"},
		{"auth_http", "user = \"\"", "auth_http.user", "without a colon"},
		{"sip", "server = \"sip:x@y\"", "sip.server", "is not a domain"},
		{"audit", "retention = \"1m\"", "audit.retention", "too short"},
		{"secrets", "muc_secret = \"short\"", "secrets.muc_secret", "32 to 1000"},
		{"secrets", fmt.Sprintf("muc_secret = %q", key(3)), "secrets.verify_secret", ""},
		{"secrets", "jwt_key = \"x\"", "secrets.jwt_key", "32 bytes"},
		{"secrets", "mastodon_db_url = \"mysql://a:geheim@b/c\"", "secrets.mastodon_db_url", "PostgreSQL"},
		{"secrets", "store_password = \"geheim\"", "secrets.store_password", "store.url is a file"},
		{"store", "url = \"postgres://u:geheim@h/d\"", "store.url", "contains a password"},
		{"store", "url = \"postgres://h/d\"", "store.url", "names no user"},
		{"store", "url = \"postgres://u@h/\"", "store.url", "is not the address"},
	} {
		_, err := parse(t, with(tc.section, tc.lines))
		ms, ok := AsMistakes(err)
		require.True(t, ok, "%s: %v", tc.lines, err)
		assert.NotContains(t, err.Error(), "geheim")
		if tc.says == "" {
			assert.Contains(t, err.Error(), "is used a second time")
			continue
		}
		assert.Equal(t, []string{tc.key}, ms.Keys(), tc.lines)
		assert.Contains(t, err.Error(), tc.says)
	}
}

func TestWhoMayKick(t *testing.T) {
	for user, right := range map[string]bool{"trunkline@localhost": true, "trunkline@Example.org": false, "trunkline": false} {
		text := strings.Replace(with("ejabberd", fmt.Sprintf("api_url = \"http://127.0.0.1:5280/api\"\napi_user = %q", user)),
			"[secrets]\n", "[secrets]\nejabberd_password = \"a password\"\n", 1)
		_, err := parse(t, text)
		assert.Equal(t, right, err == nil, "%s: %v", user, err)
	}
}

func TestPrivateListenerForOtherMachines(t *testing.T) {
	const everywhere = "private_listen = \"0.0.0.0:8081\"\n"
	for lines, right := range map[string]bool{
		everywhere: false,
		everywhere + "insecure_private_listen = true":                                                  true,
		everywhere + "private_tls_cert = \"/a\"\nprivate_tls_key = \"/b\"\nprivate_client_ca = \"/c\"": true,
		everywhere + "private_tls_cert = \"/a\"\nprivate_tls_key = \"/b\"":                             false,
	} {
		_, err := parse(t, with("server", lines))
		assert.Equal(t, right, err == nil, "%s: %v", lines, err)
	}
}

func TestLDAPListenerForOtherMachines(t *testing.T) {
	for lines, right := range map[string]bool{
		"listen = \"0.0.0.0:389\"":                                          true,
		"listen = \"127.0.0.1:389\"\ninsecure_listen = false":               true,
		"listen_tls = \"127.0.0.1:636\"":                                    false,
		"listen_tls = \"0.0.0.0:636\"\ntls_cert = \"/a\"\ntls_key = \"/b\"": true,
	} {
		insecure := strings.HasPrefix(lines, "listen = \"0.0.0.0") // refused without the word
		text := strings.Replace(with("ldap", lines), "[secrets]\n", fmt.Sprintf("[secrets]\nldap_secret = %q\n", key(4)), 1)
		_, err := parse(t, text)
		assert.Equal(t, right && !insecure, err == nil, "%s: %v", lines, err)
		if insecure {
			_, err = parse(t, text+"insecure_listen = true\n")
			require.NoError(t, err)
		}
	}
}

func TestWhatFollowsFromTheDomain(t *testing.T) {
	c, err := parse(t, minimal())
	require.NoError(t, err)
	assert.Equal(t, "ou=people,dc=example,dc=org", c.LDAP.Base)
	assert.Equal(t, "cn=service,dc=example,dc=org", c.LDAP.ServiceDN)
	assert.Empty(t, c.OAuth.Issuer)
}

func TestRooms(t *testing.T) {
	muc := func(rooms string) string {
		return strings.Replace(minimal(), "[secrets]\n", fmt.Sprintf("[secrets]\nmuc_secret = %q\n", key(4)), 1) + rooms
	}
	c, err := parse(t, muc(`[[rooms]]
jid = "tea@rooms.example.org"
allow = ["followers:alice", "account:bob@other.example"]
[[rooms]]
jid = "*@rooms.example.org"
allow = ["local"]
`))
	require.NoError(t, err)
	assert.Equal(t, []Room{
		{"tea@rooms.example.org", []string{"followers:alice", "account:bob@other.example"}},
		{"*@rooms.example.org", []string{"local"}},
	}, c.Rooms)

	_, err = parse(t, muc("[[rooms]]\njid = \"rooms.example.org\"\nallow = [\"everybody\"]\n[[rooms]]\njid=\"a@b\"\nalow=[]\n"))
	ms, ok := AsMistakes(err)
	require.True(t, ok)
	assert.ElementsMatch(t, []string{"rooms.1.jid", "rooms.1.allow", "rooms.2.allow", "rooms.2.alow"}, ms.Keys())
	for _, m := range ms {
		assert.Positive(t, m.Line+map[bool]int{true: 1}[m.Key == "rooms.2.allow"], m.Key)
	}
	assert.Contains(t, err.Error(), "did you mean rooms.2.allow?")

	_, err = parse(t, minimal()+"[[rooms]]\njid = \"a@b\"\nallow = [\"local\"]\n")
	require.ErrorContains(t, err, "secrets.muc_secret is not")
	_, err = parse(t, minimal()+"[rooms]\njid = \"a@b\"\n")
	require.ErrorContains(t, err, "write [[rooms]]")
}

func TestStoreURLWithItsPassword(t *testing.T) {
	c, err := parse(t, strings.Replace(with("store", `url = "postgres://trunkline@127.0.0.1/chat"`), "[secrets]\n", "[secrets]\nstore_password = \"p@ss/word\"\n", 1))
	require.NoError(t, err)
	assert.Equal(t, "postgres://trunkline:p%40ss%2Fword@127.0.0.1/chat", c.StoreURL().Reveal())
	assert.NotContains(t, fmt.Sprintf("%+v", c), "p@ss")
	c, err = parse(t, minimal())
	require.NoError(t, err)
	assert.Equal(t, c.Store.URL, c.StoreURL().Reveal())

	c, err = parse(t, with("store", `url = "postgres://trunkline@db.example.org/chat"`))
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	c, err = parse(t, with("store", `url = "postgres://trunkline@db.example.org/chat?sslmode=require"`))
	require.NoError(t, err)
	require.Len(t, c.Warnings, 1)
	assert.Contains(t, c.Warnings[0].Error(), "sslmode=verify-full")
}
