package webclient

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func cfgRand() io.Reader { return rand.Reader }

func TestCredentials(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	var c credentialsJSON
	a := alice.get("/api/v1/credentials", "Accept", "application/json, text/javascript")
	require.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	assert.Contains(t, a.header.Get("Content-Type"), "application/json")
	a.json(t, &c)
	assert.Equal(t, "alice@social.example", c.JID)
	assert.Equal(t, "tlt_secret1", c.Password)
	assert.InDelta(t, 120, c.ExpiresIn, 2)
	assert.Equal(t, w.cfg.WebSocketURL, c.WebSocketURL, "Converse.js knows nothing of consent")
	alice.do("POST", "/api/v1/credentials", "").json(t, &c)
	assert.Equal(t, w.cfg.WebSocketURL+"?consent=walk", c.WebSocketURL)
	assert.Equal(t, []string{alice.login(), alice.login()}, w.issuer.issued)

	out := w.user("bob").get("/api/v1/credentials")
	assert.Equal(t, http.StatusUnauthorized, out.status)
	assert.Equal(t, "signed_out", out.code())
}

type slowDown struct{}

func (slowDown) Error() string             { return "tokens: too many" }
func (slowDown) RetryAfter() time.Duration { return 1500 * time.Millisecond }

func TestCredentialsRefused(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	w.issuer.set(slowDown{})
	a := alice.get("/api/v1/credentials")
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "2", a.header.Get("Retry-After"))
	assert.Equal(t, "rate_limited", a.code())
	assert.Contains(t, a.body, `"retry_after":2`)
	w.issuer.set(errors.New("tokens: disk full"))
	a = alice.get("/api/v1/credentials")
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, "unavailable", a.code())
	assert.NotContains(t, a.body, "disk", "the cause is for the log")
	assert.Contains(t, w.log.String(), "disk full")
}

func TestStandingIsCheckedAgain(t *testing.T) {
	for state, code := range map[mastodontest.State]string{
		mastodontest.Suspended: "account_suspended", mastodontest.Disabled: "account_disabled", mastodontest.Moved: "account_moved",
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			one, two := w.in("alice"), w.in("alice")
			logins := []string{one.login(), two.login()}
			id := w.instance.AccountID("alice")
			w.instance.SetState("alice", state)
			require.Equal(t, http.StatusOK, one.get("/api/v1/credentials").status, "asked a moment ago")
			w.clock.advance(5*time.Minute + time.Second)
			a := one.get("/api/v1/credentials")
			assert.Equal(t, http.StatusUnauthorized, a.status)
			assert.Equal(t, code, a.code())
			assert.True(t, w.issuer.hasRevoked("streams of "+id), "before the answer")
			assert.False(t, w.issuer.hasRevoked("account "+id), "device passwords wait for better times")
			assert.Equal(t, http.StatusUnauthorized, two.get("/api/v1/session").status)
			assert.Equal(t, 1, w.count(`SELECT count(*) FROM accounts WHERE suspended_at IS NOT NULL`))
			for _, login := range logins {
				w.eventually("every login ends", func() bool { return w.issuer.hasRevoked("session " + login) })
			}
			w.instance.SetState("alice", mastodontest.Active)
			require.Equal(t, "ok", one.signIn().code)
			assert.Zero(t, w.count(`SELECT count(*) FROM accounts WHERE suspended_at IS NOT NULL`))
			assert.Equal(t, http.StatusOK, one.get("/api/v1/credentials").status)
		})
	}
}

func TestRevokedTokenMeansLoginAgain(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.in("alice")
		w.instance.RevokeTokens("alice")
		w.clock.advance(6 * time.Minute)
		a := alice.get("/api/v1/credentials")
		assert.Equal(t, http.StatusUnauthorized, a.status)
		assert.Equal(t, "login_again", a.code())
		assert.Equal(t, "signed_out", alice.get("/api/v1/session").code())
		assert.Equal(t, "ok", alice.signIn().code)
	})
}

// On servers that give every login a token of its own, the next login takes the
// place of the token that is just being asked about.
func TestTokenReplacedWhileAsking(t *testing.T) {
	w := newWorld(t, mastodontest.Options{Mode: mastodontest.GoToSocial}, nil)
	one := w.in("alice")
	id := w.instance.AccountID("alice")
	var before []byte
	require.NoError(t, w.db.QueryRow(`SELECT mastodon_token FROM accounts`).Scan(&before))
	w.in("alice") // revokes the first token
	standing, err := w.s.askAsPerson(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, standingGood, standing)
	_, err = w.db.Exec(`UPDATE accounts SET mastodon_token = $1`, before)
	require.NoError(t, err)
	dropped, err := w.s.dropToken(t.Context(), id, []byte("one that was stored earlier"))
	require.NoError(t, err)
	assert.False(t, dropped, "another one has taken its place")
	_, err = w.s.token(t.Context(), id)
	require.NoError(t, err)
	_, err = w.s.askAsPerson(t.Context(), id)
	require.ErrorIs(t, err, errLoginAgain)
	assert.Equal(t, http.StatusOK, one.get("/api/v1/session").status)
}

