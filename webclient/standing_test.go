package webclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// device gives somebody who has signed in a device password.
func (w *world) device(name string) {
	w.t.Helper()
	id := w.instance.AccountID(name)
	_, err := w.db.ExecContext(w.t.Context(), `INSERT INTO credentials (id, account_id, purpose, hash, created_at)
		VALUES ($1, $2, 'device', $3, $4)`, "device of "+name, id, []byte("hash "+name), w.clock.now().UnixMilli())
	require.NoError(w.t, err)
}

// used notes that the device password was used now.
func (w *world) used(name string) {
	w.t.Helper()
	_, err := w.db.ExecContext(w.t.Context(), `UPDATE credentials SET last_used_at = $1 WHERE id = $2`,
		w.clock.now().UnixMilli(), "device of "+name)
	require.NoError(w.t, err)
}

func (w *world) standing(name string) string {
	w.t.Helper()
	st, err := w.s.readStanding(w.t.Context(), w.instance.AccountID(name))
	require.NoError(w.t, err)
	require.Equal(w.t, st.now != standingGood, st.refused, "suspended_at goes with standing")
	return st.now
}

// onlyDevices is somebody who has a device password and is signed in nowhere.
func (w *world) onlyDevices(name string) {
	w.t.Helper()
	u := w.in(name)
	w.device(name)
	require.Equal(w.t, http.StatusNoContent, u.do("POST", "/auth/logout", "").status)
	w.eventually("signed out", func() bool {
		return w.count(`SELECT count(*) FROM logins WHERE ended_at IS NULL`) == 0
	})
}

