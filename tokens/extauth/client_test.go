package extauth

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
	if json.NewDecoder(r.Body).Decode(&q) != nil || r.Header.Get("Idempotency-Key") != "" {
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

func TestClientAsksForItsSecretEachTime(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(service))
	defer srv.Close()
	secret, fault := "old", error(nil)
	c, err := NewClient(srv.URL, func() (string, error) { return secret, fault }, nil)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Ask(t.Context(), "isuser", "alice", "h", "")
	require.ErrorContains(t, err, "refused our secret")
	secret = "s3cret"
	_, err = c.Ask(t.Context(), "isuser", "alice", "h", "")
	require.NoError(t, err)
	fault = io.ErrUnexpectedEOF
	_, err = c.Ask(t.Context(), "isuser", "alice", "h", "")
	require.ErrorIs(t, err, fault)
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
	require.False(t, c.answered.Load())
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
