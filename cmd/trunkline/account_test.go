package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
)

func (i *instance) config() *config.Config {
	i.t.Helper()
	cfg, err := config.Load(i.path, func(string) string { return "" })
	require.NoError(i.t, err)
	return cfg
}

func TestAccountSuspendAndRestore(t *testing.T) {
	i := newInstance(t, "")
	out, _ := i.run("token", "issue", "alice", "--name", "Phone")
	secret := strings.TrimSpace(out)
	out, _ = i.run("account", "suspend", "ALICE", "--reason", "spam in rooms")
	require.Contains(t, out, "alice is suspended")
	require.Contains(t, out, "trunkline account restore alice")
	require.Equal(t, "blocked", i.check("xmpp", "alice", secret))
	out, _ = i.run("account", "show", "alice")
	require.Regexp(t, `Here: +suspended since 20.*: spam in rooms`, out)
	out, _ = i.run("account", "list")
	require.Regexp(t, `(?m)^alice +11 +suspended here +1 `, out)
	require.Regexp(t, `(?m)^bob +12 +good +0 `, out)

	out, _ = i.run("account", "restore", "alice")
	require.Contains(t, out, "alice can chat again")
	require.Equal(t, "ok", i.check("xmpp", "alice", secret), "without a new password")
	_, stderr := i.run("account", "restore", "alice")
	require.Contains(t, stderr, "was not suspended here")
	i.exec(`UPDATE accounts SET suspended_at = 1, standing = 'disabled' WHERE username = 'alice'`)
	out, _ = i.run("account", "restore", "alice")
	require.Contains(t, out, "Mastodon says the account is disabled")
	i.fail(exitFailed, "nobody called", "account", "suspend", "carol")
	i.fail(exitFailed, "nobody called", "account", "restore", "carol")
}

func TestAccountShow(t *testing.T) {
	i := newInstance(t, "")
	i.exec(`UPDATE accounts SET display_name = $1 WHERE username = 'alice'`, "Alice \x1b[31m")
	i.run("token", "issue", "alice", "--name", "Phone")
	out, _ := i.run("account", "show", "@alice@social.example")
	for _, line := range []string{
		`Username: +alice`, `Display name: +Alice \x{FFFD}\[31m`, `Chat address: +alice@social\.example`, `Mastodon id: +11`,
		`At Mastodon: +good, last heard to be good 20`, `Here: +not suspended`, `Device passwords: +1, good until 20`,
		`ID +SERVICE +DEVICE`, `[a-z2-7]{26} +xmpp +Phone`,
	} {
		require.Regexp(t, `(?m)^`+line, out)
	}
	out, _ = i.run("account", "show", "alice", "--json")
	var view map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &view))
	require.Equal(t, "good", view["standing"])
	require.Nil(t, view["suspended_at"])
	require.Len(t, view["devices"], 1)
	out, _ = i.run("account", "list", "--json")
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 2)
	i.fail(exitFailed, "nobody called", "account", "show", "carol")

	empty := newInstance(t, "")
	empty.exec(`DELETE FROM accounts`)
	out, stderr := empty.run("account", "list")
	require.Empty(t, out)
	require.Contains(t, stderr, "Nobody has logged in yet.")
}

func TestAccountForget(t *testing.T) {
	i := newInstance(t, "")
	out, _ := i.run("token", "issue", "alice", "--name", "Phone")
	secret := strings.TrimSpace(out)
	i.fail(exitUsage, "add --yes", "account", "forget", "alice")
	require.Equal(t, "ok", i.check("xmpp", "alice", secret))
	out, _ = i.run("account", "forget", "Alice", "--yes")
	require.Contains(t, out, "alice, Mastodon account 11")
	require.Regexp(t, `(?m)^ +1  credentials$`, out)
	require.Equal(t, "unknown_secret", i.check("xmpp", "alice", secret))
	i.fail(exitFailed, "nobody called", "account", "show", "alice")
	i.fail(exitFailed, "nobody called", "account", "forget", "alice", "--yes")
	i.run("account", "show", "bob")
}

func TestAccountMisuse(t *testing.T) {
	for _, tc := range []struct{ args, says string }{
		{"account", "needs a word: list, show"},
		{"account remove", `no word "remove"`},
		{"account list alice", "account show"},
		{"account show", "needs one NAME"},
		{"account suspend alice bob", "needs one NAME"},
		{"account forget", "needs one NAME"},
		{"account rebind alice", "a name and the new id"},
		{"account show alice --yess", "-yess"},
	} {
		code, out, stderr := start(t, strings.Fields(tc.args)...)
		assert.Equal(t, exitUsage, code, tc.args)
		assert.Empty(t, out)
		assert.Contains(t, stderr, tc.says, tc.args)
	}
}
