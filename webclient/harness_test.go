package webclient

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

var modes = []mastodontest.Mode{mastodontest.V46, mastodontest.V43, mastodontest.GoToSocial}

// inEachMode runs a test against every kind of instance.
func inEachMode(t *testing.T, test func(t *testing.T, w *world)) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) { test(t, newWorld(t, mastodontest.Options{Mode: mode}, nil)) })
	}
}

// clock is the wall clock, moved by the test.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// record is a log that a test can search.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// world is a stand-in instance, a Server before it, and the doubles behind it.
type world struct {
	t        *testing.T
	instance *mastodontest.Server
	origin   string // of the instance
	url      string // of the Server
	s        *Server
	db       *sqldb.DB
	clock    *clock
	log      *record
	issuer   *issuer
	importer *importer
	cfg      Config
	pace     pace
	stop     func() // ends Run and waits for it; the listener goes on
}

// usualPace has what is done again and again done often. What must come in time has
// time, for whoever is slow here is the machine; see hastyWorld.
func usualPace() pace {
	return pace{
		tidy: 10 * time.Millisecond, sweep: 100 * time.Millisecond, names: 100 * time.Millisecond, body: time.Minute, hookBody: time.Minute, heartbeat: 20 * time.Millisecond, glance: 5 * time.Millisecond,
		standingCheck: 5 * time.Minute, standingRetry: 30 * time.Second, standingWait: 20 * time.Second,
		standingRound: 20 * time.Millisecond, standingSweep: 20 * time.Millisecond, standingHold: time.Minute, watcherWait: time.Minute, consentPoll: 10 * time.Millisecond,
		importRetry: time.Millisecond, importMax: 5 * time.Millisecond, importGiveUp: 24 * time.Hour, importBatch: 5 * time.Second,
		revokeRetry: time.Minute,
	}
}

// newWorld starts everything. change may adjust the configuration.
func newWorld(t *testing.T, opt mastodontest.Options, change func(*Config)) *world {
	t.Helper()
	return newPacedWorld(t, usualPace(), opt, change)
}

// hastyWorld is one for those who let Mastodon hang, and wait until it is given up.
func hastyWorld(t *testing.T, opt mastodontest.Options, change func(*Config)) *world {
	t.Helper()
	pace := usualPace()
	pace.standingWait = time.Second
	return newPacedWorld(t, pace, opt, change)
}

func newPacedWorld(t *testing.T, pace pace, opt mastodontest.Options, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, log: &record{}, db: sqldbtest.New(t), pace: pace}
	w.issuer = newIssuer(w.clock.now)
	w.importer = newImporter()
	opt.Now = w.clock.now
	w.instance = mastodontest.New(opt)
	origin, stop, err := w.instance.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	w.origin = origin
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.s.Handler().ServeHTTP(rw, r)
	}))
	w.url = "http://" + front.Listener.Addr().String()
	client, err := mastodon.New(mastodon.Config{BaseURL: origin, Now: w.clock.now,
		HTTP: &http.Client{Transport: transport, Timeout: 2 * pace.standingWait}})
	require.NoError(t, err)
	w.cfg = Config{
		PublicURL: w.url, InstanceURL: origin, InstanceName: "Social Example", LocalDomain: "social.example",
		WebSocketURL: "ws" + strings.TrimPrefix(w.url, "http") + "/xmpp-websocket",
		DataKeys:     [][]byte{bytes.Repeat([]byte{1}, 32)}, MediaOrigins: []string{"https://media.example"},
		Mastodon: client, DB: w.db, Issuer: w.issuer, Importer: w.importer, Now: w.clock.now,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&w.cfg)
	}
	w.boot()
	front.Start()
	t.Cleanup(front.Close)
	t.Cleanup(func() { w.stop() })
	return w
}

// boot makes a Server on the database and runs it, as a restart does.
func (w *world) boot() {
	s, err := New(w.cfg)
	require.NoError(w.t, err)
	s.pace = w.pace
	w.s = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
}

// eventually waits for something that another goroutine does.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline.C:
			w.t.Fatalf("still not so: %s\n%s", what, w.log)
		case <-tick.C:
		}
	}
}

// count is the single number that a query answers.
func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	require.NoError(w.t, w.db.QueryRowContext(w.t.Context(), query, args...).Scan(&n))
	return n
}

// user is somebody at a browser.
type user struct {
	w *world
	b *mastodontest.Browser
}

func (w *world) user(name string) *user { return &user{w: w, b: mastodontest.NewBrowser(name)} }

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), into), a.body)
}

// code is the error that an API answer tells.
func (a answer) code() string {
	var e struct{ Error, Message string }
	if json.Unmarshal([]byte(a.body), &e) != nil || e.Message == "" {
		return ""
	}
	return e.Error
}

func (u *user) do(method, path, body string, header ...string) answer {
	u.w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = u.w.url + path
	}
	r, err := http.NewRequestWithContext(u.w.t.Context(), method, path, strings.NewReader(body))
	require.NoError(u.w.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := u.b.Client().Do(r)
	require.NoError(u.w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(u.w.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

func (u *user) get(path string, header ...string) answer {
	u.w.t.Helper()
	return u.do("GET", path, "", header...)
}

// authorizeURL starts a login and returns where it sends the browser.
func (u *user) authorizeURL(query string) string {
	u.w.t.Helper()
	a := u.get("/auth/login?" + query)
	require.Equal(u.w.t, http.StatusSeeOther, a.status, a.body)
	return a.header.Get("Location")
}

// callback goes through Mastodon's pages and returns where they end.
func (u *user) callback(query string) string {
	u.w.t.Helper()
	to, err := u.b.Authorize(u.w.t.Context(), u.authorizeURL(query))
	require.NoError(u.w.t, err)
	return to
}

// result is what the last page of the popup says.
type result struct{ code, message, handoff, chat string }

var dataAttr = regexp.MustCompile(`data-([a-z-]+)="([^"]*)"`)

func popup(t *testing.T, a answer) result {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	var r result
	for _, m := range dataAttr.FindAllStringSubmatch(a.body, -1) {
		switch m[1] {
		case "result":
			r.code = m[2]
		case "message":
			r.message = m[2]
		case "handoff":
			r.handoff = m[2]
		case "chat-origin":
			r.chat = m[2]
		}
	}
	return r
}

// signIn goes through a whole popup login and returns how it ended.
func (u *user) signIn() result {
	u.w.t.Helper()
	return popup(u.w.t, u.get(u.callback("mode=popup")))
}

// in is a user who is signed in.
func (w *world) in(name string) *user {
	w.t.Helper()
	u := w.user(name)
	require.Equal(w.t, "ok", u.signIn().code, w.log)
	return u
}

// cookie is the value of our cookie what in the browser.
func (u *user) cookie(what string) string {
	at, err := url.Parse(u.w.url)
	require.NoError(u.w.t, err)
	for _, c := range u.b.Client().Jar.Cookies(at) {
		if c.Name == "trunkline_"+what {
			return c.Value
		}
	}
	return ""
}

func (u *user) setCookie(what, value string) {
	at, err := url.Parse(u.w.url)
	require.NoError(u.w.t, err)
	u.b.Client().Jar.SetCookies(at, []*http.Cookie{{Name: "trunkline_" + what, Value: value, Path: "/"}})
}

// login is the id of the browser's login.
func (u *user) login() string {
	u.w.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "trunkline_session", Value: u.cookie("session")})
	_, id, err := u.w.s.sessions.load(r)
	require.NoError(u.w.t, err)
	return id
}
