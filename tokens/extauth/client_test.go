package extauth

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// service answers yes to who shows the secret.
func service(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer s3cret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var q map[string]string
	if json.NewDecoder(r.Body).Decode(&q) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, `{"result":"`+map[bool]string{true: "yes", false: "no"}[q["user"] == "alice"]+`"}`)
}

func client(t *testing.T, address, secret string) *Client {
	t.Helper()
	c, err := NewClient(address, known(secret), nil)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func known(secret string) func() (string, error) {
	return func() (string, error) { return secret, nil }
}

func TestClientReadsItsSecretAgainWhenItIsRefused(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(service))
	defer srv.Close()
	secret, fault, reads := "old", error(nil), 0
	c, err := NewClient(srv.URL, func() (string, error) { reads++; return secret, fault }, nil)
	require.NoError(t, err)
	defer c.Close()
	ask := func() error {
		_, err := c.Ask(t.Context(), "isuser", "alice", "h", "")
		return err
	}
	require.ErrorContains(t, ask(), "refused our secret")
	secret = "s3cret"
	require.NoError(t, ask())
	reads = 0
	require.NoError(t, ask())
	require.Zero(t, reads)
	c.secret, fault = "old", io.ErrUnexpectedEOF
	require.ErrorIs(t, ask(), fault)
	fault = nil
	for _, bad := range []string{"", "two words", "line\r\nX: y", "\x7f", "ö"} {
		c.secret, secret = "", bad
		require.ErrorContains(t, ask(), "printable ASCII")
	}
}

// What net/http's client would do by itself.
func TestClientKeepsOneConnectionAndGivesUpDeadOnes(t *testing.T) {
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(service))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := client(t, srv.URL, "s3cret")
	ask := func() {
		got, err := c.Ask(t.Context(), "isuser", "alice", "h", "")
		require.NoError(t, err)
		require.Equal(t, "yes", got)
	}
	for range 5 {
		ask()
	}
	require.EqualValues(t, 1, opened.Load())
	srv.CloseClientConnections()
	ask()
	require.EqualValues(t, 2, opened.Load())
	c.answered = false // not even then
	srv.CloseClientConnections()
	ask()
}

func TestClientUnderstandsHTTP(t *testing.T) {
	const yes = `{"result":"yes"}`
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + yes,
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + yes + "\r\n0\r\n\r\n",
		"closed":  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + yes,
		"1.0":     "HTTP/1.0 200 OK\r\n\r\n" + yes,
	} {
		got, err := client(t, canned(t, answer), "s3cret").Ask(t.Context(), "isuser", "alice", "h", "")
		require.NoError(t, err, name)
		require.Equal(t, "yes", got, name)
	}
	for name, answer := range map[string]string{
		"nothing": "", "cut": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + yes, "nonsense": "yes\r\n\r\n",
		"long": "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat(" ", maxReply) + yes, "502": "HTTP/1.1 502 Bad Gateway\r\n\r\n" + yes,
	} {
		_, err := client(t, canned(t, answer), "s3cret").Ask(t.Context(), "isuser", "alice", "h", "")
		require.Error(t, err, name)
	}
}

// canned is the address of a server that gives this answer to each connection, and
// closes it.
func canned(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String() + "/extauth"
}

func TestClientAsksOverTCPAndOverASocket(t *testing.T) {
	tcp := httptest.NewServer(http.HandlerFunc(service))
	defer tcp.Close()
	socket := filepath.Join(t.TempDir(), "private.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	unix := httptest.NewUnstartedServer(http.HandlerFunc(service))
	unix.Listener = l
	unix.Start()
	defer unix.Close()
	for _, address := range []string{tcp.URL + "/extauth", "unix:" + socket} {
		c := client(t, address, "s3cret")
		for user, want := range map[string]string{"alice": "yes", "bob": "no"} {
			got, err := c.Ask(t.Context(), "isuser", user, "h", "")
			require.NoError(t, err, address)
			require.Equal(t, want, got)
		}
		_, err := client(t, address, "another").Ask(t.Context(), "isuser", "alice", "h", "")
		require.ErrorContains(t, err, "secrets.extauth_secret")
		require.NotContains(t, err.Error(), "another")
	}
}

func TestClientAsksOverTLSWithAuthorities(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(service))
	defer srv.Close()
	c, err := NewClient(srv.URL+"/extauth", known("s3cret"), srv.Client().Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer c.Close()
	got, err := c.Ask(t.Context(), "isuser", "alice", "h", "")
	require.NoError(t, err)
	require.Equal(t, "yes", got)
	_, err = client(t, srv.URL+"/extauth", "s3cret").Ask(t.Context(), "isuser", "alice", "h", "")
	require.ErrorContains(t, err, "certificate")
}

func TestClientRefusesAddressesThatWouldTellPasswords(t *testing.T) {
	for _, address := range []string{
		"http://192.0.2.1:8081/extauth", "http://trunkline.example/extauth", "ftp://127.0.0.1/", "127.0.0.1:8081",
		"http://u:p@127.0.0.1/extauth", "http://127.0.0.1/extauth?x=y", "unix:relative", "",
	} {
		_, err := NewClient(address, known("s3cret"), nil)
		assert.Error(t, err, address)
	}
	for _, address := range []string{"http://[::1]:8081/extauth", "http://localhost:1/extauth", "https://trunkline.example/extauth"} {
		_, err := NewClient(address, known("s3cret"), nil)
		assert.NoError(t, err, address)
	}
}

func TestClientTakesNoNonsense(t *testing.T) {
	for _, answer := range []string{`{"result":"maybe"}`, `{}`, `true`, ``, `<html>`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
		_, err := client(t, srv.URL, "s3cret").Ask(t.Context(), "isuser", "alice", "h", "")
		assert.ErrorContains(t, err, "not Trunkline", answer)
		srv.Close()
	}
	srv := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:9/", http.StatusTemporaryRedirect))
	defer srv.Close()
	_, err := client(t, srv.URL, "s3cret").Ask(t.Context(), "isuser", "alice", "h", "")
	require.ErrorContains(t, err, "307")
}

// A restart goes unnoticed; of a service that stays away only the first question
// waits.
func TestClientOutlivesTheService(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	run := func(l net.Listener) *httptest.Server {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(service))
		_ = srv.Listener.Close()
		srv.Listener = l
		srv.Start()
		return srv
	}
	srv := run(l)
	c := client(t, "http://"+addr+"/extauth", "s3cret")
	ask := func() (string, error) { return c.Ask(t.Context(), "isuser", "alice", "h", "") }
	got, err := ask()
	require.NoError(t, err)
	require.Equal(t, "yes", got)
	srv.Close()

	answered := make(chan error, 1)
	go func() {
		_, err := ask()
		answered <- err
	}()
	select { // it waits
	case err := <-answered:
		t.Fatal("gave up at once: ", err)
	case <-time.After(4 * pause):
	}
	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	srv = run(l)
	require.NoError(t, <-answered)
	srv.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 4*pause)
	defer cancel()
	_, err = c.Ask(ctx, "isuser", "alice", "h", "")
	require.Error(t, err)
	require.Error(t, ctx.Err(), "the first waits")
	_, err = ask()
	require.Error(t, err)
	require.False(t, c.answered)
	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	srv = run(l)
	defer srv.Close()
	got, err = ask()
	require.NoError(t, err)
	require.Equal(t, "yes", got)
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"result":"yes"}`))
	f.Add([]byte(`{"result":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		result, err := parseReply(text)
		require.Equal(t, err == nil, result == "yes" || result == "no" || result == "unknown")
		require.True(t, err == nil || result == "")
	})
}
