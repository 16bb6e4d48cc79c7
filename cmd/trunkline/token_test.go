package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
)

// instance is a configuration with a database that alice and bob logged in to,
// and that no Trunkline runs on.
type instance struct {
	t    *testing.T
	path string
	db   *sqldb.DB
}

func newInstance(t *testing.T, lines string) *instance {
	t.Helper()
	i := &instance{t: t, path: writeConfig(t, lines)}
	n, err := (&call{ctx: t.Context(), stderr: t.Output()}).adminNode(i.config(), false)
	require.NoError(t, err)
	i.db = n.db
	t.Cleanup(func() { require.NoError(t, n.db.Close()) })
	now := time.Now().UnixMilli()
	for id, name := range map[string]string{"11": "alice", "12": "bob"} {
		i.exec(`INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
			VALUES ($1, $2, $3, $3, $3, $4)`, id, name, now, now+86_400_000)
	}
	return i
}

func (i *instance) exec(query string, args ...any) {
	i.t.Helper()
	_, err := i.db.ExecContext(i.t.Context(), query, args...)
	require.NoError(i.t, err)
}

// run runs a command that must succeed.
func (i *instance) run(args ...string) (stdout, stderr string) {
	i.t.Helper()
	code, stdout, stderr := start(i.t, append(args, "--config", i.path)...)
	require.Equal(i.t, exitOK, code, stderr)
	return stdout, stderr
}

// fail runs a command that must fail, and say so.
func (i *instance) fail(code int, says string, args ...string) {
	i.t.Helper()
	got, stdout, stderr := start(i.t, append(args, "--config", i.path)...)
	require.Equal(i.t, code, got, stderr)
	require.Empty(i.t, stdout)
	require.Contains(i.t, stderr, says)
}

// service is what would answer an XMPP server.
func (i *instance) check(service, username, secret string) string {
	i.t.Helper()
	n, err := (&call{ctx: i.t.Context(), stderr: i.t.Output()}).adminNode(i.config(), false)
	require.NoError(i.t, err)
	defer n.db.Close()
	v, err := n.tokens.Check(i.t.Context(), tokens.Attempt{Service: service, Username: username, Secret: secret})
	require.NoError(i.t, err)
	return v.Reason
}

func TestTokenIssue(t *testing.T) {
	i := newInstance(t, "")
	out, stderr := i.run("token", "issue", "Alice", "--name", "Anna's phone")
	require.Regexp(t, `^tld(-[a-z2-7]{4}){6}\n$`, out, "the secret alone")
	secret := strings.TrimSpace(out)
	require.NotContains(t, stderr, secret)
	require.Contains(t, stderr, `"Anna's phone"`)
	require.Contains(t, stderr, "alice@social.example")
	require.Equal(t, "ok", i.check("xmpp", "alice", secret))
	for _, name := range []string{"@alice", "alice@social.example", "@ALICE@Social.Example"} {
		i.run("token", "issue", name, "--name", "x")
	}
	i.fail(exitFailed, "another server", "token", "issue", "alice@elsewhere.example", "--name", "x")
	i.fail(exitFailed, "ask them to open the chat at http://127.0.0.1:8080 once", "token", "issue", "carol", "--name", "x")
	i.fail(exitFailed, "1 to 60 characters", "token", "issue", "alice", "--name", strings.Repeat("x", 61))
	i.fail(exitFailed, "set sip.server", "token", "issue", "alice", "--name", "x", "--service", "sip")
	i.exec(`UPDATE accounts SET suspended_at = 1, standing = 'moved' WHERE username = 'bob'`)
	i.fail(exitFailed, "trunkline account show bob", "token", "issue", "bob", "--name", "x")
	i.run("account", "suspend", "alice")
	i.fail(exitFailed, "trunkline account restore alice", "token", "issue", "alice", "--name", "x")
}

// A password rests on what Mastodon said in the last minutes, also an admin's.
func TestTokenIssueAsksMastodon(t *testing.T) {
	i := newInstance(t, "")
	const gone = "127.0.0.1:1" // where nobody listens
	text, err := os.ReadFile(i.path)
	require.NoError(t, err)
	away := strings.Replace(string(text), "127.0.0.1:3000", gone, 1)
	require.NoError(t, os.WriteFile(i.path, []byte(away), 0o600))
	i.run("token", "issue", "alice", "--name", "asked just now")
	i.exec(`UPDATE accounts SET standing_at = standing_at - 360000`)
	i.fail(exitFailed, "cannot be told now by Mastodon at http://"+gone, "token", "issue", "alice", "--name", "x")
}

