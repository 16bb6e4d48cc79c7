package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the program as the shell would.
func start(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs, func(string) string { return "" })
	return code, out.String(), errs.String()
}

func TestHelp(t *testing.T) {
	code, overview, stderr := start(t, "help")
	assert.Equal(t, exitOK, code)
	assert.Empty(t, stderr)
	for _, cmd := range commands() {
		assert.Contains(t, overview, "\n  "+cmd.name+" ")
		for _, args := range [][]string{{"help", cmd.name}, {cmd.name, "--help"}, {cmd.name, "-h"}} {
			code, out, stderr := start(t, args...)
			assert.Equal(t, exitOK, code, args)
			assert.Empty(t, stderr)
			assert.True(t, strings.HasPrefix(out, "Usage: trunkline "+cmd.name), out)
			assert.Contains(t, out, "\n\nThis command will "+cmd.summary+".\n")
		}
	}
	for _, args := range [][]string{{"--help"}, {"-h"}} {
		_, out, _ := start(t, args...)
		assert.Equal(t, overview, out)
	}
	code, out, stderr := start(t)
	assert.Equal(t, exitUsage, code, "nothing was asked")
	assert.Empty(t, out)
	assert.Equal(t, overview, stderr)
}

// A summary goes on where "This command will" ends.
func TestSummariesSayWhatTheCommandWillDo(t *testing.T) {
	for _, cmd := range commands() {
		first, _, _ := strings.Cut(cmd.summary, " ")
		assert.Regexp(t, `^[a-z]+,?$`, first, cmd.name)
		assert.NotContains(t, []string{"what", "the", "a", "an", "how", "who", "which", "where", "when", "it", "this", "all", "every"}, first, cmd.name)
		assert.NotRegexp(t, `\.$`, cmd.summary)
	}
}

func TestMisuse(t *testing.T) {
	for _, tc := range []struct{ args, says string }{
		{"sreve", `there is no command "sreve"`},
		{"help sreve", `there is no command "sreve"`},
		{"help config version", "one command at a time"},
		{"version now", "takes no arguments"},
		{"config", "example, check, secret, jwk or mastodon-db-role"},
		{"config edit", `no word "edit"`},
		{"token", "token needs a word: issue, list, revoke or purge"},
		{"token mend", `no word "mend"; write issue, list, revoke or purge`},
		{"account", "account needs a word: list, show, suspend, restore, forget or rebind"},
		{"config secret 3", "takes no arguments"},
		{"config example --config x", "reads no configuration: write it without --config"},
		{"config mastodon-db-role --config x", "config mastodon-db-role reads no configuration"},
		{"config secret --config=", "reads no configuration"},
		{"config check --confg x", "-confg"},
		{"config check trunkline.toml", "--config FILE"},
	} {
		args := strings.Fields(tc.args)
		if tc.args == "config check trunkline.toml" {
			args = append(args, "--config", writeConfig(t, ""))
		}
		code, out, stderr := start(t, args...)
		assert.Equal(t, exitUsage, code, tc.args)
		assert.Empty(t, out, tc.args)
		assert.Contains(t, stderr, tc.says, tc.args)
		where := "trunkline help"
		if cmd, ok := find(args[0]); ok && cmd.name != "help" {
			where += " " + cmd.name
		}
		assert.True(t, strings.HasSuffix(stderr, "; see: "+where+"\n"), "each says where help is: %s", stderr)
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		code, out, stderr := start(t, arg)
		assert.Equal(t, exitOK, code)
		assert.Empty(t, stderr)
		assert.Regexp(t, `^trunkline \S+.* \(go1\.\d+\S*, \w+/\w+\)\n$`, out)
	}
}

func TestConfigExample(t *testing.T) {
	var want bytes.Buffer
	require.NoError(t, config.WriteExample(&want))
	code, out, stderr := start(t, "config", "example")
	assert.Equal(t, exitOK, code)
	assert.Empty(t, stderr)
	assert.Equal(t, want.String(), out)
}

func TestConfigSecret(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		code, out, stderr := start(t, "config", "secret")
		require.Equal(t, exitOK, code)
		assert.Empty(t, stderr)
		_, err := config.NewSecret(strings.TrimSpace(out)).Bytes()
		require.NoError(t, err, out)
		assert.False(t, seen[out], "each one is new")
		seen[out] = true
	}
}

// writeConfig writes a configuration that is right, with lines added to it,
// and returns its path. The store is what sqldbtest gives.
func writeConfig(t *testing.T, lines string) string {
	t.Helper()
	store, password := sqldbtest.URL(t), ""
	if strings.HasPrefix(store, "postgres:") {
		var file string
		store, file = withoutPassword(t, store)
		password = "store_password_file = \"" + file + "\"\n"
	}
	return writeConfigOf(t, store, password+lines)
}

