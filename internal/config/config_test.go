package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// key returns the nth test key.
func key(n byte) string {
	k, err := NewKey(bytes.NewReader(bytes.Repeat([]byte{n}, KeyBytes)))
	if err != nil {
		panic(err)
	}
	return k
}

// minimal is the shortest configuration that is right.
func minimal() string {
	return fmt.Sprintf(`[server]
public_url = "https://Chat.Example.org:443/"
[mastodon]
url = "https://example.org"
[secrets]
data_keys = [%q]
token_key = %q
verify_secret = %q
`, key(1), key(2), key(3))
}

func parse(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Parse(Source{Name: "t.toml", Text: []byte(text)})
}

// with returns minimal with lines added to a section.
func with(section, lines string) string {
	text := minimal()
	if head := "[" + section + "]\n"; strings.Contains(text, head) {
		return strings.Replace(text, head, head+lines+"\n", 1)
	}
	return text + "[" + section + "]\n" + lines + "\n"
}

func TestMinimalConfigurationIsCompleted(t *testing.T) {
	c, err := parse(t, minimal())
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	assert.Equal(t, "https://chat.example.org", c.Server.PublicURL)
	assert.Equal(t, "wss://chat.example.org/xmpp-websocket", c.WebSocketURL())
	assert.Equal(t, "127.0.0.1:8080", c.Server.Listen)
	assert.Equal(t, "127.0.0.1:8081", c.Server.PrivateListen)
	assert.Equal(t, "example.org", c.Mastodon.Domain, "from the host of the url")
	assert.Equal(t, "example.org", c.XMPP.Domain, "from mastodon.domain")
	assert.Equal(t, "auto", c.XMPP.TLS)
	assert.EqualValues(t, 262144, c.XMPP.MaxStanzaBytes)
	assert.Equal(t, "sqlite:/var/lib/trunkline/trunkline.db", c.Store.URL)
	assert.Equal(t, 14*24*time.Hour, c.Session.Idle.Std())
	assert.Equal(t, 90*24*time.Hour, c.Session.Absolute.Std())
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}, c.TrustedProxies())
	b, err := c.Secrets.DataKeys[0].Bytes()
	require.NoError(t, err)
	assert.Equal(t, bytes.Repeat([]byte{1}, 32), b)
}