func (w *world) metric(reg *prometheus.Registry, name string, labels ...string) float64 {
	w.t.Helper()
	families, err := reg.Gather()
	require.NoError(w.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if family.GetName() == name && strings.Join(have, " ") == strings.Join(labels, " ") {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// inTime is eventually for what is tried again after a while: the clock goes faster.
func (w *world) inTime(what string, f func() bool) {
	w.t.Helper()
	w.eventually(what, func() bool {
		w.clock.advance(50 * time.Millisecond)
		return f()
	})
}

// live is the people with streams, as a test says.
type live struct {
	mu   sync.Mutex
	list []string
}

func (l *live) set(accounts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = accounts
}

func (l *live) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list
}

func TestPeopleWithStreamsAreAskedAbout(t *testing.T) {
	for state, standing := range map[mastodontest.State]string{
		mastodontest.Suspended: standingSuspended, mastodontest.Disabled: standingDisabled,
		mastodontest.Moved: standingMoved, mastodontest.Deleted: standingDeleted, mastodontest.Unconfirmed: standingUnconfirmed,
	} {
		t.Run(string(state), func(t *testing.T) {
			online := &live{}
			w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.LiveAccounts = online.get })
			alice := w.in("alice")
			id, login := w.instance.AccountID("alice"), alice.login()
			online.set(id, "nobody")
			w.instance.SetState("alice", state)
			before := w.instance.Counters().APICalls
			w.clock.advance(11 * time.Minute) // less than the jitter's least
			w.s.askAll(t.Context(), must(w.s.dueNow(t.Context())), rate.NewLimiter(rate.Inf, 1))
			assert.Equal(t, before, w.instance.Counters().APICalls, "not asked yet")
			w.clock.advance(8 * time.Minute)
			w.inTime("refused", func() bool { return w.standing("alice") == standing })
			w.eventually("streams end", func() bool { return w.issuer.hasRevoked("streams of " + id) })
			w.eventually("the login ends", func() bool { return w.issuer.hasRevoked("session " + login) })
			assert.False(t, w.issuer.hasRevoked("account "+id), "device passwords are not killed")
			online.set()
			if state == mastodontest.Deleted {
				return
			}
			w.instance.SetState("alice", mastodontest.Active)
			require.Equal(t, "ok", alice.signIn().code)
			assert.Equal(t, standingGood, w.standing("alice"))
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Who only has a phone is cut off and let in again without ever signing in.
func TestPeopleWithDevicesAreAskedAbout(t *testing.T) {
	for state, standing := range map[mastodontest.State]string{
		mastodontest.Suspended: standingSuspended, mastodontest.Moved: standingMoved,
		mastodontest.Disabled: standingDisabled, mastodontest.Deleted: standingDeleted,
	} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			w.onlyDevices("alice")
			id := w.instance.AccountID("alice")
			w.instance.SetState("alice", state)
			w.clock.advance(time.Hour)
			w.used("alice")
			w.clock.advance(7 * time.Hour)
			w.inTime("refused", func() bool { return w.standing("alice") == standing })
			w.eventually("streams end", func() bool { return w.issuer.hasRevoked("streams of " + id) })
			w.instance.SetState("alice", mastodontest.Active)
			w.clock.advance(7 * time.Hour)
			w.inTime("let in again", func() bool { return w.standing("alice") == standingGood })
			assert.False(t, w.issuer.hasRevoked("account "+id))
			assert.Equal(t, 1, w.count(`SELECT count(*) FROM credentials WHERE revoked_at IS NULL`))
			st := must(w.s.readStanding(t.Context(), id))
			assert.WithinDuration(t, w.clock.now().Add(24*time.Hour), st.trusted, time.Minute)
		})
	}
}

// Being asked about as the person counts as activity at Mastodon: people who do
// nothing are looked at from outside, where a frozen login does not show.
func TestSleepersAreNotWoken(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.onlyDevices("alice")
	w.instance.SetState("alice", mastodontest.Disabled)
	before := must(w.s.readStanding(t.Context(), w.instance.AccountID("alice"))).at
	w.clock.advance(8 * time.Hour)
	w.inTime("asked", func() bool {
		return must(w.s.readStanding(t.Context(), w.instance.AccountID("alice"))).at.After(before)
	})
	assert.Equal(t, standingGood, w.standing("alice"))
	w.used("alice")
	require.NoError(t, w.s.Recheck(t.Context(), w.instance.AccountID("alice")))
	assert.Equal(t, standingDisabled, w.standing("alice"), "whoever is just signing in is awake")
}

// A public profile says nothing of a frozen login, so it does not thaw one.
func TestFrozenLoginsThawOnlyWhereThatCanBeSeen(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.onlyDevices("alice")
	id := w.instance.AccountID("alice")
	w.instance.SetState("alice", mastodontest.Disabled)
	require.NoError(t, w.s.Recheck(t.Context(), id))
	require.Equal(t, standingDisabled, w.standing("alice"))
	w.instance.RevokeTokens("alice")
	w.instance.SetState("alice", mastodontest.Active)
	require.NoError(t, w.s.Recheck(t.Context(), id))
	assert.Equal(t, standingDisabled, w.standing("alice"))
	assert.Zero(t, w.count(`SELECT count(*) FROM accounts WHERE mastodon_token IS NOT NULL`))
	w.in("alice")
	assert.Equal(t, standingGood, w.standing("alice"))
}

// The token is what tells whether somebody with a device password is still welcome.
func TestTokenIsKeptForDevices(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.onlyDevices("alice")
	bob := w.in("bob")
	bob.do("POST", "/auth/logout", "")
	w.eventually("bob's is given back", func() bool { return w.instance.Counters().TokensLive == 1 })
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM accounts WHERE mastodon_token IS NOT NULL AND username = 'alice'`))
	_, err := w.db.ExecContext(t.Context(), `UPDATE credentials SET revoked_at = 1`)
	require.NoError(t, err)
	w.eventually("with the last device it is given back", func() bool { return w.instance.Counters().TokensLive == 0 })
}

func TestStandingOutlivesARestart(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	calls := w.instance.Counters().APICalls
	w.stop()
	w.boot()
	require.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status)
	assert.Equal(t, calls, w.instance.Counters().APICalls)
}

func TestMastodonIsSilent(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.Metrics = reg })
	alice := w.in("alice")
	w.device("alice")
	id := w.instance.AccountID("alice")
	said := must(w.s.readStanding(t.Context(), id))
	w.instance.SetDown(mastodontest.Down503)
	w.clock.advance(23 * time.Hour)
	w.eventually("noticed", func() bool { return w.metric(reg, "trunkline_standing_checks_total", "unknown") > 0 })
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status, "within the grace")
	require.Error(t, w.s.Recheck(t.Context(), id), "it cannot be told")
	w.clock.advance(2 * time.Hour)
	assert.Equal(t, "mastodon_down", alice.get("/api/v1/credentials").code(), "the grace is over")
	assert.InDelta(t, 2*3600, w.metric(reg, "trunkline_mastodon_unreachable_seconds"), 60)
	assert.Equal(t, said, must(w.s.readStanding(t.Context(), id)), "nothing is written down that nobody said")
	assert.Equal(t, "mastodon_down", popup(t, w.user("bob").get("/auth/login?mode=popup")).code, "no grace for new logins")
	require.Error(t, w.s.Recheck(t.Context(), id))

	w.instance.SetDown(mastodontest.DownNo)
	w.clock.advance(time.Minute)
	w.inTime("back", func() bool { return w.metric(reg, "trunkline_mastodon_unreachable_seconds") == 0 })
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status)
	assert.True(t, must(w.s.readStanding(t.Context(), id)).at.After(said.at))
}

// Nobody waits for the watch: it must not use up what people need.
func TestTheWatchStaysWithinMastodonsLimits(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, mastodontest.Options{RateLimit: 25}, func(c *Config) { c.Metrics = reg })
	const people = 30
	start := w.clock.now().Add(-23 * time.Hour)
	for i := range people { // nobody at the instance knows them
		id := fmt.Sprintf("9%03d", i)
		_, err := w.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at, standing_at, trusted_until)
			VALUES ($1, $2, 1, 1, $3, $4)`, id, "n"+id, start.Add(time.Duration(i)*time.Minute).UnixMilli(), w.clock.now().Add(time.Hour).UnixMilli())
		require.NoError(t, err)
		_, err = w.db.ExecContext(t.Context(), `INSERT INTO credentials (id, account_id, purpose, hash, created_at)
			VALUES ($1, $2, 'device', $3, 1)`, "d"+id, id, []byte(id))
		require.NoError(t, err)
	}
	refused := func() int { return w.count(`SELECT count(*) FROM accounts WHERE suspended_at IS NOT NULL`) }
	w.eventually("four fifths of the limit are used", func() bool { return refused() >= 20 })
	w.eventually("it holds back", func() bool { return w.s.cfg.Mastodon.PublicBusy() > 0 })
	due, _, err := w.s.dueDevices(t.Context(), map[string]time.Time{})
	require.NoError(t, err)
	require.NotEmpty(t, due)
	w.s.askAll(t.Context(), due, rate.NewLimiter(rate.Inf, 1))
	assert.Equal(t, 20, refused())
	assert.Zero(t, w.instance.Counters().RateLimited)
	assert.Equal(t, 20, w.count(`SELECT count(*) FROM accounts WHERE suspended_at IS NOT NULL AND id < '9020'`), "oldest first")
	exists, err := w.s.LookupName(t.Context(), "alice")
	require.NoError(t, err)
	assert.True(t, exists, "what people wait for goes on")
	w.clock.advance(5 * time.Minute)
	w.inTime("the rest", func() bool { return refused() == people })
	w.inTime("counted", func() bool { return w.metric(reg, "trunkline_accounts_refused") == people })
	assert.InDelta(t, people, w.metric(reg, "trunkline_standing_checks_total", "deleted"), 1, "each is asked about once")
}