// writeFileConfig does the same with a SQLite file beside the configuration.
func writeFileConfig(t *testing.T, lines string) string {
	t.Helper()
	return writeConfigOf(t, "", lines)
}

func writeConfigOf(t *testing.T, store, lines string) string {
	t.Helper()
	keys := ""
	for _, name := range []string{"data_keys", "token_key", "verify_secret"} {
		_, key, _ := start(t, "config", "secret")
		value := `"` + strings.TrimSpace(key) + `"`
		if name == "data_keys" {
			value = "[" + value + "]"
		}
		keys += name + " = " + value + "\n"
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "trunkline.toml")
	if store == "" {
		store = "sqlite:" + filepath.Join(dir, "trunkline.db")
	}
	text := `[server]
public_url = "http://127.0.0.1:8080"
listen = "127.0.0.1:0"
private_listen = "127.0.0.1:0"
[mastodon]
url = "http://127.0.0.1:3000"
domain = "social.example"
[xmpp]
address = "127.0.0.1:5222"
tls = "plain"
[store]
url = "` + store + `"
[secrets]
` + keys + lines
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestConfigCheck(t *testing.T) {
	code, out, stderr := start(t, "config", "check", "--config", writeConfig(t, ""))
	assert.Equal(t, exitOK, code, stderr)
	assert.Empty(t, stderr)
	assert.Equal(t, "The configuration is right. People chat as NAME@social.example at http://127.0.0.1:8080.\n"+
		"No server was asked. Whether the database and the XMPP server are reached, trunkline serve then says: /readyz on the private listener, whose port is in its log\n", out)

	path := writeConfig(t, "[log]\nlevel = \"loud\"\nfromat = \"text\"\n")
	code, out, stderr = start(t, "config", "check", "--config="+path)
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, out)
	assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(path)+`:\d+: log\.level is "loud"; choose one of: trace, debug, info, warn, error$`, stderr)
	assert.Contains(t, stderr, "did you mean log.format?")
	assert.Contains(t, stderr, "trunkline: 2 mistakes in the configuration")

	code, _, stderr = start(t, "config", "check", "--config", filepath.Join(t.TempDir(), "none.toml"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "no such file")
	assert.Contains(t, stderr, "trunkline config example >")

	path = writeConfig(t, "")
	require.NoError(t, os.Chmod(path, 0o644))
	code, out, stderr = start(t, "config", "check", "--config", path)
	assert.Equal(t, exitOK, code)
	assert.Contains(t, stderr, "chmod o-rwx "+path, "a remark, and yet it is right")
	assert.Contains(t, out, "The configuration is right, with 1 warning. People", "one for each file")

	path = writeConfig(t, "[session]\ncross_site = false\n")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	other := strings.Replace(string(text), "http://127.0.0.1:3000", "https://example.org", 1)
	require.NoError(t, os.WriteFile(path, []byte(other), 0o600))
	code, out, _ = start(t, "config", "check", "--config", path)
	assert.Equal(t, exitOK, code)
	assert.Contains(t, out, "The configuration is right, with 1 warning. People")
}

func TestWhereReadinessIsAskedFor(t *testing.T) {
	for want, s := range map[string]config.Server{
		"curl http://127.0.0.1:8081/readyz":                                      {PrivateListen: "127.0.0.1:8081"},
		"curl --unix-socket /run/trunkline/private.sock http://localhost/readyz": {PrivateListen: "unix:/run/trunkline/private.sock"},
		"https://192.0.2.7:8081/readyz, to who shows a certificate":              {PrivateListen: "192.0.2.7:8081", PrivateTLSCert: "/c.pem"},
	} {
		assert.Equal(t, want, askReady(s))
	}
}

func TestConfigCheckWithoutTheFolderOfTheStore(t *testing.T) {
	path := writeFileConfig(t, "")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	gone := strings.Replace(string(text), "/trunkline.db", "/gone/trunkline.db", 1)
	require.NoError(t, os.WriteFile(path, []byte(gone), 0o600))
	code, out, stderr := start(t, "config", "check", "--config", path)
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, out)
	assert.Contains(t, stderr, "store.url is in a folder that does not exist; run: install -d -m 700 -o trunkline "+filepath.Join(filepath.Dir(path), "gone"))
	assert.Contains(t, stderr, "trunkline: 1 mistake in the configuration")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestOutputThatCannotBeWritten(t *testing.T) {
	var errs bytes.Buffer
	code := run(context.Background(), []string{"config", "secret"}, brokenWriter{}, &errs, func(string) string { return "" })
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs.String(), "already closed")
}
