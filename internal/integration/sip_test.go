package integration

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/tokens"
)

// telephony is Trunkline's store with alice (account "1") and bob ("2"), and a
// Kamailio that reads it.
type telephony struct {
	*Kamailio
	t      *testing.T
	db     *sqldb.DB
	tokens *tokens.Service
}

// farAway is a time that no test reaches: the year 2100.
const farAway = 4102444800000

func newTelephony(t *testing.T, storeURL string, cfg KamailioConfig) *telephony {
	t.Helper()
	p := openStore(t, storeURL)
	if cfg.Postgres != "" {
		p.grant(cfg.Postgres)
	}
	if cfg.User != "" {
		p.letRead(cfg.SQLite)
	}
	p.Kamailio = StartKamailio(t, cfg)
	return p
}

// openStore is all of it but Kamailio.
func openStore(t *testing.T, storeURL string) *telephony {
	t.Helper()
	db, err := sqldb.Open(t.Context(), storeURL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	p := &telephony{t: t, db: db}
	for id, name := range map[string]string{"1": "alice", "2": "bob"} {
		p.exec(`INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until) VALUES ($1, $2, 0, 0, $3, $3)`,
			id, name, farAway)
	}
	p.tokens, err = tokens.New(tokens.Config{DB: db, Key: bytes.Repeat([]byte{1, 2}, 16), Realm: "example.org"})
	require.NoError(t, err)
	return p
}

func (p *telephony) exec(query string, args ...any) {
	p.t.Helper()
	_, err := p.db.ExecContext(p.t.Context(), query, args...)
	require.NoError(p.t, err)
}

// onSQLite is the server on a file.
func onSQLite(t *testing.T, cfg KamailioConfig) *telephony {
	t.Helper()
	cfg.SQLite = filepath.Join(t.TempDir(), "trunkline.db")
	return newTelephony(t, "sqlite:"+cfg.SQLite, cfg)
}

// onPostgres is the server on a database in which it may read the view and
// nothing else.
func onPostgres(t *testing.T, cfg KamailioConfig) *telephony {
	t.Helper()
	store := sqldbtest.NewPostgres(t)
	u, err := url.Parse(store)
	require.NoError(t, err)
	role := "kamailio_" + strings.Trim(u.Path, "/")
	cfg.Postgres = "postgres://" + role + ":the-roles-password@" + u.Host + u.Path
	return newTelephony(t, store, cfg)
}

// grant makes the role in the words of docs/sip.md.
func (p *telephony) grant(kamailioURL string) {
	p.t.Helper()
	page, err := os.ReadFile("../../docs/sip.md")
	require.NoError(p.t, err)
	_, statements, found := strings.Cut(string(page), "```sql\n")
	require.True(p.t, found)
	statements, _, _ = strings.Cut(statements, "```")
	u, err := url.Parse(kamailioURL)
	require.NoError(p.t, err)
	statements = strings.NewReplacer("kamailio", u.User.Username(), "THE-ROLES-PASSWORD", "the-roles-password", "DATABASE trunkline", "DATABASE "+strings.Trim(u.Path, "/")).Replace(statements)
	for statement := range strings.SplitSeq(strings.TrimSpace(statements), ";") {
		if statement != "" {
			p.exec(statement)
		}
	}
	p.t.Cleanup(func() { // a role belongs to the whole server
		p.Stop()
		_, err := p.db.ExecContext(context.Background(), "DROP OWNED BY "+u.User.Username()+"; DROP ROLE "+u.User.Username())
		require.NoError(p.t, err)
	})
}

// letRead lets every user read the database and write nothing, as docs/sip.md
// lets one.
func (p *telephony) letRead(file string) {
	p.t.Helper()
	files, err := filepath.Glob(file + "*")
	require.NoError(p.t, err)
	require.Len(p.t, files, 3, "the file, -wal and -shm")
	for _, f := range files {
		require.NoError(p.t, os.Chmod(f, 0o604))
	}
	for dir := filepath.Dir(file); dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(p.t, os.Chmod(dir, 0o711))
	}
}

// phone makes a device password for SIP.
func (p *telephony) phone(account string) (tokens.Device, string) {
	p.t.Helper()
	d, secret, err := p.tokens.IssueDevice(p.t.Context(), account, tokens.ServiceSIP, "desk phone")
	require.NoError(p.t, err)
	return d, secret
}

// sipp runs a scenario of testdata/sip and says whether all of it came as
// expected. Any goroutine may call it.
func (p *telephony) sipp(scenario, final string, args ...string) bool {
	dir := p.t.TempDir()
	file := filepath.Join(dir, scenario)
	text, err := os.ReadFile(filepath.Join("testdata", "sip", scenario))
	if assert.NoError(p.t, err) {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "FINAL", final)), 0o600)
	}
	if !assert.NoError(p.t, err) {
		return false
	}
	args = append([]string{p.Addr(), "-sf", file, "-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "15s", "-timeout_error", "-trace_err",
		"-error_file", filepath.Join(dir, "errors")}, args...)
	if !slices.Contains(args, "-p") {
		port, err := FreePort()
		assert.NoError(p.t, err)
		args = append(args, "-p", strconv.Itoa(port))
	}
	cmd := exec.CommandContext(p.t.Context(), "sipp", args...)
	cmd.Dir = dir
	if err = cmd.Run(); err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "errors"))
		p.t.Logf("sipp: %v\n%s", err, tail(string(said), 40))
	}
	return err == nil
}

