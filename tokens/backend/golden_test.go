package backend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// table is a Verifier of these passwords, a Recorder, and a log at its most
// talkative.
type table struct {
	passwords map[string]string // by username
	err       error

	mu     sync.Mutex
	events []Event
	log    bytes.Buffer
}

func (tb *table) Check(_ context.Context, _, username, secret, _, _ string) (
	ok bool, reason, account, session, credential string, err error) {
	want, known := tb.passwords[username]
	switch {
	case tb.err != nil:
		return false, "", "", "", "", tb.err
	case known && want == secret:
		return true, "ok", "id-" + username, "", "credential-" + username, nil
	}
	return false, "unknown_secret", "", "", "", nil
}

func (tb *table) Exists(_ context.Context, username string) (bool, error) {
	_, known := tb.passwords[username]
	return known, tb.err
}

func (tb *table) Welcome(ctx context.Context, username string) (bool, error) {
	return username != "mallory", tb.err
}

func (tb *table) Record(e Event) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.events = append(tb.events, e)
}

// last is the newest event.
func (tb *table) last() Event {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if len(tb.events) == 0 {
		return Event{}
	}
	return tb.events[len(tb.events)-1]
}

func (tb *table) Write(p []byte) (int, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.log.Write(p)
}

func (tb *table) logged() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.log.String()
}

func (tb *table) core(t *testing.T, domain string) *Core {
	t.Helper()
	core, err := NewCore(CoreConfig{Verifier: tb, Recorder: tb, Domain: domain,
		Log: slog.New(slog.NewTextHandler(tb, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	return core
}

// lines are a request as it stands on the wire, ended by an empty line and a body.
func lines(body string, head ...string) string {
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

// wire has a request read by net/http as its server reads it, and answers it.
func wire(t *testing.T, h http.Handler, raw string) *httptest.ResponseRecorder {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	require.NoError(t, err)
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// overTCP sends a request to a real server and returns every byte of the answer.
func overTCP(t *testing.T, h http.Handler, raw string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	defer func() { _ = server.Close(); <-done }()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	var all bytes.Buffer
	require.NoError(t, answer.Write(&all))
	return all.String()
}

var errTrouble = errors.New("the database is away")
