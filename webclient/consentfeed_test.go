package webclient

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

const (
	agreed    = `{"presence":"contacts","typing":false,"receipts":false,"text_version":1}`
	withdrawn = `{"presence":"nobody","typing":false,"receipts":false,"text_version":1}`
)

// beside is another process on the world's database, which does not run yet.
func (w *world) beside(change func(*Config)) (s *Server, watcher *told) {
	w.t.Helper()
	cfg := w.cfg
	watcher = &told{}
	cfg.ConsentChanged = watcher.watch
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	require.NoError(w.t, err)
	s.pace = w.pace
	return s, watcher
}

// runs keeps a Server going until stop is called or the test has ended.
func (w *world) runs(s *Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// hears says whether the last that a watcher was told is this.
func (c *told) hears(what string) bool {
	all := c.all()
	return len(all) > 0 && all[len(all)-1] == what
}

// pending says whether a change of consent was answered as one that not all obey.
func (u *user) pending(body string) bool {
	u.w.t.Helper()
	var c consentJSON
	a := u.do("PUT", "/api/v1/consent", body)
	require.Equal(u.w.t, 200, a.status, a.body)
	a.json(u.w.t, &c)
	return c.Pending
}

func TestConsentReachesEveryProcess(t *testing.T) {
	here := &told{}
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = here.watch })
	other, there := w.beside(nil)
	third, yonder := w.beside(nil)
	require.NoError(t, other.Begin(t.Context()))
	require.NoError(t, third.Begin(t.Context()))
	stop := w.runs(other)
	w.runs(third)
	alice, id := w.in("alice"), w.instance.AccountID("alice")

	for range 3 {
		require.False(t, alice.pending(agreed))
		for _, watcher := range []*told{here, there, yonder} {
			require.True(t, watcher.hears(id+" yes no no"), "when the person is told, all know")
		}
		require.False(t, alice.pending(withdrawn))
		for _, watcher := range []*told{here, there, yonder} {
			require.True(t, watcher.hears(id+" no no no"))
		}
	}

	// What a process leaves behind when it ends is looked at by the next that begins.
	const ended = `SELECT count(*) FROM cursors WHERE name LIKE 'consent/%' AND seq < 0`
	stop()
	require.Equal(t, 1, w.count(ended))
	require.False(t, w.s.othersTold(t.Context(), 1, time.Millisecond), "its sessions may wait, and show her")
	next, _ := w.beside(nil)
	require.NoError(t, next.Begin(t.Context()))
	require.Zero(t, w.count(ended))
	w.runs(next)
	require.False(t, alice.pending(agreed))
	assert.True(t, there.hears(id+" no no no"), "it does not run any more")
}

// What changes while a process starts is not missed, and what changed before is
// not told: streams look their consent up.
func TestConsentThatChangesAtTheStart(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = (&told{}).watch })
	alice, bob := w.in("alice"), w.in("bob")
	alice.do("PUT", "/api/v1/consent", agreed)
	other, there := w.beside(nil)
	require.NoError(t, other.Begin(t.Context()))
	_, err := w.db.ExecContext(t.Context(), `DELETE FROM cursors`) // so that nobody waits for who does not run
	require.NoError(t, err)
	bob.do("PUT", "/api/v1/consent", agreed)
	w.runs(other)
	w.eventually("told of the second", func() bool { return there.hears(w.instance.AccountID("bob") + " yes no no") })
	assert.Len(t, there.all(), 1)
}

// The person is not told that a withdrawal is in force while a process that may
// hold streams has not said so.
func TestConsentThatAnotherProcessDoesNotHear(t *testing.T) {
	pace := usualPace()
	pace.watcherWait, pace.sweep = 50*time.Millisecond, time.Hour
	w := newPacedWorld(t, pace, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = (&told{}).watch })
	other, _ := w.beside(nil)
	require.NoError(t, other.Begin(t.Context()), "and then it hangs")
	alice := w.in("alice")
	require.True(t, alice.pending(withdrawn))
	assert.Contains(t, w.log.String(), "other nodes take long to follow a change of consent")
	var c consentJSON
	alice.get("/api/v1/consent").json(t, &c)
	assert.Equal(t, presenceNobody, c.Presence, "it is kept")

	w.clock.advance(followerGone + time.Minute)
	require.False(t, alice.pending(withdrawn), "its streams are gone for long")
	require.NoError(t, w.s.sweep(t.Context()))
	w.eventually("the one that lives stays", func() bool {
		return w.count(`SELECT count(*) FROM cursors WHERE name LIKE 'consent/%'`) == 1
	})
}