func TestEveryMistakeIsNamedByItsKey(t *testing.T) {
	for _, tc := range []struct{ section, lines, key, says string }{
		{"server", `listen = "here"`, "server.listen", "HOST:PORT"},
		{"server", `listen = 8080`, "server.listen", "not a text"},
		{"server", `listen = "unix:run/x"`, "server.listen", "absolute path"},
		{"server", `listen = "127.0.0.1:70000"`, "server.listen", "HOST:PORT"},
		{"server", `private_listen = "0.0.0.0:8081"`, "server.private_listen", "insecure_private_listen"},
		{"server", `private_listen = ":8081"`, "server.private_listen", "other machines"},
		{"server", `private_listen = "127.0.0.1:8080"`, "server.private_listen", "same as listen"},
		{"server", `insecure_private_listen = "yes"`, "server.insecure_private_listen", "neither true nor false"},
		{"server", `trusted_proxies = ["10.0.0.0/8", "cloud"]`, "server.trusted_proxies", `"cloud"`},
		{"server", `trusted_proxies = "10.0.0.0/8"`, "server.trusted_proxies", "not a list"},
		{"server", `trusted_proxies = [1]`, "server.trusted_proxies", "entry 1"},
		{"server", `listne = ":1"`, "server.listne", "did you mean server.listen?"},
		{"serve", `x = 1`, "serve", "did you mean server?"},
		{"foo", `x = 1`, "foo", "not a section that Trunkline knows; remove it"},
		{"mastodon", `domain = "https://example.org"`, "mastodon.domain", "without https://"},
		{"mastodon", `domain = "a b"`, "mastodon.domain", "not a domain"},
		{"mastodon", `app_name = ""`, "mastodon.app_name", "empty"},
		{"mastodon", `media_origins = ["http://files.example.org"]`, "mastodon.media_origins", "not encrypted"},
		{"mastodon", `media_origins = ["https://files.example.org/a"]`, "mastodon.media_origins", "more than scheme and host"},
		{"xmpp", `domain = "alice@example.org"`, "xmpp.domain", "not a domain"},
		{"xmpp", `address = "localhost"`, "xmpp.address", "HOST:PORT"},
		{"xmpp", `tls = "none"`, "xmpp.tls", "choose one of"},
		{"xmpp", `tls = "plain"`, "xmpp.tls", "not a loopback address"},
		{"xmpp", `server = "openfire"`, "xmpp.server", "choose one of"},
		{"xmpp", `forbidden_commands = ["admin", "/#"]`, "xmpp.forbidden_commands", "names no command"},
		{"xmpp", `tls = "insecure-plain"`, "xmpp.tls", "not believed without TLS"},
		{"xmpp", "tls = \"plain\"\naddress = \"192.0.2.1:5222\"", "xmpp.tls", "insecure-plain"},
		{"xmpp", `max_stanza_bytes = 1`, "xmpp.max_stanza_bytes", "between"},
		{"xmpp", `max_stanza_bytes = "big"`, "xmpp.max_stanza_bytes", "whole number"},
		{"server", `chat_origins = ["https://converse.example.org/chat"]`, "server.chat_origins", "more than scheme and host"},
		{"server", `chat_origins = ["*"]`, "server.chat_origins", "not an address"},
		{"limits", `streams = 0`, "limits.streams", "between 1 and"},
		{"limits", `streams_per_address = -1`, "limits.streams_per_address", "between 1 and"},
		{"limits", `stanzas_per_stream = -1`, "limits.stanzas_per_stream", "between 0 and"},
		{"limits", `bytes_per_account = "1 MB"`, "limits.bytes_per_account", "not a whole number"},
		{"limits", `login_bytes = 100`, "limits.login_bytes", "between 2000 and"},
		{"limits", `login_time = "1h"`, "limits.login_time", "between 1s and 1m"},
		{"limits", `login_delay = "1m"`, "limits.login_delay", "between 0s and 30s"},
		{"limits", `burst = "10"`, "limits.burst", "not a span of time"},
		{"limits", `patience = "1m"`, "limits.patience", "between 100ms and 20s"},
		{"limits", `stanza_depth = 1000`, "limits.stanza_depth", "between 16 and 200"},
		{"limits", `stanza_attributes = 0`, "limits.stanza_attributes", "between 16 and 1000"},
		{"store", `url = "sqlite:trunkline.db"`, "store.url", "absolute path"},
		{"store", `url = "postgres://localhost/x"`, "store.url", "names no user"},
		{"session", `idle = "soon"`, "session.idle", "span of time"},
		{"session", `idle = "1s"`, "session.idle", "too short"},
		{"session", `absolute = "401d"`, "session.absolute", "longer than browsers"},
		{"session", `absolute = "1d"`, "session.absolute", "shorter than session.idle"},
		{"log", `level = "loud"`, "log.level", "trace, debug, info, warn, error"},
		{"log", `format = "xml"`, "log.format", "text, json"},
	} {
		t.Run(tc.lines, func(t *testing.T) {
			_, err := parse(t, with(tc.section, tc.lines))
			ms, ok := AsMistakes(err)
			require.True(t, ok, "no mistake found")
			require.Equal(t, []string{tc.key}, ms.Keys())
			assert.Contains(t, ms[0].Error(), tc.says)
			assert.NotEmpty(t, ms[0].Advice)
			assert.Positive(t, ms[0].Line)
		})
	}
}

func TestDelayThatOutlivesTheLoginIsWarnedOf(t *testing.T) {
	c, err := Parse(Source{Name: "x", Text: []byte(minimal() + "\n[limits]\nlogin_delay = '10s'\n")})
	require.NoError(t, err)
	require.Len(t, c.Warnings, 1)
	assert.Equal(t, "limits.login_delay", c.Warnings[0].Key)
}

func TestAddressesOfTheTwoSides(t *testing.T) {
	for _, tc := range []struct{ url, says string }{
		{"", "missing"},
		{"chat.example.org", "not an address"},
		{"ftp://chat.example.org", "not an address"},
		{"https://chat.example.org/panel", "more than scheme and host"},
		{"https://a:b@chat.example.org", "more than scheme and host"},
		{"http://chat.example.org", "not encrypted"},
		{"https://chat.example.org:0", "not an address"},
		{"https://example.org/", "Mastodon's own address"},
	} {
		_, err := parse(t, strings.Replace(minimal(), "https://Chat.Example.org:443/", tc.url, 1))
		ms, _ := AsMistakes(err)
		require.Len(t, ms, 1, tc.url)
		assert.Equal(t, "server.public_url", ms[0].Key)
		assert.Contains(t, ms[0].Error(), tc.says)
	}
	c, err := parse(t, strings.NewReplacer("https://Chat.Example.org:443/", "http://127.0.0.1:8080",
		"https://example.org", "http://127.0.0.1:3000").Replace(minimal()))
	require.NoError(t, err, "http is fine on loopback")
	assert.Equal(t, "ws://127.0.0.1:8080/xmpp-websocket", c.WebSocketURL())
	assert.Empty(t, c.Warnings, "ports do not make a site")
}

func TestAllMistakesAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := parse(t, `[server]
listen = "x"
colour = "red"
[xmpp]
tls = "no"
[log]
level = 3
`)
	ms, ok := AsMistakes(err)
	require.True(t, ok)
	assert.Equal(t, []string{"server.listen", "server.colour", "xmpp.tls", "log.level",
		"server.public_url", "mastodon.url", "secrets.data_keys", "secrets.token_key", "secrets.verify_secret"}, ms.Keys())
	assert.Equal(t, `t.toml:2: server.listen is not HOST:PORT ("x"); write 127.0.0.1:8080, or unix:/run/trunkline/public.sock`, ms[0].Error())
	assert.Equal(t, 9, len(strings.Split(err.Error(), "\n")))
}

func TestOneMistakeHidesNoOther(t *testing.T) {
	_, err := parse(t, with("server", `listen = "8080"
private_listen = "0.0.0.0:8081"
trusted_proxies = ["cloud"]`))
	ms, _ := AsMistakes(err)
	assert.Equal(t, []string{"server.listen", "server.private_listen", "server.trusted_proxies"}, ms.Keys())

	_, err = parse(t, with("server", "listen = \"8080\"\nprivate_listen = \"8080\""))
	ms, _ = AsMistakes(err)
	require.Len(t, ms, 2)
	assert.Contains(t, ms[1].Problem, "HOST:PORT", "two that are wrong are not called the same")
}

func TestBrokenTOMLNamesTheLineAndNotItsText(t *testing.T) {
	_, err := parse(t, "[secrets]\ntoken_key = \"topsecret\n")
	ms, ok := AsMistakes(err)
	require.True(t, ok)
	assert.Equal(t, 2, ms[0].Line)
	assert.NotContains(t, err.Error(), "topsecret")
	_, err = parse(t, "server = 3\n"+minimal())
	require.Error(t, err)
}

func TestSectionThatIsAValue(t *testing.T) {
	_, err := parse(t, "log = 3\n"+minimal())
	ms, _ := AsMistakes(err)
	assert.Equal(t, []string{"log"}, ms.Keys())
}

func TestSites(t *testing.T) {
	c, err := parse(t, strings.Replace(minimal(), "https://Chat.Example.org:443/", "https://chat.example.net", 1))
	require.NoError(t, err)
	require.Equal(t, []string{"server.public_url"}, c.Warnings.Keys())
	assert.Contains(t, c.Warnings[0].Error(), "another site")
	c, err = parse(t, with("session", "cross_site = true"))
	require.NoError(t, err)
	assert.Equal(t, []string{"session.cross_site"}, c.Warnings.Keys())
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"14d": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "0d": 0,
	} {
		d, err := ParseDuration(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, d.Std(), text)
	}
	for _, text := range []string{"", "d", "-1d", "1d-1h", "+1d", "1", "99999999999d", "1dd", "1.5d", "200000d"} {
		_, err := ParseDuration(text)
		assert.Error(t, err, text)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	s := Secrets{DataKeys: []Secret{NewSecret("hunter2")}, TokenKey: NewSecret("hunter2"), VerifySecret: NewSecret("hunter2")}
	js, err := json.Marshal(s)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "one", s.TokenKey, "all", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "one", s.TokenKey, "all", s)
	printed := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		printed += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, s.TokenKey)
	}
	pointer := fmt.Sprintf("%v %s %#v", &s, &s.TokenKey, &s)
	for _, text := range []string{string(js), log.String(), printed, pointer} {
		assert.NotContains(t, text, "hunter2")
		assert.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
		assert.Contains(t, text, "***")
	}
	_, err = NewSecret("hunter2").Bytes()
	assert.NotContains(t, err.Error(), "hunter2")
	assert.Equal(t, "hunter2", s.TokenKey.Reveal())
}

