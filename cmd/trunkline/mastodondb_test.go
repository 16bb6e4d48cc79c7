package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// mastodonsDatabase is a database with Mastodon's tables, and bob in it.
func mastodonsDatabase(t *testing.T, id, password string) (url string) {
	t.Helper()
	url = sqldbtest.NewPostgres(t)
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer db.Close(t.Context())
	tables, err := os.ReadFile("../../tokens/mastodondb/testdata/mastodon.sql")
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), string(tables))
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `INSERT INTO accounts (id, username, created_at, updated_at) VALUES ($1::text::bigint, 'bob', now(), now())`, id)
	require.NoError(t, err)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `INSERT INTO users (account_id, encrypted_password, confirmed_at, created_at, updated_at)
		VALUES ($1::text::bigint, $2, now(), now(), now())`, id, string(hash))
	require.NoError(t, err)
	return url
}

// TestServeWithMastodonsOwnPasswords: bob has never opened the panel. His Mastodon
// password works at a real Prosody; he is known to exist; and when a webhook says
// that he is suspended, the session ends, though there is no account of his here.
func TestServeWithMastodonsOwnPasswords(t *testing.T) {
	instance := mastodontest.New(mastodontest.Options{Domain: "social.example"})
	origin, stop, err := instance.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	const his = "correct horse battery staple"
	_, key, _ := start(t, "config", "secret")
	webhook := strings.TrimSpace(key)
	path := writeConfig(t, fmt.Sprintf("webhook_secret = %q\nmastodon_db_url = %q\n", webhook,
		mastodonsDatabase(t, instance.AccountID("bob"), his))+jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "http://127.0.0.1:3000", origin, 1)), 0o600))
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	r := startServing(t, path, nil)
	secret := cfg.Secrets.VerifySecret.Reveal()
	prosody := integration.StartProsody(t, integration.ProsodyConfig{VerifyURL: "http://" + r.private + "/verify", VerifySecret: secret})

	exists := func(name string) string {
		q := httpFronts["verify_secret"]
		q.body = func(string) string { return fmt.Sprintf(`{"op":"exists","user":%q,"host":"social.example"}`, name) }
		return q.ask(t, r.private, secret, "")
	}
	assert.Contains(t, exists("bob"), `"yes"`, "Mastodon knows him")
	assert.Contains(t, exists("nobody_of_that_name"), `"no"`)

	phone := integration.Connect(t, prosody, "bob", his, "phone")
	phone.Sync()
	instance.SetState("bob", mastodontest.Suspended)
	_, err = instance.SendWebhook(t.Context(), "http://"+r.public+"/hooks/mastodon", webhook, "account.updated", "bob")
	require.NoError(t, err)
	phone.Expect("the end", func(e integration.Element) bool { return e.Name.Local == "error" && e.Child == "not-authorized" })
	assert.Equal(t, exitOK, r.stop())
	assert.NotContains(t, r.text(), his)
}