func TestConsentFeedThatCannotBeRead(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = (&told{}).watch })
	metrics := prometheus.NewRegistry()
	other, there := w.beside(func(c *Config) { c.Metrics = metrics })
	require.NoError(t, other.Begin(t.Context()))
	w.runs(other)
	alice, id := w.in("alice"), w.instance.AccountID("alice")
	alice.do("PUT", "/api/v1/consent", agreed)

	rename := func(from, to string) {
		_, err := w.db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
		require.NoError(t, err)
	}
	change := func(table, presence string) {
		_, err := w.db.ExecContext(t.Context(), `UPDATE consents SET presence = $1`, presence)
		require.NoError(t, err)
		_, err = w.db.ExecContext(t.Context(), `INSERT INTO `+table+` (account_id, presence, typing, receipts, text_version, changed_at)
			VALUES ($1, $2, $3, $3, 1, 1)`, id, presence, false)
		require.NoError(t, err)
	}
	rename("consent_changes", "away")
	w.eventually("it says so", func() bool { return gauge(t, metrics, "trunkline_consent_deaf_seconds") > 0 })
	assert.Contains(t, w.log.String(), "changes of consent may not reach the live streams here")
	change("away", presenceNobody)
	rename("away", "consent_changes")
	w.eventually("what happened meanwhile is told", func() bool { return there.hears(id + " no no no") })
	w.eventually("all is well", func() bool { return gauge(t, metrics, "trunkline_consent_deaf_seconds") == 0 })
	change("consent_changes", presenceContacts)
	w.eventually("told", func() bool { return there.hears(id + " yes no no") })
}

// Who cannot be asked about shows nothing, and what they agreed to once they can.
func TestConsentThatCannotBeReadWhenItChanged(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.ConsentChanged = (&told{}).watch })
	other, there := w.beside(nil)
	require.NoError(t, other.Begin(t.Context()))
	w.runs(other)
	alice, id := w.in("alice"), w.instance.AccountID("alice")
	require.False(t, alice.pending(agreed))
	require.True(t, there.hears(id+" yes no no"))

	exec := func(query string, args ...any) {
		_, err := w.db.ExecContext(t.Context(), query, args...)
		require.NoError(t, err)
	}
	exec(`ALTER TABLE consents RENAME TO away`)
	exec(`INSERT INTO consent_changes (account_id, presence, typing, receipts, text_version, changed_at)
		VALUES ($1, 'contacts', $2, $2, 1, 1)`, id, false)
	w.eventually("nothing is shown", func() bool { return there.hears(id + " no no no") })
	last := w.count(`SELECT max(seq) FROM consent_changes`)
	assert.Less(t, w.count(`SELECT seq FROM cursors WHERE name = $1`, other.consents.name), last, "that is not what the change says")
	exec(`ALTER TABLE away RENAME TO consents`)
	w.eventually("what they agreed to", func() bool { return there.hears(id + " yes no no") })
	w.eventually("and now it says so", func() bool {
		return w.count(`SELECT seq FROM cursors WHERE name = $1`, other.consents.name) == last
	})
}

// A page holds many changes of many people; each is told what holds in the end.
func TestConsentOfManyAtOnce(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice, bob := w.instance.AccountID("alice"), w.instance.AccountID("bob")
	w.in("alice").do("PUT", "/api/v1/consent", agreed)
	w.in("bob").do("PUT", "/api/v1/consent", withdrawn)
	other, there := w.beside(nil)
	require.NoError(t, other.Begin(t.Context()))
	_, err := w.db.ExecContext(t.Context(), `INSERT INTO consent_changes (account_id, presence, typing, receipts, text_version, changed_at)
		SELECT c.account_id, 'nobody', c.typing, c.receipts, 1, 1 FROM consents c, consents b, consents d, consents e, consents f, consents g,
		consents h, consents i, consents j, consents k, consents l, consents m`) // 2 to the 12th
	require.NoError(t, err)
	w.runs(other)
	last := w.count(`SELECT max(seq) FROM consent_changes`)
	w.eventually("all are read", func() bool {
		return w.count(`SELECT seq FROM cursors WHERE name = $1`, other.consents.name) == last
	})
	heard := there.all()
	assert.True(t, slices.Contains(heard, alice+" yes no no") && slices.Contains(heard, bob+" no no no"))
	assert.Less(t, len(heard), 40, "once in each page")
}

func gauge(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no metric ", name)
	return 0
}
