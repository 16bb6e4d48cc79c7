package ldap

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// The names in contrib are example.org's.
const (
	orgBase    = "ou=people,dc=example,dc=org"
	orgService = "cn=service,dc=example,dc=org"
)

// stack is the front over the real store: what a server asks in production.
type stack struct {
	*directory
	tb     testing.TB
	tokens *tokens.Service
	core   *backend.Core
}

// farAway is a time that no test reaches: the year 2100.
const farAway = 4102444800000

// newStack has alice (account "1") and bob ("2") of example.org.
func newStack(tb testing.TB) *stack {
	tb.Helper()
	db := sqldbtest.New(tb)
	for id, name := range map[string]string{"1": "alice", "2": "bob"} {
		_, err := db.ExecContext(tb.Context(), `INSERT INTO accounts
			(id, username, created_at, last_login_at, standing_at, trusted_until) VALUES ($1, $2, 0, 0, $3, $3)`, id, name, farAway)
		require.NoError(tb, err)
	}
	service, err := tokens.New(tokens.Config{DB: db, Key: bytes.Repeat([]byte{1, 2}, 16)})
	require.NoError(tb, err)
	core, err := backend.NewCore(backend.CoreConfig{Verifier: verifier{service}, Domain: "example.org"})
	require.NoError(tb, err)
	d := start(tb, func(c *Config) { c.Core, c.Base, c.ServiceDN = core, orgBase, orgService })
	return &stack{directory: d, tb: tb, tokens: service, core: core}
}

// verifier is what cmd/trunkline puts between store and core.
type verifier struct{ *tokens.Service }

func (v verifier) Check(ctx context.Context, service, username, secret, front, from string) (
	ok bool, reason, account, session, credential string, err error) {
	found, err := v.Service.Check(ctx, tokens.Attempt{Service: service, Username: username, Secret: secret, Front: front, From: from})
	return found.OK, found.Reason, found.Account, found.Session, found.Credential, err
}

// device makes a password.
func (s *stack) device(account, service, name string) (tokens.Device, string) {
	s.tb.Helper()
	d, secret, err := s.tokens.IssueDevice(s.tb.Context(), account, service, name)
	require.NoError(s.tb, err)
	return d, secret
}

func (s *stack) revoke(d tokens.Device) {
	s.tb.Helper()
	found, err := s.tokens.RevokeDevice(s.tb.Context(), d.Account, d.ID, "test")
	require.NoError(s.tb, err)
	require.True(s.tb, found)
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// contrib is a file of contrib/ldap with what an administrator fills in, and
// with the ports of the test.
func (s *stack) contrib(name string, more ...string) string {
	s.tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "contrib", "ldap", name))
	require.NoError(s.tb, err)
	pairs := append([]string{
		"THE-LDAP-SECRET", serviceSecret, "chat.example.org", "localhost",
		"ldap_port: 3389", "ldap_port: " + port(s.addr), ":3389", ":" + port(s.addr), "6636", port(s.tls),
		"/etc/ssl/certs/ca-certificates.crt", s.authorityIn,
	}, more...)
	for i := 0; i < len(more); i += 2 {
		require.Contains(s.tb, string(text), more[i], name)
	}
	return strings.NewReplacer(pairs...).Replace(string(text))
}

// prosody starts one with a file of contrib, whose VirtualHost line the harness
// writes itself.
func (s *stack) prosody(file string, more ...string) *integration.Prosody {
	s.tb.Helper()
	_, lines, found := strings.Cut(s.contrib(file, more...), "VirtualHost \"example.org\"\n")
	require.True(s.tb, found)
	return integration.StartProsody(s.tb, integration.ProsodyConfig{Domain: "example.org", AuthLua: lines})
}

// ejabberd starts one that includes a file of contrib.
func (s *stack) ejabberd(file string, more ...string) *integration.Ejabberd {
	s.tb.Helper()
	path := filepath.Join(s.tb.TempDir(), "included.yml")
	require.NoError(s.tb, os.WriteFile(path, []byte(s.contrib(file, more...)), 0o600))
	return integration.StartEjabberd(s.tb, integration.EjabberdConfig{Domain: "example.org", Auth: "include_config_file: " + path})
}

// login says how a login ends: "" for success, else the SASL error.
func login(tb testing.TB, server integration.Server, user, password string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), integration.RawTimeout)
	defer cancel()
	raw, err := integration.Dial(ctx, server.Addr(), server.Domain())
	require.NoError(tb, err)
	defer raw.Close()
	err = raw.Login(ctx, user, password)
	var refused *integration.SASLError
	if errors.As(err, &refused) {
		return refused.Condition
	}
	require.NoError(tb, err, "%s", user)
	return ""
}

// exists says whether a message to somebody who is away is kept.
func exists(tb testing.TB, from *integration.Client, server integration.Server, user string) bool {
	tb.Helper()
	to := user + "@" + server.Domain()
	from.Say("<message to='" + to + "' type='chat' id='m-" + user + "'><body>are you there?</body></message>")
	for _, e := range from.Sync() {
		if e.Name.Local == "message" && e.Attrs["id"] == "m-"+user && e.Attrs["type"] == "error" {
			return false
		}
	}
	return true
}

// feed tells Prosody's module what ended.
type feed struct{ *tokens.Service }

func (f feed) Feed(ctx context.Context, after int64, limit int) (ended []backend.Ended, last int64, err error) {
	entries, last, err := f.Service.Feed(ctx, after, limit)
	for _, e := range entries {
		ended = append(ended, backend.Ended{Kind: e.Kind, Subject: e.Subject, User: e.Username, Account: e.Account, Reason: e.Reason})
	}
	return ended, last, err
}

// TestTheDocumentationHasTheFilesThatAreTested holds docs/ldap.md to contrib/ldap.
func TestTheDocumentationHasTheFilesThatAreTested(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "ldap.md"))
	require.NoError(t, err)
	for _, name := range []string{"ejabberd.yml", "ejabberd-directory.yml", "prosody.cfg.lua", "prosody-directory.cfg.lua"} {
		text, err := os.ReadFile(filepath.Join(root, "contrib", "ldap", name))
		require.NoError(t, err)
		require.Contains(t, string(page), "\n"+string(text)+"```\n", name)
	}
}
