package webclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// gate holds Mastodon's answers to verify_credentials back: they were true when they
// were given.
type gate struct {
	http.RoundTripper
	mu    sync.Mutex
	armed bool
	held  chan struct{} // closed when an answer is held
	open  chan struct{} // closed to let it through
}

func (g *gate) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.held, g.open = true, make(chan struct{}), make(chan struct{})
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := g.RoundTripper.RoundTrip(r)
	g.mu.Lock()
	hold := g.armed && strings.HasSuffix(r.URL.Path, "/verify_credentials")
	g.armed = g.armed && !hold
	held, open := g.held, g.open
	g.mu.Unlock()
	if !hold || err != nil {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	close(held)
	<-open
	return res, err
}

func gatedWorld(t *testing.T, change func(*Config)) (*world, *gate) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	g := &gate{RoundTripper: transport}
	pace := usualPace()
	pace.standingWait = time.Minute
	w := newPacedWorld(t, pace, mastodontest.Options{}, func(c *Config) {
		var err error
		c.Mastodon, err = mastodon.New(mastodon.Config{BaseURL: c.InstanceURL, Now: c.Now, HTTP: &http.Client{Transport: g}})
		require.NoError(t, err)
		c.WebhookSecret = []byte(hookSecret)
		if change != nil {
			change(c)
		}
	})
	return w, g
}

// Bad news is acted on while a question is under way, and what that brings is older
// than the news, whether the account was welcome before or not.
func TestBadNewsOvertakesAQuestion(t *testing.T) {
	for _, before := range []mastodontest.State{mastodontest.Active, mastodontest.Moved} {
		t.Run(string(before), func(t *testing.T) {
			w, g := gatedWorld(t, nil)
			w.onlyDevices("alice")
			id := w.instance.AccountID("alice")
			w.clock.advance(time.Second)
			if before != mastodontest.Active {
				w.instance.SetState("alice", before)
				require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
				w.instance.SetState("alice", mastodontest.Active)
				w.clock.advance(time.Second)
			}
			g.arm()
			answered := make(chan error, 1)
			go func() { answered <- w.s.Recheck(context.WithoutCancel(t.Context()), id) }()
			<-g.held
			w.clock.advance(time.Second)
			w.instance.SetState("alice", mastodontest.Suspended)
			require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
			assert.Equal(t, standingSuspended, w.standing("alice"))
			close(g.open)
			require.NoError(t, <-answered)
			assert.Equal(t, standingSuspended, w.standing("alice"), "the answer is from before the news")
		})
	}
}

// The same for the question that a login asks.
func TestBadNewsOvertakesALogin(t *testing.T) {
	w, g := gatedWorld(t, nil)
	alice := w.in("alice")
	w.clock.advance(time.Second)
	g.arm()
	signedIn := make(chan result, 1)
	to := alice.callback("mode=popup")
	go func() { signedIn <- popup(t, alice.get(to)) }()
	<-g.held
	w.clock.advance(time.Second)
	w.instance.SetState("alice", mastodontest.Suspended)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	close(g.open)
	assert.Equal(t, "account_suspended", (<-signedIn).code)
	assert.Equal(t, standingSuspended, w.standing("alice"))
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
}

// And for news that comes after the login was written down, of what happened before.
func TestBadNewsAboutTheTimeOfALogin(t *testing.T) {
	w, g := gatedWorld(t, nil)
	g.arm()
	alice := w.user("alice")
	signedIn := make(chan result, 1)
	to := alice.callback("mode=popup")
	go func() { signedIn <- popup(t, alice.get(to)) }()
	<-g.held
	w.clock.advance(time.Second)
	w.instance.SetState("alice", mastodontest.Suspended)
	bad := w.saved("alice")
	w.clock.advance(time.Second)
	close(g.open)
	require.Equal(t, "ok", (<-signedIn).code)
	require.Equal(t, http.StatusNoContent, w.post(bad, sign(bad)).status)
	assert.Equal(t, standingSuspended, w.standing("alice"))
}

