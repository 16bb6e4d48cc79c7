package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// running is the program, serving.
type running struct {
	t       *testing.T
	end     context.CancelFunc
	exit    chan int
	public  string // addresses, as the log names them
	private string
	ready   chan struct{} // closed when it says so

	mu  sync.Mutex
	log bytes.Buffer
}

// startServing runs "trunkline serve" with a configuration and waits until it is ready.
func startServing(t *testing.T, path string, env map[string]string) *running {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	r := &running{t: t, end: end, exit: make(chan int, 1), ready: make(chan struct{})}
	read, write := io.Pipe()
	var logging sync.WaitGroup
	logging.Go(func() { r.follow(read) })
	go func() { // joined through exit
		code := run(ctx, []string{"serve", "--config", path}, io.Discard, write, func(name string) string { return env[name] })
		write.Close()
		logging.Wait()
		r.exit <- code
	}()
	t.Cleanup(func() { r.stop() })
	select {
	case <-r.ready:
	case code := <-r.exit:
		r.exit <- code
		t.Fatalf("it ended with %d:\n%s", code, r.text())
	}
	return r
}

// follow reads the log, which is JSON.
func (r *running) follow(log io.Reader) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		r.mu.Lock()
		r.log.WriteString(lines.Text() + "\n")
		r.mu.Unlock()
		var line struct{ Msg, Listener, Address string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		switch {
		case line.Listener == "public":
			r.public = line.Address
		case line.Listener == "private":
			r.private = line.Address
		case line.Msg == "ready":
			close(r.ready)
		}
	}
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// stop asks the program to end, and returns its exit code.
func (r *running) stop() int {
	r.end()
	code := <-r.exit
	r.exit <- code
	return code
}

func (r *running) get(address, path string) (status int, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+address+path, nil)
	require.NoError(r.t, err)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return res.StatusCode, string(b)
}

const jsonLog = "[log]\nformat = \"json\"\nlevel = \"debug\"\n"

func TestServeAnswersOnBothListeners(t *testing.T) {
	r := startServing(t, writeConfig(t, jsonLog), nil)
	assert.NotContains(t, r.public, ":0\"", "the real port is named")

	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "trunkline_gateway_streams 0"} {
		status, body := r.get(r.private, path)
		assert.Equal(t, http.StatusOK, status, path)
		assert.Contains(t, body, want)
		status, _ = r.get(r.public, path)
		assert.Equal(t, http.StatusNotFound, status, "%s is not for browsers", path)
	}
	status, body := r.get(r.private, "/verify")
	assert.Equal(t, http.StatusMethodNotAllowed, status, body)
	status, _ = r.get(r.public, "/verify")
	assert.Equal(t, http.StatusNotFound, status)

	status, body = r.get(r.public, "/panel")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "social.example", "what the instance is called")
	status, body = r.get(r.public, "/api/v1/session")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, body, "signed_out")
	status, _ = r.get(r.public, "/trunkline/embed.js")
	assert.Equal(t, http.StatusOK, status)
	status, _ = r.get(r.public, "/xmpp-websocket")
	assert.Equal(t, http.StatusUpgradeRequired, status, "the gateway answers there")

	assert.Equal(t, exitOK, r.stop(), r.text())
	_, err := net.Dial("tcp", r.public)
	assert.Error(t, err, "nothing listens any more")
}

func TestServeTellsTheServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer socket.Close()
	next := func() string {
		b := make([]byte, 100)
		require.NoError(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
		n, err := socket.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	r := startServing(t, writeConfig(t, jsonLog), map[string]string{"NOTIFY_SOCKET": path})
	assert.Equal(t, "READY=1", next())
	assert.Equal(t, exitOK, r.stop())
	assert.Equal(t, "STOPPING=1", next())
}

func TestServeOnUnixSockets(t *testing.T) {
	dir := t.TempDir()
	path := writeConfig(t, jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte(`private_listen = "127.0.0.1:0"`), []byte(`private_listen = "unix:`+dir+`/p.sock"`), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))

	// What a crash leaves behind is replaced.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/p.sock", Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	r := startServing(t, path, nil)
	assert.Equal(t, dir+"/p.sock", r.private)

	// What somebody uses is not.
	code, _, stderr := start(t, "serve", "--config", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "somebody listens on "+dir+"/p.sock already")
	assert.Equal(t, exitOK, r.stop())

	require.NoError(t, os.WriteFile(dir+"/p.sock", nil, 0o600))
	code, _, stderr = start(t, "serve", "--config", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "is not a socket")
}

func TestServeRefuses(t *testing.T) {
	code, _, stderr := start(t, "serve", "now", "--config", writeConfig(t, ""))
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "serve takes no arguments")

	code, _, stderr = start(t, "serve", "--config", writeConfig(t, "[log]\nlevel = \"loud\"\n"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "log.level is \"loud\"")
	assert.NotContains(t, stderr, "listening")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	path := writeConfig(t, "")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte(`listen = "127.0.0.1:0"`), []byte(`listen = "`+taken.Addr().String()+`"`), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	code, _, stderr = start(t, "serve", "--config", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "public listener")
	assert.Contains(t, stderr, "address already in use")
}

// browser is an RFC 7395 client as small as a test needs it.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
}

func (r *running) dial(t *testing.T) *browser {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+r.public+"/xmpp-websocket",
		&websocket.DialOptions{Subprotocols: []string{"xmpp"}, HTTPHeader: http.Header{"Origin": {"http://127.0.0.1:8080"}}})
	require.NoError(t, err)
	t.Cleanup(func() { conn.CloseNow() })
	return &browser{t, conn}
}

func (b *browser) send(format string, args ...any) {
	b.t.Helper()
	require.NoError(b.t, b.conn.Write(b.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)))
}

