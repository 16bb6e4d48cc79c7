package webclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// personal are the tables that may hold something of a person.
var personal = []string{"accounts", "credentials", "revocations", "mastodon_apps", "pending_logins", "browser_sessions",
	"logins", "handoffs", "consents", "consent_changes", "follows", "imports", "import_items", "resumptions",
	"sip_digests", "audit", "access_tokens", "cursors"}

// dump is every cell of a table as text.
func (w *world) dump(table string) string {
	w.t.Helper()
	rows, err := w.db.QueryContext(w.t.Context(), `SELECT * FROM `+table)
	require.NoError(w.t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(w.t, err)
	var b strings.Builder
	for rows.Next() {
		cells, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		require.NoError(w.t, rows.Scan(into...))
		for _, cell := range cells {
			if raw, ok := cell.([]byte); ok {
				cell = string(raw)
			}
			fmt.Fprintf(&b, "%v|", cell)
		}
		b.WriteByte('\n')
	}
	require.NoError(w.t, rows.Err())
	return b.String()
}

// fill gives somebody a row in every table that a person can have one in.
func (w *world) fill(name string) {
	w.t.Helper()
	id, now := w.instance.AccountID(name), w.clock.now().UnixMilli()
	w.device(name)
	device := "device of " + name
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO sip_digests VALUES ($1, 'social.example', $2, $3, $4, $5)`, []any{device, name, name, name, name}},
		{`INSERT INTO access_tokens (hash, credential_id, account_id, created_at, expires_at) VALUES ($1, $2, $3, 1, 2)`,
			[]any{[]byte("token " + name), device, id}},
		{`INSERT INTO resumptions (key, account_id, state, expires_at) VALUES ($1, $2, $3, $4)`,
			[]any{[]byte("sm " + name), id, []byte(name), now + 3_600_000}},
		{`INSERT INTO audit (at, front, op, username, account_id, outcome) VALUES ($1, 'prosody', 'auth', $2, $3, 'yes')`,
			[]any{now, name, id}},
		{`INSERT INTO audit (at, front, op, username, outcome) VALUES ($1, 'prosody', 'auth', $2, 'no')`, []any{now, name}},
		{`INSERT INTO revocations (kind, subject, reason, at, account_id, username) VALUES ('account', $1, '', $2, $1, $3)`,
			[]any{id, now, name}},
		{`INSERT INTO revocations (kind, subject, reason, at, account_id, username) VALUES ('credential', 'x', '', $1, $2, $3)`,
			[]any{now - 48*3_600_000, id, name}},
		{`INSERT INTO handoffs (code_hash, login_id, created_at) SELECT $1, id, $2 FROM logins WHERE account_id = $3`,
			[]any{[]byte("code " + name), now, id}},
	} {
		_, err := w.db.ExecContext(w.t.Context(), step.query, step.args...)
		require.NoError(w.t, err, step.query)
	}
}

func TestForget(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice, bob := w.in("alice"), w.in("bob")
	login := alice.login()
	for _, u := range []*user{alice, bob} {
		u.do("PUT", "/api/v1/consent", `{"presence":"contacts","typing":true,"receipts":false,"text_version":1}`)
		u.get("/api/v1/follows")
	}
	startImport(t, alice, "k", alice.pick("bob"))
	startImport(t, bob, "k", bob.pick("alice"))
	w.eventually("imports are done", func() bool { return w.count(`SELECT count(*) FROM imports WHERE finished_at IS NULL`) == 0 })
	w.fill("alice")
	w.fill("bob")
	id, bobs := w.instance.AccountID("alice"), w.dump("accounts")

	r, err := w.s.Forget(t.Context(), " Alice ")
	require.NoError(t, err)
	assert.Equal(t, "alice", r.Username)
	assert.Equal(t, id, r.Account)
	assert.True(t, r.MastodonTokenRevoked)
	assert.Equal(t, 1, w.instance.Counters().TokensLive, "bob's")
	assert.True(t, w.issuer.hasRevoked("account "+id))
	for table, want := range map[string]int64{"accounts": 1, "credentials": 1, "logins": 1, "handoffs": 1, "browser_sessions": 1,
		"consents": 1, "consent_changes": 1, "imports": 1, "import_items": 2, "resumptions": 1, "sip_digests": 1,
		"access_tokens": 1, "audit": 2, "revocations": 1} {
		assert.Equal(t, want, r.Tables[table], table)
	}
	for _, table := range personal {
		text := w.dump(table)
		if table == "revocations" {
			assert.Contains(t, text, "alice", "others must still hear whose streams to close")
			continue
		}
		for _, trace := range []string{id, "alice@social.example", login} {
			assert.NotContains(t, text, trace, table)
		}
		if table != "follows" { // profile addresses of others may hold the word
			assert.NotContains(t, text, "alice", table)
		}
	}
	assert.Contains(t, bobs, "bob")
	for _, table := range []string{"accounts", "credentials", "logins", "consents", "follows", "imports", "resumptions", "sip_digests", "audit"} {
		assert.NotEmpty(t, w.dump(table), "bob keeps his")
	}
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
	assert.Equal(t, http.StatusOK, bob.get("/api/v1/session").status)

	w.clock.advance(25 * time.Hour)
	w.eventually("the feed forgets the name", func() bool { return !strings.Contains(w.dump("revocations"), "alice") })
	assert.Contains(t, w.dump("revocations"), "bob")
	assert.Contains(t, w.dump("revocations"), id, "what ended stays ended")

	require.Equal(t, "ok", alice.signIn().code, "as if for the first time")
	var c consentJSON
	alice.get("/api/v1/consent").json(t, &c)
	assert.False(t, c.Decided)
}

func TestReceipt(t *testing.T) {
	r := Receipt{Username: "alice", Account: "42", JID: "alice@social.example", At: time.Unix(1_800_000_000, 0),
		Tables: map[string]int64{"logins": 2, "accounts": 1}, MastodonToken: true, MastodonTokenRevoked: true}
	text := r.Text()
	for _, part := range []string{"alice", "42", "     1  accounts\n       2  logins\n", "was given back", "archive", "alice@social.example"} {
		assert.Contains(t, text, part)
	}
	r.MastodonTokenRevoked = false
	assert.Contains(t, r.Text(), "could not be given back")
	r.MastodonToken = false
	assert.Contains(t, r.Text(), "no access")
}

func TestForgetThatFails(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	_, err := w.s.Forget(t.Context(), "nobody")
	require.EqualError(t, err, `webclient: forget: nobody called "nobody" has signed in here`)
	w.issuer.set(errors.New("tokens: the database is busy"))
	_, err = w.s.Forget(t.Context(), "alice")
	require.Error(t, err)
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM accounts`), "nothing is half done")
	w.issuer.set(nil)
	w.instance.SetDown(mastodontest.Down503)
	r, err := w.s.Forget(t.Context(), "alice")
	require.NoError(t, err)
	assert.True(t, r.MastodonToken)
	assert.False(t, r.MastodonTokenRevoked)
	assert.Zero(t, w.count(`SELECT count(*) FROM accounts`))
}