// A command that cannot ask Mastodon does not behave as if it had.
func TestWhoCannotAskMastodonSaysSo(t *testing.T) {
	i := newInstance(t, "")
	i.exec(`UPDATE accounts SET standing_at = standing_at - 360000, trusted_until = 0`)
	n, err := (&call{ctx: t.Context(), stderr: t.Output()}).adminNode(i.config(), false)
	require.NoError(t, err)
	defer n.close()
	_, _, err = n.tokens.IssueDevice(t.Context(), "11", tokens.ServiceXMPP, "x")
	require.ErrorIs(t, err, tokens.ErrStandingUnknown)
	require.ErrorContains(t, err, "does not ask Mastodon")
	_, err = n.tokens.Exists(t.Context(), "carol")
	require.ErrorIs(t, err, errNotAsked)
}

// Mastodon's database is closed with the rest.
func TestCommandsCloseWhatTheyOpened(t *testing.T) {
	i := newInstance(t, "mastodon_db_url = \"postgres://trunkline@127.0.0.1:1/mastodon\"\n")
	before := goleak.IgnoreCurrent()
	i.run("token", "issue", "alice", "--name", "Phone")
	require.NoError(t, goleak.Find(before))
}

// What admins did stands in the audit record, and no secret beside it.
func TestAdminsAreRecorded(t *testing.T) {
	i := newInstance(t, "")
	secret, stderr := i.run("token", "issue", "alice", "--name", "Phone")
	id := stderr[strings.LastIndex(stderr, " ")+1 : len(stderr)-1]
	i.run("token", "revoke", id)
	i.run("account", "suspend", "alice", "--reason", "spam")
	i.run("account", "restore", "alice")
	rows := func() (got []string) {
		list, err := i.db.QueryContext(t.Context(),
			`SELECT front || ' ' || op || ' ' || username || ' ' || account_id || ' ' || credential_id || ' ' || outcome || ' ' || reason FROM audit ORDER BY seq`)
		require.NoError(t, err)
		defer list.Close()
		for list.Next() {
			var row string
			require.NoError(t, list.Scan(&row))
			got = append(got, strings.TrimSpace(row))
		}
		require.NoError(t, list.Err())
		return got
	}
	require.Equal(t, []string{
		"admin issue alice 11 " + id + " ok xmpp", "admin revoke alice 11 " + id + " ok " + revokedByAdmin,
		"admin suspend alice 11  ok spam", "admin restore alice 11  ok",
	}, rows())
	require.NotContains(t, strings.Join(rows(), ""), strings.TrimSpace(secret)[4:])
	i.run("account", "forget", "alice", "--yes")
	require.Equal(t, []string{"admin forget  11  ok"}, rows(), "nothing names alice any more")
}

func TestTokenIssueIsBounded(t *testing.T) {
	i := newInstance(t, "")
	for n := range tokens.MaxDevices {
		i.exec(`INSERT INTO credentials (id, account_id, purpose, hash, created_at) VALUES ($1, '11', 'device', $2, 0)`,
			fmt.Sprint(n), []byte(fmt.Sprint(n)))
	}
	i.fail(exitFailed, "revoke one first: trunkline token list alice", "token", "issue", "alice", "--name", "x")
}

