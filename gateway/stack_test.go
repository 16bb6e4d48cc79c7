package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

const (
	domain    = "social.example"
	pageURL   = "https://chat.social.example"
	shared    = "the-shared-secret-of-this-test"
	waitLimit = 30 * time.Second // for what comes, sooner or later
)

// people know one another only if a test makes them.
var people = []string{"alice", "bob", "carol"}

// stack is a real XMPP server that asks a real token service, and a gateway
// before it.
type stack struct {
	t        *testing.T
	db       *sqldb.DB
	tokens   *tokens.Service
	server   xmppServer            // one of the next two
	prosody  *integration.Prosody  // nil if it is not this one
	ejabberd *integration.Ejabberd // nil if it is not this one
	gateway  *gateway.Gateway
	stop     func() // ends Gateway.Run
	url      string
	consents *consents
	states   *resumptions
	metrics  *prometheus.Registry
	logs     *lockedBuffer
	secrets  []string // issued; none may be in the log
}

// stackConfig changes the stack before it starts.
type stackConfig struct {
	server    serverKind // Prosody if empty
	ownServer bool       // ejabberd: not the one that tests share; for who stops it, or fills it
	upstream  string     // an address in the server's place
	line      *line      // between the gateway and the server
	change    func(*gateway.Config)

	noPrivacyLists bool   // Prosody
	plainProsody   bool   // without what contrib/prosody does for hidden sessions
	prosody        string // more of Prosody's configuration
	prosodyHost    string // more of its host's, and components
	ejabberd       string // more modules of ejabberd, which the stack has for itself then
}

func newStack(t *testing.T, c stackConfig) *stack {
	t.Helper()
	s := &stack{
		t: t, db: sqldbtest.New(t), consents: &consents{}, states: &resumptions{known: map[string]resumption{}},
		logs: &lockedBuffer{},
	}
	for _, name := range people {
		_, err := s.db.ExecContext(t.Context(),
			"INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 0, 0)", "id-"+name, name)
		require.NoError(t, err)
	}
	var err error
	s.tokens, err = tokens.New(tokens.Config{
		DB: s.db, Key: bytes.Repeat([]byte("k"), 32), OnRevoked: s.revoked,
		AccountLimit: tokens.Limit{Burst: 10_000, Every: time.Millisecond},
		SessionLimit: tokens.Limit{Burst: 10_000, Every: time.Millisecond},
	})
	require.NoError(t, err)
	if c.upstream == "" {
		core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{s.tokens}, Domain: domain})
		require.NoError(t, err)
		s.startServer(c, core)
		c.upstream = s.server.Addr()
		if c.line != nil {
			c.upstream = c.line.to(c.upstream)
		}
	}
	s.startGateway(c)
	s.run(s.tokens.Run)
	return s
}

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

func (s *stack) startGateway(c stackConfig) {
	s.metrics = prometheus.NewRegistry()
	cfg := gateway.Config{
		Domain: domain, Upstream: gateway.Upstream{Address: c.upstream, TLS: gateway.TLSPlain},
		Origins: []string{pageURL}, Credentials: s.tokens, Consents: s.consents, Resumptions: s.states,
		Issuer: s.tokens, Metrics: s.metrics,
		Limits: gateway.Limits{
			Handshakes: -1, Logins: -1, // one person and one address are everybody here
			// A server on a busy machine is not late. What is about being late sets its own.
			AuthTime: 2 * waitLimit, Dial: waitLimit, Connect: waitLimit, Answer: waitLimit, Stall: waitLimit,
		},
		Log: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if c.change != nil {
		c.change(&cfg)
	}
	if cfg.Limits.ProbeEvery == 0 {
		cfg.Limits.ProbeEvery = -1 // what stands in for a server has its streams counted
	}
	g, err := gateway.New(cfg)
	require.NoError(s.t, err)
	s.gateway = g
	server := httptest.NewServer(g)
	s.url = "ws" + strings.TrimPrefix(server.URL, "http")
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			s.t.Error(err)
		}
		server.Close()
		s.checkLog()
		if s.t.Failed() {
			s.t.Logf("gateway's log:\n%s", s.logs)
		}
	})
	s.stop = s.run(g.Run)
}

