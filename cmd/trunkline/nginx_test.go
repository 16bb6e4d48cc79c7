package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// nginxBlock is the first example for nginx in a document.
func nginxBlock(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	_, block, found := strings.Cut(string(text), "```nginx\n")
	require.True(t, found, document)
	block, _, _ = strings.Cut(block, "```")
	return block
}

// documented is the http section of an nginx as our documents set it up: before
// Mastodon and the chat origin, with Converse.js in www. Only addresses, folders
// and TLS are others than in the documents.
func documented(t *testing.T, port int, www, trunkline, mastodon string) string {
	t.Helper()
	install := nginxBlock(t, "../../docs/install.md")
	launcher, rest, found := strings.Cut(install, "location @mastodon {\n")
	require.True(t, found)
	inMastodon, chat, found := strings.Cut(rest, "}\n\n# the chat origin\n")
	require.True(t, found)
	end := strings.LastIndex(chat, "}")
	chat = chat[:end] + nginxBlock(t, "../../docs/converse.md") + chat[end:]
	chat = regexp.MustCompile(`(?m)^ *ssl_certificate.*\n`).ReplaceAllString(chat, "")
	listen := fmt.Sprintf("listen 127.0.0.1:%d;", port)
	require.Contains(t, chat, "listen 443 ssl http2;")
	return strings.NewReplacer(
		"listen 443 ssl http2;", listen, "127.0.0.1:8080", trunkline, "/var/www/converse/", www+"/",
	).Replace(`map $http_upgrade $connection_upgrade { default upgrade; '' close; }
server {
  server_name example.org;
  ` + listen + `
  ` + launcher + `
  location / {
    proxy_pass http://` + mastodon + `;
    proxy_set_header Host $host;
    ` + inMastodon + `
  }
}
` + chat)
}

// startNginx runs Debian's nginx (scripts/deps.sh installs it) with such an http
// section until the test ends.
func startNginx(t *testing.T, port int, http string) (address string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
events {}
http {
include /etc/nginx/mime.types;
default_type application/octet-stream;
access_log off;
client_body_temp_path %[1]s/1;
proxy_temp_path %[1]s/2;
fastcgi_temp_path %[1]s/3;
uwsgi_temp_path %[1]s/4;
scgi_temp_path %[1]s/5;
%[2]s
}
`, dir, http)
	path := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	cmd := exec.CommandContext(t.Context(), "nginx", "-p", dir, "-c", path, "-e", "stderr")
	address = fmt.Sprintf("127.0.0.1:%d", port)
	runProxy(t, cmd, address)
	return address
}

// converseHeaders are what contrib/converse/Caddyfile says about the page.
func converseHeaders(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../contrib/converse/Caddyfile")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(text), "header {\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "}\n")
	headers := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(block)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		headers[name] = strings.Trim(value, `"`)
	}
	require.Greater(t, len(headers), 8)
	return headers
}

// pages answers with a page, as Mastodon does.
func pages(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html><body>mastodon</body></html>")
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestNginxAsDocumented runs the examples of docs/install.md and docs/converse.md.
func TestNginxAsDocumented(t *testing.T) {
	www := t.TempDir()
	for name, text := range map[string]string{"index.html": "the page", "page.js": "a script", "dist/converse.min.js": "Converse"} {
		file := filepath.Join(www, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	port, err := integration.FreePort()
	require.NoError(t, err)
	addr := startNginx(t, port, documented(t, port, www, upstream(t, "trunkline"), pages(t)))
	client := &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	get := func(url string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("Cookie", "_session_id=1")
		req.Header.Set("X-Forwarded-For", "203.0.113.7")
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}

	// The page of Converse.js, with what Caddy would say of it, whatever the answer.
	for path, want := range map[string]struct {
		status     int
		kind, body string
	}{
		"/converse/":                     {200, "text/html", "the page"},
		"/converse/page.js":              {200, "application/javascript", "a script"},
		"/converse/dist/converse.min.js": {200, "application/javascript", "Converse"},
		"/converse/none":                 {404, "text/html", ""},
		"/converse/%2e%2e/nginx.conf":    {200, "text/plain", "trunkline"}, // is not in the folder
	} {
		res, body := get("http://chat.example.org" + path)
		assert.Equal(t, want.status, res.StatusCode, path)
		assert.Contains(t, res.Header.Get("Content-Type"), want.kind, path)
		assert.Contains(t, body, want.body, path)
		for name, value := range converseHeaders(t) {
			if want.body == "trunkline" {
				assert.Empty(t, res.Header.Values(name), "Trunkline sets its headers itself")
			} else {
				assert.Equal(t, []string{value}, res.Header.Values(name), "%s of %s", name, path)
			}
		}
	}
	res, _ := get("http://chat.example.org/converse")
	assert.Equal(t, http.StatusMovedPermanently, res.StatusCode)

	// Everything else there is Trunkline's.
	res, body := get("http://chat.example.org/api/v1/session")
	assert.Equal(t, "trunkline", body)
	assert.Equal(t, "_session_id=1", res.Header.Get("Seen-Cookie"))
	assert.Equal(t, "chat.example.org", res.Header.Get("Seen-Host"))
	assert.Regexp(t, `(^|, )127\.0\.0\.1$`, res.Header.Get("Seen-X-Forwarded-For"), "at its right end, where Trunkline reads, is who asks nginx")
	assert.Equal(t, "https", res.Header.Get("Seen-X-Forwarded-Proto"))
	conn, _, err := websocket.Dial(t.Context(), "ws://chat.example.org/xmpp-websocket",
		&websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"xmpp"}})
	require.NoError(t, err)
	assert.Equal(t, "xmpp", conn.Subprotocol())
	_, _, err = conn.Read(t.Context())
	assert.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(err))

	// Mastodon's origin.
	res, body = get("http://example.org/trunkline/embed.js")
	assert.Equal(t, "trunkline", body)
	assert.Empty(t, res.Header.Get("Seen-Cookie"), "Mastodon's cookies stay at Mastodon")
	assert.Equal(t, "chat.example.org", res.Header.Get("Seen-Host"))
	_, body = get("http://example.org/home")
	assert.Equal(t, `<html><body>mastodon<script src="/trunkline/embed.js" defer></script></body></html>`, body)
}