// expect reads frames until one holds text.
func (b *browser) expect(text string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	for {
		_, frame, err := b.conn.Read(ctx)
		require.NoError(b.t, err, "waiting for %s", text)
		if bytes.Contains(frame, []byte(text)) {
			return string(frame)
		}
	}
}

// closed expects a last frame that holds text, and then the end of the socket.
func (b *browser) closed(text string) {
	b.t.Helper()
	b.expect(text)
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	for {
		if _, _, err := b.conn.Read(ctx); err != nil {
			require.NoError(b.t, ctx.Err(), "the socket stays open")
			return
		}
	}
}

const openFrame = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='social.example' version='1.0'/>`

// signIn goes through SASL PLAIN and the bind, whose result it returns.
func (b *browser) signIn(name, password string) string {
	b.t.Helper()
	b.send(openFrame)
	b.expect("PLAIN")
	b.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>`,
		base64.StdEncoding.EncodeToString([]byte("\x00"+name+"\x00"+password)))
	b.expect("<success")
	b.send(openFrame)
	b.expect("xmpp-bind")
	b.send(`<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
	return b.expect("<jid>" + name + "@social.example/")
}

// TestPartsMeet runs the whole node against a real Prosody: each seam between
// two parts is crossed once.
func TestPartsMeet(t *testing.T) {
	xmpp, err := integration.FreePort()
	require.NoError(t, err)
	path := writeConfig(t, jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("127.0.0.1:5222"), fmt.Appendf(nil, "127.0.0.1:%d", xmpp), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)
	r := startServing(t, path, nil)
	integration.StartProsody(t, integration.ProsodyConfig{
		VerifyURL: "http://" + r.private + "/verify", VerifySecret: cfg.Secrets.VerifySecret.Reveal(),
		PrivacyLists: true, C2SPort: xmpp,
	})

	// A second node on the same database stands for the web side of the login,
	// and for another process: what it revokes must reach the first.
	other, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer other.close()
	for _, name := range []string{"alice", "bob"} {
		_, err = other.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $2, 1, 1)`, "id-"+name, name)
		require.NoError(t, err)
	}
	password := func(session string) string {
		secret, _, err := other.tokens.IssueTemporary(t.Context(), "id-alice", session)
		require.NoError(t, err)
		return secret
	}

	// Credentials, verification, and consent: she was not asked, so she is hidden.
	b := r.dial(t)
	assert.Contains(t, b.signIn("alice", password("s1")), "urn:trunkline:gateway:0")

	// Resumption states are in the database.
	b.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
	b.expect("<enabled")
	await(t, func() bool {
		var n int
		require.NoError(t, other.db.QueryRowContext(t.Context(), `SELECT count(*) FROM resumptions WHERE account_id = 'id-alice'`).Scan(&n))
		return n == 1
	})

	// An import goes through the gateway, with a password of its own.
	var told []string
	err = other.AddContacts(t.Context(), "id-alice", []string{"bob@social.example"}, []string{"Bob"}, []bool{false},
		func(i int, status, reason string) error {
			told = append(told, fmt.Sprint(i, status, reason))
			return nil
		})
	require.NoError(t, err)
	assert.Equal(t, []string{"0added"}, told)
	b.send(`<iq xmlns='jabber:client' type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>`)
	roster := b.expect("r1")
	assert.Contains(t, roster, "bob@social.example")
	assert.Contains(t, roster, "<group>Mastodon</group>")

	// A revocation closes the stream, of that session alone.
	_, err = other.db.ExecContext(t.Context(), `INSERT INTO consents (account_id, presence, typing, receipts, text_version, changed_at)
		VALUES ('id-alice', 'contacts', $1, $1, 1, 1)`, false)
	require.NoError(t, err)
	stays := r.dial(t)
	assert.NotContains(t, stays.signIn("alice", password("s2")), "urn:trunkline:gateway:0", "she agreed meanwhile")
	require.NoError(t, other.tokens.RevokeSession(t.Context(), "s1", "signed out"))
	b.closed("not-authorized")

	// A shutdown tells the others to come back.
	await(t, func() bool {
		_, metrics := r.get(r.private, "/metrics")
		return strings.Contains(metrics, "trunkline_gateway_streams 1\n")
	})
	r.end()
	stays.closed("system-shutdown")
	assert.Equal(t, exitOK, r.stop())
	for line := range strings.Lines(r.text()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			assert.Contains(t, line, "the XMPP server cannot be used", "it was started later")
		}
	}
	assert.NotContains(t, r.text(), "not everything ended in time")
	assert.NotContains(t, r.text(), "tlt_", "no password is logged, at no level")
}

func TestAccountRebind(t *testing.T) {
	path := writeConfig(t, "")
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)
	code, _, stderr := start(t, "account", "rebind", "alice", "2", "--config", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `nobody called "alice"`)

	db, err := sqldb.Open(t.Context(), cfg.StoreURL().Reveal())
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ('1', 'alice', 1, 1)`)
	require.NoError(t, err)
	code, out, stderr := start(t, "account", "rebind", "Alice", "2", "--config", path)
	assert.Equal(t, exitOK, code, stderr)
	assert.Contains(t, out, "belongs to the Mastodon account 2 now")
	var id string
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT id FROM accounts WHERE username = 'alice'`).Scan(&id))
	assert.Equal(t, "2", id)

	for _, tc := range []struct{ args, says string }{
		{"account", "needs a word: list, show"},
		{"account remove", `no word "remove"`},
		{"account rebind alice", "a name and the new id"},
	} {
		code, _, stderr := start(t, strings.Fields(tc.args)...)
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, stderr, tc.says)
	}
}
