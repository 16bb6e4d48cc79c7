package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// program is the real binary, built once for all tests that start it, beside the
// test's own, which go test removes with its folder.
var program = sync.OnceValues(func() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(own), "trunkline-of-"+filepath.Base(own))
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

const (
	ejDomain = "social.example"
	ejSecret = "the-secret-of-extauth-in-this-test"
	kickUser = "trunkline@localhost"
	kickPass = "the-password-for-kicks"
)

// ejStack is a real ejabberd with the configuration of contrib/ejabberd, which
// asks the real program, which asks a Trunkline.
type ejStack struct {
	t      testing.TB
	db     *sqldb.DB
	tokens *tokens.Service
	ej     *integration.Ejabberd
	addr   string // the private listener's
	base   http.Handler
	jwk    string // the file of the key, if there is one

	mu      sync.Mutex
	now     func() time.Time
	fault   http.HandlerFunc // in place of the front, if set
	asked   int
	server  *http.Server
	serving sync.WaitGroup
}

// newEjStack starts it with alice, bob and carol in it. change edits ejabberd's
// configuration.
func newEjStack(t testing.TB, cfg tokens.Config, change ...string) *ejStack {
	t.Helper()
	port, err := integration.FreePort() // which nobody takes while the service is down
	require.NoError(t, err)
	return newEjStackAt(t, fmt.Sprintf("127.0.0.1:%d", port), cfg, change...)
}

// newEjStackAt is newEjStack with the service at an address, or on a Unix socket
// if that is a path.
func newEjStackAt(t testing.TB, addr string, cfg tokens.Config, change ...string) *ejStack {
	t.Helper()
	s := &ejStack{t: t, db: sqldbtest.New(t), addr: addr, now: time.Now}
	cfg.DB, cfg.Key = s.db, bytes.Repeat([]byte{7}, 32)
	cfg.Now = func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now()
	}
	var err error
	s.tokens, err = tokens.New(cfg)
	require.NoError(t, err)
	for _, name := range []string{"alice", "bob", "carol"} {
		_, err := s.db.ExecContext(t.Context(), `INSERT INTO accounts
			(id, username, created_at, last_login_at, standing_at, trusted_until) VALUES ($1, $2, 0, 0, $3, $4)`,
			"id-"+name, name, time.Now().UnixMilli(), time.Now().Add(24*time.Hour).UnixMilli())
		require.NoError(t, err)
	}
	core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{s.tokens}, Domain: ejDomain})
	require.NoError(t, err)
	s.base = backend.Extauth(core, []byte(ejSecret), nil)
	s.up()
	t.Cleanup(s.down)
	if len(cfg.JWTKey) > 0 {
		text, err := backend.JWK(cfg.JWTKey)
		require.NoError(t, err)
		s.jwk = filepath.Join(t.TempDir(), "trunkline.jwk")
		require.NoError(t, os.WriteFile(s.jwk, text, 0o600))
	}
	s.ej = integration.StartEjabberd(t, integration.EjabberdConfig{
		Domain: ejDomain, Config: s.config(change...), Users: map[string]string{kickUser: kickPass},
	})
	return s
}

// config is the file from contrib with the paths of this test in it.
func (s *ejStack) config(change ...string) string {
	s.t.Helper()
	binary, err := program()
	require.NoError(s.t, err)
	secret := filepath.Join(s.t.TempDir(), "trunkline.secret")
	require.NoError(s.t, os.WriteFile(secret, []byte(ejSecret+"\n"), 0o600))
	file, err := os.ReadFile("../../contrib/ejabberd/ejabberd.yml")
	require.NoError(s.t, err)
	text := string(file)
	if s.jwk != "" { // as jwt.yml says: its lines replace host_config
		start, end := strings.Index(text, "\nhost_config:"), strings.Index(text, "\ncertfiles:")
		require.True(s.t, 0 < start && start < end)
		part, err := os.ReadFile("../../contrib/ejabberd/jwt.yml")
		require.NoError(s.t, err)
		text = text[:start+1] + string(part) + text[end:]
	}
	change = append(change, "/etc/ejabberd/trunkline.jwk", s.jwk,
		"/usr/local/bin/trunkline", binary, "http://127.0.0.1:8081/extauth", s.url(), "/etc/ejabberd/trunkline.secret", secret)
	return strings.NewReplacer(change...).Replace(text)
}

func (s *ejStack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault := s.fault
	s.asked++
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	s.base.ServeHTTP(w, r)
}

func (s *ejStack) setFault(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// questions is how many were asked so far.
func (s *ejStack) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// url is where the program asks.
func (s *ejStack) url() string {
	if strings.HasPrefix(s.addr, "/") {
		return "unix:" + s.addr
	}
	return "http://" + s.addr + "/extauth"
}

// up serves, after down on the same port as before.
func (s *ejStack) up() {
	s.t.Helper()
	network := "tcp"
	if strings.HasPrefix(s.addr, "/") {
		network = "unix"
	}
	l, err := net.Listen(network, s.addr)
	require.NoError(s.t, err)
	s.addr = l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/extauth", s)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	server := s.server
	s.serving.Go(func() { _ = server.Serve(l) })
}

// down refuses all connections and cuts those there are.
func (s *ejStack) down() {
	_ = s.server.Close()
	s.serving.Wait()
}

// temporary is a fresh password of the panel.
func (s *ejStack) temporary(name string) string {
	s.t.Helper()
	secret, _, err := s.tokens.IssueTemporary(s.t.Context(), "id-"+name, "session-"+name)
	require.NoError(s.t, err)
	return secret
}

// device is a device's id and password.
func (s *ejStack) device(name string) (id, password string) {
	s.t.Helper()
	d, password, err := s.tokens.IssueDevice(s.t.Context(), "id-"+name, tokens.ServiceXMPP, "phone")
	require.NoError(s.t, err)
	return d.ID, password
}

func (s *ejStack) revoke(name, id string) {
	s.t.Helper()
	found, err := s.tokens.RevokeDevice(s.t.Context(), "id-"+name, id, "The password of this device was revoked.")
	require.NoError(s.t, err)
	require.True(s.t, found)
}

// login says how ejabberd answers: "" for success, else the SASL condition.
func (s *ejStack) login(name, password string) string {
	s.t.Helper()
	raw, err := integration.Dial(s.t.Context(), s.ej.Addr(), ejDomain)
	require.NoError(s.t, err)
	defer raw.Close()
	err = raw.Login(s.t.Context(), name, password)
	var refused *integration.SASLError
	if errors.As(err, &refused) {
		return refused.Condition
	}
	require.NoError(s.t, err)
	return ""
}

const refused = "not-authorized"

// startKicker runs the kicker that the configuration gives until the test ends.
func (s *ejStack) startKicker(resources func(string) []string, logTo io.Writer, change ...func(*kicker)) {
	s.t.Helper()
	cfg := &config.Config{}
	cfg.XMPP.Domain = ejDomain
	cfg.Ejabberd.APIURL, cfg.Ejabberd.APIUser = s.ej.APIURL(), kickUser
	cfg.Secrets.EjabberdPassword = config.NewSecret(kickPass)
	// The feed is followed from where it ends now.
	for _, look := range []string{firstLook, secondLook} {
		require.NoError(s.t, s.tokens.ClaimFeed(s.t.Context(), look, func(tokens.Revocation) error { return nil }))
	}
	k, err := newKicker(cfg, s.tokens, resources, slog.New(slog.NewTextHandler(logTo, nil)))
	require.NoError(s.t, err)
	for _, f := range change {
		f(k)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
}
