package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// balancer stands before several nodes, as a reverse proxy with health checks
// does: a node that answers 503, or not at all, is passed over.
type balancer struct {
	http.Transport

	mu    sync.Mutex
	nodes []string // addresses
	next  int
}

// RoundTrip tries the nodes in turn, beginning with another one each time.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(orEmpty(r.Body))
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	nodes := append(append([]string(nil), b.nodes[b.next%len(b.nodes):]...), b.nodes[:b.next%len(b.nodes)]...)
	b.next++
	b.mu.Unlock()
	var errs []error
	for _, node := range nodes {
		try := r.Clone(r.Context())
		try.URL.Scheme, try.URL.Host = "http", node
		try.Body = io.NopCloser(bytes.NewReader(body))
		res, err := b.Transport.RoundTrip(try)
		if err == nil && res.StatusCode != http.StatusServiceUnavailable {
			return res, nil
		}
		if err == nil {
			res.Body.Close()
			err = errors.New(res.Status)
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func orEmpty(r io.Reader) io.Reader {
	if r == nil {
		return http.NoBody
	}
	return r
}

func (b *balancer) set(nodes ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = nodes
}

// start opens the balancer's own address.
func (b *balancer) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(&httputil.ReverseProxy{Transport: b, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.Header.Set("X-Forwarded-For", r.In.Header.Get("X-Client"))
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	t.Cleanup(func() {
		server.Close()
		b.CloseIdleConnections()
	})
	return server.Listener.Addr().String()
}

// forMany prepares a Prosody for a thousand people who come at once: a backlog
// for them, and no lines about each of their stanzas.
const forMany = "network_settings = { tcp_backlog = 1024 }\nlog = { warn = \"*console\" }"

// TestRollingRestart restarts two nodes one after the other while pairs of
// people talk: every session is resumed, and every message arrives once and in
// its order.
func TestRollingRestart(t *testing.T) {
	xmpp, err := integration.FreePort()
	require.NoError(t, err)
	path := writeConfig(t, "[limits]\nhandshakes_per_address = 0\nlogin_time = \"60s\"\n[log]\nformat = \"json\"\nlevel = \"info\"\n")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("127.0.0.1:5222"), fmt.Appendf(nil, "127.0.0.1:%d", xmpp), 1)
	text = bytes.Replace(text, []byte("[server]\n"), []byte("[server]\ndrain_time = \"2m\"\n"), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)

	pairs := 500
	if underRace || strings.HasPrefix(cfg.StoreURL().Reveal(), "postgres:") { // the same once more
		pairs = 40
	}
	one, two := startServing(t, path, nil), startServing(t, path, nil)
	public, private := &balancer{}, &balancer{}
	balance := func(nodes ...*running) {
		var publics, privates []string
		for _, n := range nodes {
			publics, privates = append(publics, n.public), append(privates, n.private)
		}
		public.set(publics...)
		private.set(privates...)
	}
	balance(one, two)
	url := "ws://" + public.start(t) + "/xmpp-websocket"
	integration.StartProsody(t, integration.ProsodyConfig{
		VerifyURL: "http://" + private.start(t) + "/verify", VerifySecret: cfg.Secrets.VerifySecret.Reveal(),
		PrivacyLists: true, C2SPort: xmpp, GlobalExtra: forMany,
	})
	rovers := rove(t, cfg, url, pairs)
	state := func() string {
		return fmt.Sprintf("%+v; away: %v", tally(t, rovers), away(rovers))
	}
	require.Equal(t, 2*pairs, streams(one)+streams(two))
	require.Positive(t, streams(one))
	require.Positive(t, streams(two))

	// Under traffic: each node ends, is away for a while, and comes back.
	for i, old := range []*running{one, two} {
		moved := streams(old)
		before := tally(t, rovers).resumed
		require.Equal(t, exitOK, old.stop(), "node %d", i)
		assert.NotContains(t, old.text(), "not everything ended in time", "all had the time that they need")
		assert.NotContains(t, old.text(), "panic")
		remaining := []*running{two, one}[i]
		eventually(t, state, func() bool { return tally(t, rovers).resumed >= before+moved && streams(remaining) == 2*pairs })
		fresh := startServing(t, path, nil)
		if i == 0 {
			one = fresh
		}
		balance(fresh, remaining)
		sent := tally(t, rovers).sent
		eventually(t, state, func() bool { return tally(t, rovers).sent > sent+pairs })
	}
	for _, r := range rovers {
		r.rest()
	}
	eventually(t, state, func() bool { tally := tally(t, rovers); return tally.sent == tally.seen })
	done := tally(t, rovers)
	assert.GreaterOrEqual(t, done.resumed, 2*pairs)
	t.Logf("%d messages between %d pairs, %d resumptions", done.sent, pairs, done.resumed)
}

// rove has the pairs of people come online and throw the first ball.
func rove(t *testing.T, cfg *config.Config, url string, pairs int) []*rover {
	t.Helper()
	issuer, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	t.Cleanup(issuer.close)
	password := func(ctx context.Context, name string) (string, error) {
		_, secret, err := issuer.tokens.IssueInternal(ctx, "id-"+name)
		return secret, err
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	rovers := make([]*rover, 2*pairs)
	for i := range rovers {
		rovers[i] = &rover{
			name: fmt.Sprintf("r%d", i), address: fmt.Sprintf("198.18.%d.%d", i/250, i%250+1), url: url,
			password: password, http: client, bound: make(chan struct{}),
		}
		_, err := issuer.db.ExecContext(t.Context(), "INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 1, 1)",
			"id-"+rovers[i].name, rovers[i].name)
		require.NoError(t, err)
	}
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { end(); wg.Wait() })
	turns := make(chan struct{}, 16)
	for i, r := range rovers {
		r.partner = rovers[i^1]
		wg.Go(func() { r.run(ctx, turns) })
	}
	for _, r := range rovers {
		select {
		case <-r.bound:
		case <-time.After(4 * time.Minute):
			t.Fatalf("not everybody came online: %v", away(rovers))
		}
	}
	for i := 0; i < len(rovers); i += 2 {
		rovers[i].throw()
	}
	return rovers
}

// sum is what all rovers have done.
type sum struct{ sent, seen, resumed int }

// tally fails the test with the first thing that must not happen.
func tally(t *testing.T, rovers []*rover) (s sum) {
	t.Helper()
	for _, r := range rovers {
		sent, seen, resumed, err := r.state()
		require.NoError(t, err)
		s.sent, s.seen, s.resumed = s.sent+sent, s.seen+seen, s.resumed+resumed
	}
	return s
}

// away counts those who are not online, by what keeps them away.
func away(rovers []*rover) map[string]int {
	reasons := map[string]int{}
	for _, r := range rovers {
		r.mu.Lock()
		if r.conn == nil {
			reasons[fmt.Sprint(r.last)]++
		}
		r.mu.Unlock()
	}
	return reasons
}

// streams is how many streams a node has.
func streams(r *running) (n int) {
	_, metrics := r.get(r.private, "/metrics")
	for line := range bytes.Lines([]byte(metrics)) {
		if _, err := fmt.Sscanf(string(line), "trunkline_gateway_streams %d\n", &n); err == nil {
			return n
		}
	}
	return 0
}

// eventually is await with the patience that thousands of logins need.
func eventually(t *testing.T, state func() string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !so(); {
		<-tick.C
		if time.Since(began) > 4*time.Minute {
			t.Fatalf("waited for too long, there is %s", state())
		}
	}
}