func TestSecretsAreChecked(t *testing.T) {
	for _, tc := range []struct{ from, to, key, says string }{
		{key(2), "short", "secrets.token_key", "not a key of 32 bytes"},
		{key(1), "short", "secrets.data_keys", "entry 1"},
		{key(3), "short", "secrets.verify_secret", "32 to 1000"},
		{key(3), strings.Repeat("a b", 20), "secrets.verify_secret", "without spaces"},
		{key(2), key(1), "secrets.token_key", "second time"},
		{key(3), key(1), "secrets.verify_secret", "second time"},
	} {
		_, err := parse(t, strings.Replace(minimal(), tc.from, tc.to, 1))
		ms, _ := AsMistakes(err)
		require.Equal(t, []string{tc.key}, ms.Keys())
		assert.Contains(t, ms[0].Error(), tc.says)
		assert.NotContains(t, err.Error(), tc.to)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	head, _, _ := strings.Cut(minimal(), "[secrets]")
	head += fmt.Sprintf("[store]\nurl = %q\n", "sqlite:"+filepath.Join(dir, "trunkline.db"))
	conf := write("trunkline.toml", fmt.Sprintf("%s[secrets]\ndata_keys_file = %q\ntoken_key_file = %q\n", head,
		write("data", key(1)+"\n\n"+key(4)+"\n", 0o600), write("token", key(2)+"\n", 0o644)), 0o644)
	write("verify_secret", key(3), 0o600)
	env := func(name string) string { return map[string]string{"CREDENTIALS_DIRECTORY": dir}[name] }

	c, err := Load(conf, env)
	require.NoError(t, err)
	assert.Len(t, c.Secrets.DataKeys, 2)
	assert.Equal(t, key(2), c.Secrets.TokenKey.Reveal())
	assert.Equal(t, key(3), c.Secrets.VerifySecret.Reveal(), "from the credential")
	assert.Equal(t, []string{"secrets.token_key_file"}, c.Warnings.Keys(), "everybody may read it")
	assert.Contains(t, c.Warnings[0].Advice, "chmod o-rwx "+filepath.Join(dir, "token"), "a group may go on reading it")

	write("token", " \n", 0o600)
	_, err = Load(conf, env)
	ms, _ := AsMistakes(err)
	require.Equal(t, []string{"secrets.token_key"}, ms.Keys())
	assert.Contains(t, ms[0].Error(), "secrets.token_key in "+filepath.Join(dir, "token")+" is empty; ")
	assert.Positive(t, ms[0].Line, "that of token_key_file")

	write("token", "short\n", 0o600)
	write("verify_secret", "short", 0o600)
	_, err = Load(conf, env)
	ms, _ = AsMistakes(err)
	require.Equal(t, []string{"secrets.token_key", "secrets.verify_secret"}, ms.Keys())
	assert.Regexp(t, `^\S+/trunkline\.toml:\d+: secrets\.token_key in \S+/token is not a key of 32 bytes in base64; `, ms[0].Error())
	assert.Regexp(t, `^\S+/trunkline\.toml: secrets\.verify_secret in \S+/verify_secret is not 32 to 1000`, ms[1].Error(), "the credential has no line")
	write("verify_secret", key(3), 0o600)

	require.NoError(t, os.Remove(filepath.Join(dir, "token")))
	_, err = Load(conf, env)
	ms, _ = AsMistakes(err)
	require.Equal(t, []string{"secrets.token_key_file"}, ms.Keys(), "told once, by the key that is in the file")
	assert.Contains(t, ms[0].Error(), "no such file")
}

func TestSecretInTwoPlaces(t *testing.T) {
	_, err := parse(t, with("secrets", `token_key_file = "/x"`))
	ms, _ := AsMistakes(err)
	require.Equal(t, []string{"secrets.token_key"}, ms.Keys())
	assert.Contains(t, ms[0].Error(), "twice")
	_, err = parse(t, with("secrets", `token_key_file = 3`))
	ms, _ = AsMistakes(err)
	assert.Equal(t, []string{"secrets.token_key_file"}, ms.Keys())
}

func TestUnreadableConfiguration(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"), func(string) string { return "" })
	require.ErrorIs(t, err, os.ErrNotExist)
	_, ok := AsMistakes(err)
	assert.False(t, ok)
}
