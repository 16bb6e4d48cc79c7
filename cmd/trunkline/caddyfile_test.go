package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

const caddyfile = "../../Caddyfile.example"

// caddy runs Debian's caddy (scripts/deps.sh installs it) in a home of its own.
func caddy(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "caddy", args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	return cmd
}

func TestCaddyfilesAreValidAndFormatted(t *testing.T) {
	for _, file := range []string{caddyfile, "../../contrib/converse/Caddyfile"} {
		out, err := caddy(t, "validate", "--adapter", "caddyfile", "--config", file).CombinedOutput()
		require.NoError(t, err, string(out))
		out, err = caddy(t, "fmt", file).Output()
		require.NoError(t, err)
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(out), "run: caddy fmt --overwrite "+file)
	}
}

// upstream answers with who it is and what of the request a test asks about.
func upstream(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/xmpp-websocket" {
			conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"xmpp"}, InsecureSkipVerify: true})
			if err == nil {
				conn.Close(websocket.StatusNormalClosure, name)
			}
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "from", Value: name})
		for _, h := range []string{"Cookie", "Authorization", "X-Forwarded-For", "X-Forwarded-Proto"} {
			w.Header().Set("Seen-"+h, r.Header.Get(h))
		}
		w.Header().Set("Seen-Host", r.Host)
		io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// startCaddy runs the example on a loopback port, without TLS and with our own
// upstreams, and returns the port's address.
func startCaddy(t *testing.T, trunkline, mastodon, streaming string) string {
	t.Helper()
	free, err := integration.FreePort()
	require.NoError(t, err)
	port := strconv.Itoa(free)
	addr := net.JoinHostPort("127.0.0.1", port)
	text, err := os.ReadFile(caddyfile)
	require.NoError(t, err)
	config := "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n" + strings.NewReplacer(
		"\nchat.example.org {", "\nhttp://chat.example.org:"+port+" {",
		"\nexample.org {", "\nhttp://example.org:"+port+" {",
		"127.0.0.1:8080", trunkline, "127.0.0.1:3000", mastodon, "127.0.0.1:4000", streaming,
	).Replace(string(text))
	path := filepath.Join(t.TempDir(), "Caddyfile")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	cmd := caddy(t, "run", "--adapter", "caddyfile", "--config", path)
	runProxy(t, cmd, addr)
	return addr
}

// runProxy starts a reverse proxy, waits until it listens, and ends it with the test.
func runProxy(t *testing.T, cmd *exec.Cmd, addr string) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	await(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("waited for too long")
		}
	}
}

func TestCaddyfileExampleAtWork(t *testing.T) {
	addr := startCaddy(t, upstream(t, "trunkline"), upstream(t, "mastodon"), upstream(t, "streaming"))
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		},
	}}
	defer client.CloseIdleConnections()
	_, port, _ := net.SplitHostPort(addr)
	get := func(url string) (*http.Response, string) {
		url = strings.Replace(url, ".org/", ".org:"+port+"/", 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("Cookie", "_session_id=1")
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("X-Forwarded-For", "203.0.113.7")
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}

	res, body := get("http://chat.example.org/api/v1/session")
	assert.Equal(t, "trunkline", body)
	assert.Equal(t, "_session_id=1", res.Header.Get("Seen-Cookie"), "the chat origin has cookies of its own")
	assert.Equal(t, "127.0.0.1", res.Header.Get("Seen-X-Forwarded-For"), "what a client says of itself is not believed")

	res, body = get("http://example.org/trunkline/embed.js")
	assert.Equal(t, "trunkline", body)
	assert.Empty(t, res.Header.Get("Seen-Cookie"), "Mastodon's cookies stay at Mastodon")
	assert.Empty(t, res.Header.Get("Seen-Authorization"))
	assert.Empty(t, res.Header.Get("Set-Cookie"))
	assert.Equal(t, "chat.example.org", res.Header.Get("Seen-Host"))

	for path, name := range map[string]string{
		"/home": "mastodon", "/trunkline/panel": "mastodon", "/xmpp": "mastodon", "/api/v1/streaming/user": "streaming",
	} {
		res, body = get("http://example.org" + path)
		assert.Equal(t, name, body, path)
		assert.Equal(t, "_session_id=1", res.Header.Get("Seen-Cookie"), path)
	}

	conn, _, err := websocket.Dial(t.Context(), "ws://chat.example.org:"+port+"/xmpp-websocket",
		&websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"xmpp"}})
	require.NoError(t, err)
	assert.Equal(t, "xmpp", conn.Subprotocol())
	_, _, err = conn.Read(t.Context())
	assert.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(err))
}