// checkLog holds for every test: no fault, no secret, no stanza.
func (s *stack) checkLog() {
	log := s.logs.String()
	for _, unwanted := range append(s.secrets, "gateway: panic", "<body", "&lt;body", "I am here", "jabber:client") {
		if strings.Contains(log, unwanted) {
			s.t.Errorf("the log holds %q", unwanted)
		}
	}
}

// run keeps f going until stop is called or the test has ended.
func (s *stack) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// revoked is what serve.go does with a revocation.
func (s *stack) revoked(kind, subject, reason string) {
	switch kind {
	case "credential":
		s.gateway.CloseCredential(subject, reason)
	case "session":
		s.gateway.CloseSession(subject, reason)
	case "account":
		s.gateway.CloseAccount(subject, reason)
	}
}

func (s *stack) password(name string) string {
	s.t.Helper()
	secret, _, err := s.tokens.IssueTemporary(s.t.Context(), "id-"+name, "session-"+name)
	require.NoError(s.t, err)
	s.secrets = append(s.secrets, secret)
	return secret
}

// raw is a client that talks to the server itself.
func (s *stack) raw(name string) *integration.Client {
	s.t.Helper()
	return integration.Connect(s.t, s.server, name, s.password(name), "raw")
}

// contacts makes two people see each other's presence.
func (s *stack) contacts(a, b string) {
	s.t.Helper()
	ra, rb := s.raw(a), s.raw(b)
	for _, r := range []*integration.Client{ra, rb} {
		r.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
		r.Say("<presence/>")
		r.Sync()
	}
	befriend := func(from, to *integration.Client, fromName, toName string) {
		from.Say("<presence type='subscribe' to='" + toName + "@" + domain + "'/>")
		to.Expect("a request", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
		to.Say("<presence type='subscribed' to='" + fromName + "@" + domain + "'/>")
		from.Expect("the approval", func(e integration.Element) bool { return e.Attrs["type"] == "subscribed" })
		to.Sync()
		from.Sync()
	}
	befriend(ra, rb, a, b)
	befriend(rb, ra, b, a)
	for _, r := range []*integration.Client{ra, rb} {
		r.Say("<presence type='unavailable'/></stream:stream>")
		require.NoError(s.t, r.Close())
	}
}

// observer is a contact's client that is online and has caught up.
func (s *stack) observer(name string) *integration.Client {
	s.t.Helper()
	r := s.raw(name)
	r.Query("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
	r.Say("<presence/>")
	r.Sync()
	return r
}

// consents is what people agreed to.
type consents struct {
	mu sync.Mutex
	m  map[string][3]bool
}

func (c *consents) Consent(_ context.Context, account string) (presence, typing, receipts bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.m[account]
	return v[0], v[1], v[2], nil
}

func (c *consents) set(account string, v [3]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string][3]bool{}
	}
	c.m[account] = v
}

// awaitStreams waits until n streams are open.
func (s *stack) awaitStreams(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.gateway.Streams() == n }, waitLimit, 5*time.Millisecond)
}

// consent stores a change and tells the gateway, as serve.go does.
func (s *stack) consent(name string, presence, typing, receipts bool) {
	s.consents.set("id-"+name, [3]bool{presence, typing, receipts})
	s.gateway.ConsentChanged("id-"+name, presence, typing, receipts)
}

type resumption struct {
	account string
	state   []byte
	expires time.Time
}

// resumptions keeps states in memory.
type resumptions struct {
	mu    sync.Mutex
	known map[string]resumption
}

func (r *resumptions) SaveResumption(_ context.Context, key []byte, account string, state []byte, expires time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[string(key)] = resumption{account, bytes.Clone(state), expires}
	return nil
}

func (r *resumptions) LoadResumption(_ context.Context, key []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.known[string(key)]
	if !ok || time.Now().After(v.expires) {
		return nil, nil
	}
	return bytes.Clone(v.state), nil
}

func (r *resumptions) DeleteResumption(_ context.Context, key []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, string(key))
	return nil
}

func (r *resumptions) EachResumption(_ context.Context, each func(string, []byte, time.Time) error) error {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.known))
	r.mu.Unlock()
	for _, v := range all {
		if err := each(v.account, v.state, v.expires); err != nil {
			return err
		}
	}
	return nil
}

func (r *resumptions) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.known)
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var _ http.Handler = (*gateway.Gateway)(nil)