// Another process may write rows into the audit log that it has kept from before.
func TestForgetLateAudit(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	w.in("bob")
	id := w.instance.AccountID("alice")
	row := func(username, account string, at time.Time) {
		t.Helper()
		_, err := w.db.ExecContext(t.Context(), `INSERT INTO audit (at, front, op, username, account_id, outcome)
			VALUES ($1, 'prosody', 'auth', $2, $3, 'yes')`, at.UnixMilli(), username, account)
		require.NoError(t, err)
	}
	before := w.clock.now()
	w.clock.advance(time.Second)
	_, err := w.s.Forget(t.Context(), "alice")
	require.NoError(t, err)
	row("alice", id, before)
	row("alice", "", before)
	row("", id, before)
	row("bob", w.instance.AccountID("bob"), before)
	row("alice", "new", w.clock.now().Add(time.Second))
	w.eventually("what came late is gone", func() bool { return w.count(`SELECT count(*) FROM audit`) == 2 })
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM audit WHERE username = 'bob'`))
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM audit WHERE account_id = 'new'`), "who comes back is somebody new")
}

// A device that is made between the revocation and the end of the row must not keep
// what was opened with it.
func TestWhatIsMadeMeanwhileEndsWithTheAccount(t *testing.T) {
	for how, end := range map[string]func(w *world) error{
		"rebound":   func(w *world) error { return w.s.Rebind(w.t.Context(), "alice", "4711") },
		"forgotten": func(w *world) error { _, err := w.s.Forget(w.t.Context(), "alice"); return err },
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			w.in("alice")
			id := w.instance.AccountID("alice")
			w.issuer.ended = func() { w.device("alice") }
			require.NoError(t, end(w))
			assert.Zero(t, w.count(`SELECT count(*) FROM credentials`))
			assert.Equal(t, 1, w.count(`SELECT count(*) FROM revocations WHERE kind = 'account' AND subject = $1
				AND account_id = $1 AND username = 'alice' AND reason = $2`, id, how), "the double writes none")
		})
	}
}
