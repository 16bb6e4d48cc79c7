package tokens

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var testKey = bytes.Repeat([]byte{1, 2}, 16)

// fixture is a service with alice (account "1") and bob ("2").
type fixture struct {
	*Service
	t     *testing.T
	db    *sqldb.DB
	clock *clock
	log   *bytes.Buffer
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{
		t: t, db: sqldbtest.New(t), log: &bytes.Buffer{},
		clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)},
	}
	addPeople(t, f.db)
	c := Config{
		DB: f.db, Key: testKey, Now: f.clock.Now,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: f.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	var err error
	f.Service, err = New(c)
	require.NoError(t, err)
	return f
}

// farAway is a time that no test reaches: the year 2100.
const farAway = 4102444800000

func addPeople(t *testing.T, db *sqldb.DB) {
	t.Helper()
	for id, name := range map[string]string{"1": "alice", "2": "bob"} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO accounts
			(id, username, created_at, last_login_at, standing_at, trusted_until) VALUES ($1, $2, 0, 0, $3, $3)`, id, name, farAway)
		require.NoError(t, err)
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

// issue gives alice a temporary credential in session "s".
func (f *fixture) issue() string {
	f.t.Helper()
	secret, expires, err := f.IssueTemporary(f.t.Context(), "1", "s")
	require.NoError(f.t, err)
	require.Equal(f.t, f.clock.Now().Add(2*time.Minute), expires)
	return secret
}

func (f *fixture) verify(username, secret string) bool {
	f.t.Helper()
	ok, err := f.Verify(f.t.Context(), username, secret)
	require.NoError(f.t, err)
	return ok
}

// lookup returns account, session and whether it was a credential at all.
func (f *fixture) lookup(username, secret string) (account, session, credential string, ok bool) {
	f.t.Helper()
	account, session, credential, ok, err := f.Lookup(f.t.Context(), username, secret)
	require.NoError(f.t, err)
	return account, session, credential, ok
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.db.ExecContext(f.t.Context(), query, args...)
	require.NoError(f.t, err)
}

func (f *fixture) count(query string, args ...any) (n int) {
	f.t.Helper()
	require.NoError(f.t, f.db.QueryRowContext(f.t.Context(), query, args...).Scan(&n))
	return n
}

// device gives alice a device password.
func (f *fixture) device(service, name string) (Device, string) {
	f.t.Helper()
	d, secret, err := f.IssueDevice(f.t.Context(), "1", service, name)
	require.NoError(f.t, err)
	return d, secret
}

// phone lets SIP be offered.
func phone(c *Config) { c.Realm = "sip.example.org" }

// ask asks as an XMPP server would and returns the reason.
func (f *fixture) ask(username, secret string) string {
	f.t.Helper()
	return f.askFor(ServiceXMPP, username, secret)
}

func (f *fixture) askFor(service, username, secret string) string {
	f.t.Helper()
	v, err := f.Check(f.t.Context(), Attempt{Service: service, Username: username, Secret: secret, Front: "prosody"})
	require.NoError(f.t, err)
	require.Equal(f.t, v.Reason == ReasonOK, v.OK)
	return v.Reason
}

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