// While Mastodon is silent the phones of everybody ask one question in half a minute.
func TestNobodyAsksWhileMastodonIsSilent(t *testing.T) {
	const people = 20
	var mu sync.Mutex
	calls := 0
	asked := func() int {
		mu.Lock()
		defer mu.Unlock()
		n := calls
		calls = 0
		return n
	}
	w := newWorld(t, mastodontest.Options{}, func(c *Config) {
		client, err := mastodon.New(mastodon.Config{BaseURL: c.InstanceURL, Now: c.Now,
			HTTP: &http.Client{Transport: counting(func() { mu.Lock(); calls++; mu.Unlock() })}})
		require.NoError(t, err)
		c.Mastodon = client
	})
	for i := range people {
		id := fmt.Sprintf("9%03d", i)
		_, err := w.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ($1, $1, 1, 1)`, id)
		require.NoError(t, err)
	}
	recheck := func() {
		var all sync.WaitGroup
		for i := range people {
			all.Go(func() {
				err := w.s.Recheck(t.Context(), fmt.Sprintf("9%03d", i))
				var silent *cannotTell
				assert.True(t, errors.As(err, &silent), err)
				assert.ErrorIs(t, err, mastodon.ErrDown)
			})
		}
		all.Wait()
	}
	w.instance.SetDown(mastodontest.Down503)
	require.Error(t, w.s.Recheck(t.Context(), "9000"))
	asked()
	for i := 1; i < people; i++ { // whom nobody has asked about yet
		require.ErrorIs(t, w.s.Recheck(t.Context(), fmt.Sprintf("9%03d", i)), mastodon.ErrDown)
	}
	assert.Zero(t, asked(), "it was silent a moment ago")
	for range 3 {
		w.clock.advance(w.s.pace.standingRetry + time.Second)
		recheck()
		w.eventually("one of them or the watch has asked", func() bool { return w.s.asked.hushed(w.clock.now()) })
		assert.LessOrEqual(t, asked(), 1)
	}
	w.instance.SetDown(mastodontest.DownNo)
	w.clock.advance(2 * time.Minute)
	w.inTime("back", func() bool { return w.s.Recheck(t.Context(), "9001") == nil })
	require.NoError(t, w.s.Recheck(t.Context(), "9002"), "and for everybody at once")
}

// counting calls itself for each request.
type counting func()

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c()
	return http.DefaultTransport.RoundTrip(r)
}

// Somebody without a row may have come in with their Mastodon password.
func TestBadNewsAboutStrangers(t *testing.T) {
	var mu sync.Mutex
	var told []string
	var fail error
	tell := func(_ context.Context, username, reason string) error {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, username+" "+reason)
		return fail
	}
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.WebhookSecret, c.OnUnknownBad = []byte(hookSecret), tell })
	w.in("alice")
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "bob"), "good news of a stranger is no news")
	w.instance.SetState("bob", mastodontest.Suspended)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "bob"))
	fail = errors.New("tokens: the database is busy")
	assert.Equal(t, http.StatusServiceUnavailable, w.tell(accountUpdated, "bob"), "Mastodon sends it again")
	fail = nil
	for _, object := range []string{
		`{"id":"9","username":"erin","domain":"elsewhere.example","suspended":true}`,
		`{"id":"9","username":"not a name","suspended":true}`,
		`{"id":"","username":"carol","suspended":true}`,
	} {
		body := []byte(`{"event":"account.updated","created_at":"2030-01-01T00:00:00.000Z","object":` + object + `}`)
		assert.Equal(t, http.StatusNoContent, w.post(body, sign(body)).status, object)
	}
	assert.Equal(t, []string{"bob account_suspended", "bob account_suspended"}, told)
	assert.Equal(t, standingGood, w.standing("alice"))

	// Somebody whom we know by another name: the id is the person, and both names end.
	w.clock.advance(time.Second)
	body := []byte(`{"event":"account.updated","object":{"id":"` + w.instance.AccountID("alice") +
		`","username":"Alice_New","domain":null,"suspended":true,"confirmed":true}}`)
	require.Equal(t, http.StatusNoContent, w.post(body, sign(body)).status)
	assert.Equal(t, standingSuspended, w.standing("alice"))
	assert.Equal(t, "alice_new account_suspended", told[len(told)-1])
}

// Each change of an account's standing is told once, with who said so.
func TestStandingIsRecorded(t *testing.T) {
	var mu sync.Mutex
	var list []string
	w := newWorld(t, mastodontest.Options{}, func(c *Config) {
		c.WebhookSecret = []byte(hookSecret)
		c.Recorder = func(op, username, account, outcome, reason string) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, strings.Join([]string{op, username, account, outcome, reason}, " "))
		}
	})
	recorded := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), list...)
	}
	w.in("alice")
	id := w.instance.AccountID("alice")
	w.device("alice")
	want := []string{}
	expect := func(outcome, reason string) {
		t.Helper()
		want = append(want, "standing alice "+id+" "+outcome+" "+reason)
		assert.Equal(t, want, recorded())
		w.clock.advance(time.Second)
	}
	assert.Empty(t, recorded(), "nothing has changed")
	w.clock.advance(time.Second)
	w.instance.SetState("alice", mastodontest.Suspended)
	for range 2 {
		require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	}
	expect("suspended", "webhook")
	w.instance.SetState("alice", mastodontest.Active)
	require.NoError(t, w.s.Recheck(t.Context(), id))
	expect("good", "check")
	w.instance.SetState("alice", mastodontest.Moved)
	require.NoError(t, w.s.Recheck(t.Context(), id))
	expect("moved", "check")
	w.instance.SetState("alice", mastodontest.Active)
	w.in("alice")
	expect("good", "login")
}
