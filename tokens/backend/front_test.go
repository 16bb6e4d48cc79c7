package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

const (
	domain       = "social.example"
	sharedSecret = "the-shared-secret-of-this-test"
)

// verifier and feed are what a composition root makes of tokens.
type verifier struct{ *tokens.Service }

func (v verifier) Check(ctx context.Context, service, username, secret, front, from string) (
	ok bool, reason, account, session, credential string, err error) {
	found, err := v.Service.Check(ctx, tokens.Attempt{
		Service: service, Username: username, Secret: secret, Front: front, From: from,
	})
	return found.OK, found.Reason, found.Account, found.Session, found.Credential, err
}

type feed struct{ *tokens.Service }

func (f feed) Feed(ctx context.Context, after int64, limit int) (ended []backend.Ended, last int64, err error) {
	entries, last, err := f.Service.Feed(ctx, after, limit)
	for _, e := range entries {
		ended = append(ended, backend.Ended{
			Kind: e.Kind, Subject: e.Subject, User: e.Username, Account: e.Account, Reason: e.Reason,
		})
	}
	return ended, last, err
}

// question is what a server sends; Op is "feed" for what ended.
type question struct{ Op, User, Host, Secret, Address string }

// front is Trunkline's private listener, with faults on demand.
type front struct {
	tb      testing.TB
	addr    string
	backend http.Handler

	mu     sync.Mutex
	fault  http.HandlerFunc // instead of the backend, if set
	asked  map[string]int   // by op
	last   question         // the last with a password
	server *http.Server
}

func newFront(tb testing.TB, service *tokens.Service) *front {
	tb.Helper()
	return newFrontFor(tb, service, domain)
}

func newFrontFor(tb testing.TB, service *tokens.Service, domain string) *front {
	tb.Helper()
	core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{service}, Domain: domain})
	require.NoError(tb, err)
	f := &front{
		tb: tb, addr: "127.0.0.1:0", asked: map[string]int{},
		backend: backend.Prosody(core, feed{service}, []byte(sharedSecret), slog.New(slog.DiscardHandler)),
	}
	f.up()
	tb.Cleanup(f.down)
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var q question
	_ = json.Unmarshal(body, &q)
	if q.Op == "" {
		q.Op = "feed"
	}
	f.mu.Lock()
	f.asked[q.Op]++
	if q.Op == "auth" {
		f.last = q
	}
	fault := f.fault
	f.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	f.backend.ServeHTTP(w, r)
}

func (f *front) setFault(fault http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *front) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[op]
}

// asking is the last question about a password.
func (f *front) asking() question {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// up listens, after down on the same port as before.
func (f *front) up() {
	f.tb.Helper()
	l, err := net.Listen("tcp", f.addr)
	require.NoError(f.tb, err)
	f.addr = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/verify", f)
	mux.Handle("/prosody/revocations", f)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	f.mu.Lock()
	f.server = server
	f.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	f.tb.Cleanup(func() { _ = server.Close(); <-done })
}

// down refuses all connections and cuts those there are.
func (f *front) down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.server.Close()
}

// hang accepts questions and never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

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

// stack is the whole way from a client's password to the database.
type stack struct {
	tb      testing.TB
	clock   *clock
	tokens  *tokens.Service
	db      *sqldb.DB
	front   *front
	prosody *integration.Prosody
}

// newStack starts it with alice, bob and carol in it. hostExtra is added to
// Prosody's configuration.
func newStack(t *testing.T, hostExtra string) *stack {
	t.Helper()
	return newStackWith(t, integration.ProsodyConfig{HostExtra: hostExtra})
}

// newStackWith is newStack with more of Prosody's configuration.
func newStackWith(t *testing.T, cfg integration.ProsodyConfig) *stack {
	t.Helper()
	s := newTokens(t)
	s.front = newFront(t, s.tokens)
	cfg.Domain, cfg.VerifyURL, cfg.VerifySecret = domain, "http://"+s.front.addr+"/verify", sharedSecret
	s.prosody = integration.StartProsody(t, cfg)
	return s
}

// newTokens is a stack of alice, bob and carol alone.
func newTokens(t testing.TB) *stack {
	t.Helper()
	s := &stack{tb: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, db: sqldbtest.New(t)}
	var err error
	s.tokens, err = tokens.New(tokens.Config{DB: s.db, Key: bytes.Repeat([]byte{7}, 32), Now: s.clock.Now})
	require.NoError(t, err)
	for _, name := range []string{"alice", "bob", "carol"} {
		_, err := s.db.ExecContext(t.Context(),
			`INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
				VALUES ($1, $2, 0, 0, $3, $4)`,
			"id-"+name, name, s.clock.Now().UnixMilli(), s.clock.Now().Add(24*time.Hour).UnixMilli())
		require.NoError(t, err)
	}
	return s
}

// password is a fresh one for this person.
func (s *stack) password(name string) string {
	s.tb.Helper()
	secret, _, err := s.tokens.IssueTemporary(s.tb.Context(), "id-"+name, "session-"+name)
	require.NoError(s.tb, err)
	return secret
}

// login says how Prosody answers: "" for success, else the SASL condition.
func (s *stack) login(name, password string) string {
	s.tb.Helper()
	raw, err := integration.Dial(s.tb.Context(), s.prosody.Addr(), domain)
	require.NoError(s.tb, err)
	defer raw.Close()
	return condition(s.tb, raw.Login(s.tb.Context(), name, password))
}

func condition(tb testing.TB, err error) string {
	tb.Helper()
	if err == nil {
		return ""
	}
	var refused *integration.SASLError
	require.ErrorAs(tb, err, &refused)
	return refused.Condition
}

// connect logs in with a fresh password and binds.
func (s *stack) connect(name string) *integration.Client {
	s.tb.Helper()
	return integration.Connect(s.tb, s.prosody, name, s.password(name), "test")
}