func TestChatGoesOnWhileMastodonIsDown(t *testing.T) {
	w := hastyWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	w.clock.advance(6 * time.Minute)
	for _, down := range []mastodontest.Down{mastodontest.Down503, mastodontest.DownHTML, mastodontest.DownHang} {
		w.instance.SetDown(down)
		assert.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status, down)
		w.clock.advance(time.Minute)
	}
	w.instance.SetDown(mastodontest.DownNo)
	w.instance.SetState("alice", mastodontest.Suspended)
	// Not at once where a look of the watch's, begun while it hung, ends in vain only now.
	w.eventually("asked as soon as it answers", func() bool {
		w.clock.advance(time.Minute)
		return alice.get("/api/v1/credentials").code() == "account_suspended"
	})
}

// told is a consent watcher that remembers.
type told struct {
	mu    sync.Mutex
	heard []string
	hook  func()
}

func (c *told) watch(account string, presence, typing, receipts bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := account
	for _, on := range []bool{presence, typing, receipts} {
		text += map[bool]string{true: " yes", false: " no"}[on]
	}
	c.heard = append(c.heard, text)
	if c.hook != nil {
		c.hook()
	}
}

// all is what it was told, without repetitions: the feed tells once more.
func (c *told) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Compact(slices.Clone(c.heard))
}

// does has the watcher do something whenever it is told.
func (c *told) does(hook func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook = hook
}