// Where public profiles are not public, the app's own token may help, and else the
// person's is all there is.
func TestClosedInstances(t *testing.T) {
	for name, closed := range map[string]mastodontest.Closed{
		"to strangers": mastodontest.ClosedToStrangers, "to apps": mastodontest.ClosedToApps,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mastodontest.Options{}, nil)
			w.instance.SetClosed(closed)
			w.onlyDevices("alice")
			id := w.instance.AccountID("alice")
			at := func() time.Time { return must(w.s.readStanding(t.Context(), id)).at }
			before := at()
			w.clock.advance(8 * time.Hour)
			w.inTime("asked", func() bool { return at().After(before) })

			w.instance.RevokeTokens("alice")
			before = at()
			w.clock.advance(8 * time.Hour)
			exists, err := w.s.LookupName(t.Context(), "alice")
			if closed == mastodontest.ClosedToApps {
				w.inTime("asked", func() bool { return strings.Contains(w.log.String(), "cannot tell how an account stands") })
				assert.Equal(t, before, at(), "nobody said anything")
				assert.Equal(t, standingGood, w.standing("alice"))
				require.Error(t, err)
				return
			}
			w.inTime("asked", func() bool { return at().After(before) })
			require.NoError(t, err)
			assert.True(t, exists)
			exists, err = w.s.LookupName(t.Context(), "nobody")
			require.NoError(t, err)
			assert.False(t, exists)
		})
	}
}

