package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// TestSuspendedAtMastodon goes the whole way: Mastodon's webhook says that alice
// is suspended; her phone's session at a real Prosody and her browser's through
// the gateway end, and her passwords are refused. When she is welcome again the
// same device password works.
func TestSuspendedAtMastodon(t *testing.T) {
	instance := mastodontest.New(mastodontest.Options{Domain: "social.example"})
	origin, stop, err := instance.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	xmpp, err := integration.FreePort()
	require.NoError(t, err)
	_, key, _ := start(t, "config", "secret")
	webhook := strings.TrimSpace(key)
	path := writeConfig(t, fmt.Sprintf("webhook_secret = %q\n", webhook)+jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	replaced := strings.NewReplacer("http://127.0.0.1:3000", origin, "127.0.0.1:5222", fmt.Sprint("127.0.0.1:", xmpp)).Replace(string(text))
	require.NoError(t, os.WriteFile(path, []byte(replaced), 0o600))
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)

	r := startServing(t, path, nil)
	prosody := integration.StartProsody(t, integration.ProsodyConfig{
		VerifyURL: "http://" + r.private + "/verify", VerifySecret: cfg.Secrets.VerifySecret.Reveal(),
		PrivacyLists: true, C2SPort: xmpp,
	})
	other, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer other.close()
	id := instance.AccountID("alice")
	_, err = other.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, 'alice', 1, 1)`, id)
	require.NoError(t, err)
	_, password, err := other.tokens.IssueDevice(t.Context(), id, tokens.ServiceXMPP, "phone")
	require.NoError(t, err, "Mastodon was asked, and lets her in")
	browsers, _, err := other.tokens.IssueTemporary(t.Context(), id, "s1")
	require.NoError(t, err)

	phone := integration.Connect(t, prosody, "alice", password, "phone")
	phone.Sync()
	browser := r.dial(t)
	browser.signIn("alice", browsers)

	tell := func(state mastodontest.State) {
		t.Helper()
		instance.SetState("alice", state)
		status, err := instance.SendWebhook(t.Context(), "http://"+r.public+"/hooks/mastodon", webhook, "account.updated", "alice")
		require.NoError(t, err)
		require.Less(t, status, 300)
	}
	tell(mastodontest.Suspended)
	phone.Expect("the end of the phone's stream", func(e integration.Element) bool { return e.Name.Local == "error" && e.Child == "not-authorized" })
	browser.closed("not-authorized")
	q := httpFronts["verify_secret"]
	assert.Contains(t, q.ask(t, r.private, cfg.Secrets.VerifySecret.Reveal(), password), `"no"`)
	_, _, err = other.tokens.IssueDevice(t.Context(), id, tokens.ServiceXMPP, "another")
	require.ErrorIs(t, err, tokens.ErrSuspended)

	await(t, func() bool {
		var n int
		require.NoError(t, other.db.QueryRowContext(t.Context(), `SELECT count(*) FROM audit
			WHERE front = 'mastodon' AND op = 'standing' AND username = 'alice' AND outcome = 'suspended' AND reason = 'webhook'`).Scan(&n))
		return n == 1
	})

	tell(mastodontest.Active)
	await(t, func() bool {
		return strings.Contains(q.ask(t, r.private, cfg.Secrets.VerifySecret.Reveal(), password), `"yes"`)
	})
	again := integration.Connect(t, prosody, "alice", password, "phone")
	again.Sync()

	// Without a webhook whoever has streams is asked about, again and again.
	browsers, _, err = other.tokens.IssueTemporary(t.Context(), id, "s2")
	require.NoError(t, err)
	browser = r.dial(t)
	browser.signIn("alice", browsers)
	instance.SetState("alice", mastodontest.Suspended)
	_, err = other.db.ExecContext(t.Context(), `UPDATE accounts SET standing_at = standing_at - $1`, time.Hour.Milliseconds())
	require.NoError(t, err)
	browser.closed("not-authorized")

	status, err := instance.SendWebhook(t.Context(), "http://"+r.public+"/hooks/mastodon", webhook+"x", "account.updated", "alice")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status, "signed with another secret")
	assert.Equal(t, exitOK, r.stop())
	assert.NotContains(t, r.text(), password)
}