func TestTokenForScripts(t *testing.T) {
	i := newInstance(t, "")
	out, stderr := i.run("token", "issue", "alice", "--name", "a <b> & c", "--json")
	require.Empty(t, stderr)
	var made map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Equal(t, "alice@social.example", made["login"])
	require.Equal(t, "social.example", made["server"])
	require.Equal(t, "ok", i.check("xmpp", "alice", made["secret"].(string)))
	i.run("token", "issue", "bob", "--name", "second")

	out, _ = i.run("token", "list", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	var first map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.Equal(t, "a <b> & c", first["name"])
	require.Nil(t, first["last_used_at"])
	require.NotContains(t, out, "secret", "it was told once")
	require.NotContains(t, out, made["secret"].(string))
	out, _ = i.run("token", "revoke", first["id"].(string), "--json")
	require.Contains(t, out, first["id"])
	out, _ = i.run("token", "list", "alice", "--json")
	require.Empty(t, out)
	out, _ = i.run("token", "list", "alice", "--json", "--all")
	require.Contains(t, out, `"revoked_at":"2`)
}

func TestTokenListAndRevoke(t *testing.T) {
	i := newInstance(t, "")
	out, stderr := i.run("token", "list")
	require.Empty(t, out)
	require.Contains(t, stderr, "There are no device passwords.")
	secret, stderr := i.run("token", "issue", "alice", "--name", "Anna's phone")
	id := stderr[strings.LastIndex(stderr, " ")+1 : len(stderr)-1]
	i.run("token", "issue", "bob", "--name", "Tablet")
	i.exec(`UPDATE credentials SET last_used_at = $1, last_used_from = '203.0.113.0/24' WHERE id = $2`,
		time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMilli(), id)
	out, _ = i.run("token", "list")
	require.Regexp(t, `(?m)^USERNAME +ID +SERVICE +DEVICE`, out)
	require.Regexp(t, `(?m)^alice +`+id+` +xmpp +Anna's phone .* 2026-03-04 05:06 +203\.0\.113\.0/24`, out)
	require.Regexp(t, `(?m)^bob .* Tablet .* never`, out)
	out, _ = i.run("token", "list", "bob")
	require.NotContains(t, out, "alice")

	out, _ = i.run("token", "revoke", strings.ToUpper(id))
	require.Contains(t, out, `Revoked `+id+`, "Anna's phone" of alice.`)
	require.Equal(t, "revoked", i.check("xmpp", "alice", strings.TrimSpace(secret)))
	out, stderr = i.run("token", "revoke", id)
	require.Empty(t, out)
	require.Contains(t, stderr, "already")
	i.fail(exitFailed, `no device password has the id "nothing"`, "token", "revoke", "nothing")
	out, _ = i.run("token", "list")
	require.NotContains(t, out, "alice")
	out, _ = i.run("token", "list", "--all")
	require.Contains(t, out, id)
	i.fail(exitFailed, "nobody called", "token", "list", "carol")
}

// A SIP server is told of nothing: whoever revokes a phone hears what that means.
func TestRevokingAPhoneSaysWhenItEnds(t *testing.T) {
	i := newInstance(t, "[sip]\nserver = \"sip.social.example\"\n")
	for service, says := range map[string]string{
		"xmpp": "is signed out within seconds", "sip": "refused from now on; it may ring until its registration ends, within five minutes",
	} {
		_, stderr := i.run("token", "issue", "alice", "--name", "Phone", "--service", service)
		out, _ := i.run("token", "revoke", stderr[strings.LastIndex(stderr, " ")+1:len(stderr)-1])
		require.Contains(t, out, says)
		require.Equal(t, service == "xmpp", strings.Contains(out, "within seconds"))
	}
}

func TestTokenPurge(t *testing.T) {
	i := newInstance(t, "")
	out, stderr := i.run("token", "purge")
	require.Empty(t, out)
	require.Contains(t, stderr, "No device password")
	old, _ := i.run("token", "issue", "alice", "--name", "old")
	i.exec(`UPDATE credentials SET created_at = created_at - $1`, (91 * 24 * time.Hour).Milliseconds())
	young, _ := i.run("token", "issue", "alice", "--name", "young")
	out, _ = i.run("token", "purge", "--dry-run")
	require.Contains(t, out, `Would revoke`)
	require.Contains(t, out, `"old" of alice, last used: never`)
	require.Equal(t, "ok", i.check("xmpp", "alice", strings.TrimSpace(old)))
	out, _ = i.run("token", "purge", "--older", "92d")
	require.Empty(t, out)
	out, _ = i.run("token", "purge")
	require.Equal(t, 1, strings.Count(out, "Revoked "))
	require.Equal(t, "revoked", i.check("xmpp", "alice", strings.TrimSpace(old)))
	require.Equal(t, "ok", i.check("xmpp", "alice", strings.TrimSpace(young)))
}

func TestTokenMisuse(t *testing.T) {
	for _, tc := range []struct{ args, says string }{
		{"token", "needs a word: issue"},
		{"token make", `no word "make"`},
		{"token issue", "needs one NAME"},
		{"token issue alice bob --name x", "needs one NAME"},
		{"token issue alice", "needs a name for the device"},
		{"token issue alice --name x --service smtp", "--service is xmpp"},
		{"token list a b", "one NAME or none"},
		{"token revoke", "needs an ID"},
		{"token purge alice", "takes no NAME"},
		{"token purge --older 90", "--older is a number of days"},
		{"token purge --older 0d", "--older is a number of days"},
		{"token list --al", "-al"},
	} {
		code, out, stderr := start(t, strings.Fields(tc.args)...)
		assert.Equal(t, exitUsage, code, tc.args)
		assert.Empty(t, out)
		assert.Contains(t, stderr, tc.says, tc.args)
	}
	code, _, stderr := start(t, "token", "list", "--config", "/nowhere/trunkline.toml")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "no such file")
}

// An age that is read is a whole number of days within bounds, and has one way
// to be said.
func FuzzParseAge(f *testing.F) {
	for _, s := range []string{"90d", "1d", "0d", "36500d", "36501d", "-1d", "90", "d", "9 0d", "+5d", "1e3d", "007d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		age, ok := parseAge(s)
		if !ok {
			require.Zero(t, age)
			return
		}
		require.GreaterOrEqual(t, age, 24*time.Hour)
		require.LessOrEqual(t, age, 36500*24*time.Hour)
		again, ok := parseAge(fmt.Sprintf("%dd", age/(24*time.Hour)))
		require.True(t, ok)
		require.Equal(t, age, again)
	})
}