func TestEndingStreamsIsTriedAgain(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.in("alice")
	id := w.instance.AccountID("alice")
	w.instance.SetState("alice", mastodontest.Suspended)
	w.issuer.set(errors.New("tokens: the database is busy"))
	require.Error(t, w.s.Recheck(t.Context(), id))
	assert.Equal(t, standingSuspended, w.standing("alice"), "its passwords are refused all the same")
	w.issuer.set(nil)
	w.eventually("ended", func() bool { return w.issuer.hasRevoked("streams of " + id) })
}

// A crash between writing down and ending must not leave streams open.
func TestStreamsOfRefusedPeopleEndAfterARestart(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	w.onlyDevices("alice")
	w.stop()
	w.instance.SetState("alice", mastodontest.Suspended)
	_, err := w.db.ExecContext(t.Context(), `UPDATE accounts SET standing = 'suspended', suspended_at = 1`)
	require.NoError(t, err)
	w.boot()
	w.eventually("ended", func() bool { return w.issuer.hasRevoked("streams of " + w.instance.AccountID("alice")) })
}

func TestBlockedAccounts(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	login := alice.login()
	_, err := w.db.ExecContext(t.Context(), `UPDATE accounts SET blocked_at = 1`)
	require.NoError(t, err)
	a := alice.get("/api/v1/credentials")
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Equal(t, "account_blocked", a.code())
	w.eventually("the login ends", func() bool { return w.issuer.hasRevoked("session " + login) })
	got := w.user("alice").signIn()
	assert.Equal(t, "account_blocked", got.code)
	assert.Equal(t, loginOutcomes[codeBlocked].message, got.message)
	w.eventually("no token is kept", func() bool { return w.instance.Counters().TokensLive == 0 })
	calls := w.instance.Counters().APICalls
	require.NoError(t, w.s.Recheck(t.Context(), w.instance.AccountID("alice")))
	assert.Equal(t, calls, w.instance.Counters().APICalls, "the answer would change nothing")
	assert.Equal(t, 1, w.count(`SELECT count(*) FROM accounts WHERE blocked_at = 1 AND suspended_at IS NULL`))
	_, err = w.db.ExecContext(t.Context(), `UPDATE accounts SET blocked_at = NULL`)
	require.NoError(t, err)
	assert.Equal(t, "ok", w.user("alice").signIn().code)
}

func TestRecheckOfNobody(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	require.Error(t, w.s.Recheck(t.Context(), "nobody"))
}

func TestJitter(t *testing.T) {
	const every = 15 * time.Minute
	at := time.Unix(1_800_000_000, 0)
	least, most, sum := every*2, time.Duration(0), time.Duration(0)
	const people = 2000
	for i := range people {
		d := jitter(fmt.Sprint(i), at, every)
		require.Equal(t, d, jitter(fmt.Sprint(i), at, every))
		least, most, sum = min(least, d), max(most, d), sum+d
	}
	assert.GreaterOrEqual(t, least, every*8/10)
	assert.LessOrEqual(t, most, every*12/10)
	assert.Greater(t, most-least, every*35/100)
	assert.InDelta(t, every.Seconds(), (sum / people).Seconds(), 10)
}