// register says whether the answer to a phone's password is final.
func (p *telephony) register(aor, name, secret, final string) bool {
	p.t.Helper()
	return p.sipp("register.xml", final, "-au", name, "-ap", secret, "-key", "aor", aor, "-key", "phone", "5099")
}

// sipsak registers and says whether it could.
func (p *telephony) sipsak(aor, name, secret string) bool {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "sip", "register.sip"))
	require.NoError(p.t, err)
	file := filepath.Join(p.t.TempDir(), "register.sip")
	message := strings.NewReplacer("AOR", aor, "CALL", filepath.Base(filepath.Dir(file))+name).Replace(string(text))
	require.NoError(p.t, os.WriteFile(file, []byte(message), 0o600))
	out, err := exec.CommandContext(p.t.Context(), "sipsak", "-f", file, "-s", "sip:"+aor+"@"+p.Addr(),
		"--auth-username="+name, "--password="+secret, "-vv").CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		p.t.Fatal(err)
	}
	if err != nil {
		p.t.Logf("sipsak: %v\n%s", err, tail(string(out), 25))
	}
	return err == nil
}

func TestPhonesRegister(t *testing.T) {
	for name, start := range map[string]func(*testing.T, KamailioConfig) *telephony{"SQLite": onSQLite, "PostgreSQL": onPostgres} {
		t.Run(name, func(t *testing.T) {
			p := start(t, KamailioConfig{})
			desk, deskSecret := p.phone("1")
			cell, cellSecret := p.phone("1")
			bobs, bobsSecret := p.phone("2")
			_, chat, err := p.tokens.IssueDevice(t.Context(), "1", tokens.ServiceXMPP, "chat app")
			require.NoError(t, err)

			assert.True(t, p.register("alice", desk.AuthName, deskSecret, "200"))
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "200"), "a second phone")
			assert.True(t, p.register("bob", bobs.AuthName, bobsSecret, "200"))
			assert.True(t, p.sipsak("alice", desk.AuthName, deskSecret))
			assert.False(t, p.sipsak("alice", desk.AuthName, "wrong"))

			assert.True(t, p.register("alice", desk.AuthName, "wrong", "401"))
			assert.True(t, p.register("alice", desk.AuthName, cellSecret, "401"), "another phone's password")
			assert.True(t, p.register("alice", desk.AuthName, strings.ToUpper(deskSecret), "401"))
			assert.True(t, p.register("alice", "alice", deskSecret, "401"), "the person's name is no phone's")
			assert.True(t, p.register("alice", "nobody-aaaaa", deskSecret, "401"))
			assert.True(t, p.register("alice", desk.AuthName, chat, "401"), "a chat app's password")
			assert.True(t, p.register("bob", desk.AuthName, deskSecret, "403"), "another person's address")
			assert.True(t, p.register("carol", desk.AuthName, deskSecret, "403"), "nobody's address")
			assert.True(t, p.register(desk.AuthName, desk.AuthName, deskSecret, "403"), "the phone's name is no address")

			found, err := p.tokens.RevokeDevice(t.Context(), "1", desk.ID, "lost")
			require.NoError(t, err)
			require.True(t, found)
			assert.True(t, p.register("alice", desk.AuthName, deskSecret, "401"), "revoked")
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "200"), "the other phone")

			p.exec(`UPDATE accounts SET suspended_at = 1, standing = 'suspended' WHERE id = '1'`)
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "401"), "suspended at Mastodon")
			p.exec(`UPDATE accounts SET suspended_at = NULL, standing = 'good' WHERE id = '1'`)
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "200"), "welcome again")
			p.exec(`UPDATE accounts SET blocked_at = 1 WHERE id = '1'`)
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "401"), "blocked by the admin")
			p.exec(`UPDATE accounts SET blocked_at = NULL, trusted_until = 1 WHERE id = '1'`)
			assert.True(t, p.register("alice", cell.AuthName, cellSecret, "401"), "Mastodon was not heard of for too long")
			assert.True(t, p.register("bob", bobs.AuthName, bobsSecret, "200"))
			for _, secret := range []string{deskSecret, cellSecret, bobsSecret} {
				assert.NotContains(t, p.Log(), secret)
			}
		})
	}
}

func TestPhonesCall(t *testing.T) {
	p := onSQLite(t, KamailioConfig{})
	alices, aliceSecret := p.phone("1")
	bobs, bobsSecret := p.phone("2")
	port, err := FreePort()
	require.NoError(t, err)
	answered := make(chan bool, 1)
	go func() { answered <- p.sipp("answer.xml", "", "-p", strconv.Itoa(port)) }()
	require.True(t, p.sipp("register.xml", "200", "-au", alices.AuthName, "-ap", aliceSecret, "-key", "aor", "alice", "-key", "phone", strconv.Itoa(port)))
	assert.True(t, p.sipp("call.xml", "", "-au", bobs.AuthName, "-ap", bobsSecret, "-key", "aor", "bob", "-key", "callee", "alice"))
	assert.True(t, <-answered, "alice's phone")
}