func TestConsent(t *testing.T) {
	watcher := &told{}
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = watcher.watch })
	alice := w.in("alice")
	id := w.instance.AccountID("alice")
	var c consentJSON
	alice.get("/api/v1/consent").json(t, &c)
	assert.Equal(t, consentJSON{Presence: "nobody"}, c)
	presence, typing, receipts, err := w.s.Consent(t.Context(), id)
	require.NoError(t, err)
	assert.False(t, presence || typing || receipts)

	watcher.does(func() { // it is committed when the watcher hears of it
		assert.Equal(t, 1, w.count(`SELECT count(*) FROM consents WHERE presence = 'contacts'`))
	})
	a := alice.do("PUT", "/api/v1/consent", `{"presence":"contacts","typing":true,"receipts":false,"text_version":1}`)
	require.Equal(t, http.StatusOK, a.status, a.body)
	a.json(t, &c)
	assert.True(t, c.Decided)
	assert.Equal(t, "contacts", c.Presence)
	require.NotNil(t, c.ChangedAt)
	_, err = time.Parse(time.RFC3339, *c.ChangedAt)
	require.NoError(t, err)
	assert.Equal(t, []string{id + " yes yes no"}, watcher.all())

	watcher.does(nil)
	alice.do("PUT", "/api/v1/consent", `{"presence":"nobody","typing":false,"receipts":false,"text_version":1}`)
	assert.Equal(t, id+" no no no", watcher.all()[1])
	assert.Equal(t, 2, w.count(`SELECT count(*) FROM consent_changes WHERE account_id = $1 AND text_version = 1`, id))
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM consents`))
	var session sessionJSON
	alice.get("/api/v1/session").json(t, &session)
	assert.True(t, session.Consent.Decided)
}

func TestConsentThatIsNotUnderstood(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	for _, body := range []string{
		`{}`, `[]`, `{"presence":"contacts"}`, `{"presence":"everybody","typing":true,"receipts":true,"text_version":1}`,
		`{"presence":"contacts","typing":true,"receipts":true,"text_version":4}`,
		`{"presence":"contacts","typing":true,"receipts":true,"text_version":0}`,
		`{"presence":"contacts","typing":"yes","receipts":true,"text_version":1}`,
		`{"presence":"contacts","typing":true,"receipts":true,"text_version":1} {}`,
	} {
		a := alice.do("PUT", "/api/v1/consent", body)
		assert.Equal(t, http.StatusBadRequest, a.status, body)
		assert.Equal(t, "bad_request", a.code(), body)
	}
	assert.Equal(t, "not_json", alice.do("PUT", "/api/v1/consent", `{}`, "Content-Type", "text/plain").code())
	assert.Equal(t, "too_large", alice.do("PUT", "/api/v1/consent", strings.Repeat(" ", 5000)).code())
	assert.Zero(t, w.count(`SELECT count(*) FROM consent_changes`))
}

func TestWatcherCannotUndoConsent(t *testing.T) {
	watcher, hang := &told{}, make(chan struct{})
	pace := usualPace()
	pace.watcherWait = 50 * time.Millisecond
	w := newPacedWorld(t, pace, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = watcher.watch })
	alice := w.in("alice")
	watcher.does(func() { panic("gateway: boom") })
	body := `{"presence":"contacts","typing":false,"receipts":false,"text_version":1}`
	a := alice.do("PUT", "/api/v1/consent", body)
	assert.Equal(t, http.StatusOK, a.status)
	assert.Contains(t, a.body, `"pending":true`, "nobody knows whether it is in force")
	assert.Contains(t, w.log.String(), "boom")
	watcher.does(func() { <-hang })
	a = alice.do("PUT", "/api/v1/consent", body)
	assert.Equal(t, http.StatusOK, a.status, "it does not wait for ever")
	assert.Contains(t, a.body, `"pending":true`)
	assert.Equal(t, 2, w.count(`SELECT count(*) FROM consent_changes`))
	close(hang)
}

// Of two changes at once the watcher hears the later one last.
func TestWatcherHearsTheLastWord(t *testing.T) {
	watcher := &told{}
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = watcher.watch })
	alice := w.in("alice")
	var all sync.WaitGroup
	for i := range 16 {
		presence := []string{"nobody", "contacts"}[i%2]
		all.Go(func() {
			alice.do("PUT", "/api/v1/consent", `{"presence":"`+presence+`","typing":false,"receipts":false,"text_version":1}`)
		})
	}
	all.Wait()
	presence, _, _, err := w.s.Consent(t.Context(), w.instance.AccountID("alice"))
	require.NoError(t, err)
	want := map[bool]string{true: " yes", false: " no"}[presence]
	heard := watcher.all()
	assert.Equal(t, w.instance.AccountID("alice")+want+" no no", heard[len(heard)-1])
}

func (u *user) follows(cursor string) (followsJSON, answer) {
	u.w.t.Helper()
	a := u.get("/api/v1/follows?cursor=" + cursor)
	var page followsJSON
	if a.status == http.StatusOK {
		a.json(u.w.t, &page)
	}
	return page, a
}

func TestFollows(t *testing.T) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{Mode: mode, Follows: 200}, nil)
			alice := w.in("alice")
			seen := map[string]followJSON{}
			cursor, pages := "", 0
			for {
				page, a := alice.follows(cursor)
				require.Equal(t, http.StatusOK, a.status, a.body)
				for _, p := range page.People {
					require.NotContains(t, seen, p.Acct)
					seen[p.Acct] = p
				}
				if pages++; page.Next == nil {
					break
				}
				require.Less(t, pages, 10, "the list has an end")
				cursor = *page.Next
			}
			assert.Len(t, seen, 207)
			jid := func(acct string) string {
				if seen[acct].JID == nil {
					return ""
				}
				return *seen[acct].JID
			}
			assert.Equal(t, "local", seen["bob"].Reach)
			assert.Equal(t, "bob@social.example", jid("bob"))
			assert.Equal(t, "dana@social.example", jid("Dana"), "localparts are lower case")
			assert.Equal(t, "address", seen["erin@garden.example"].Reach)
			assert.Equal(t, "erin@chat.garden.example", jid("erin@garden.example"))
			assert.Equal(t, "none", seen["farid@photos.example"].Reach)
			assert.Empty(t, jid("farid@photos.example"))
			assert.Equal(t, 207, w.count(`SELECT count(*) FROM follows`))
			assert.Equal(t, 1, w.count(`SELECT count(*) FROM follows WHERE jid = 'erin@chat.garden.example'`))

			_, a := w.in("bob").follows(cursor)
			assert.Equal(t, "bad_request", a.code(), "a cursor is one person's")
			_, a = alice.follows("aHR0cDovL2V2aWwuZXhhbXBsZS8")
			assert.Equal(t, "bad_request", a.code())
		})
	}
}

// A profile elsewhere may claim an address at our domain. It is not believed.
func TestFollowsWithABorrowedAddress(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.XMPPDomain = "chat.garden.example" })
	alice := w.in("alice")
	page, _ := alice.follows("")
	for _, p := range page.People {
		switch p.Acct {
		case "erin@garden.example":
			assert.Equal(t, "none", p.Reach)
		case "bob":
			assert.Equal(t, "bob@chat.garden.example", *p.JID)
		}
	}
}

func TestFollowsWhenMastodonDoesNotAnswer(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	w.instance.RateLimitNext(1)
	_, a := alice.follows("")
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "mastodon_busy", a.code())
	assert.NotEmpty(t, a.header.Get("Retry-After"))
	assert.Contains(t, a.body, `"retry_after":`)
	w.instance.SetDown(mastodontest.Down503)
	_, a = alice.follows("")
	assert.Equal(t, http.StatusBadGateway, a.status)
	assert.Equal(t, "mastodon_down", a.code())
	w.instance.SetDown(mastodontest.DownHTML)
	_, a = alice.follows("")
	assert.Equal(t, "mastodon_invalid", a.code())
	w.instance.SetDown(mastodontest.DownNo)
	w.instance.SetState("alice", mastodontest.Suspended)
	_, a = alice.follows("")
	assert.Equal(t, "account_suspended", a.code(), "acted upon at once")
	assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
}

func TestFollowsWithARevokedToken(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	w.instance.RevokeTokens("alice")
	_, a := alice.follows("")
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Equal(t, "login_again", a.code())
}
