package tokens

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestRevocationIsImmediateForTheRightCredentials(t *testing.T) {
	type revoke func(f *fixture, credential string) error
	for name, tc := range map[string]struct {
		revoke revoke
		alive  []string // of: this, same session, other session, bob's
	}{
		"credential": {
			func(f *fixture, credential string) error { return f.RevokeCredential(t.Context(), credential, "test") },
			[]string{"same session", "other session", "bob's"},
		},
		"session": {
			func(f *fixture, _ string) error { return f.RevokeSession(t.Context(), "s", "test") },
			[]string{"other session", "bob's"},
		},
		"account": {
			func(f *fixture, _ string) error { return f.RevokeAccount(t.Context(), "1", "test") },
			[]string{"bob's"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			secrets := map[string]string{"this": f.issue(), "same session": f.issue()}
			var err error
			secrets["other session"], _, err = f.IssueTemporary(t.Context(), "1", "s2")
			require.NoError(t, err)
			secrets["bob's"], _, err = f.IssueTemporary(t.Context(), "2", "b")
			require.NoError(t, err)
			require.True(t, f.verify("alice", secrets["this"]), "revoking ends the 10 s after use too")
			_, _, credential, _ := f.lookup("alice", secrets["this"])

			require.NoError(t, tc.revoke(f, credential))
			var alive []string
			for _, which := range []string{"this", "same session", "other session", "bob's"} {
				if f.verify("alice", secrets[which]) || f.verify("bob", secrets[which]) {
					alive = append(alive, which)
				}
			}
			require.Equal(t, tc.alive, alive)
		})
	}
}

func TestRevokedSessionGetsNoMore(t *testing.T) {
	f := newFixture(t, nil)
	require.NoError(t, f.RevokeSession(t.Context(), "s", "signed out"))
	_, _, err := f.IssueTemporary(t.Context(), "1", "s")
	require.ErrorIs(t, err, ErrSessionEnded)
	_, _, err = f.IssueTemporary(t.Context(), "1", "s2")
	require.NoError(t, err)
	require.NoError(t, f.RevokeAccount(t.Context(), "1", "test"))
	_, _, err = f.IssueTemporary(t.Context(), "1", "s2")
	require.NoError(t, err, "an account can come back")
	require.Error(t, f.RevokeSession(t.Context(), "", "test"), "this would be all who have no session")
}

// A race of issuing and signing out never leaves a live credential behind.
func TestIssueAgainstRevoke(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.SessionLimit = Limit{Burst: 1000, Every: time.Second}
		c.AccountLimit = c.SessionLimit
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _, _, _ = f.IssueTemporary(t.Context(), "1", "s") })
	}
	wg.Go(func() { _ = f.RevokeSession(t.Context(), "s", "signed out") })
	wg.Wait()
	require.Zero(t, f.count(`SELECT count(*) FROM credentials WHERE revoked_at IS NULL`))
}

// pass lets synthetic time pass, and everything happen that it brings.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// feedLog collects what OnRevoked was told.
type feedLog struct {
	mu    sync.Mutex
	heard []string
}

func (l *feedLog) add(kind, subject, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, kind+" "+subject+" "+reason)
}

func (l *feedLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// Two processes on one database, in synthetic time: each hears of each
// revocation once and in order, its own at once, the other's within a second.
func TestFeedReachesEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqldbtest.New(t)
		addPeople(t, db)
		var logs [2]feedLog
		var services [2]*Service
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range services {
			var err error
			services[i], err = New(Config{DB: db, Key: testKey, OnRevoked: logs[i].add})
			require.NoError(t, err)
			require.NoError(t, services[i].RevokeAccount(ctx, "old", "before Run began"))
		}
		for _, s := range services {
			wg.Go(func() { require.ErrorIs(t, s.Run(ctx), context.Canceled) })
		}
		synctest.Wait()
		require.Empty(t, logs[0].take())

		require.NoError(t, services[0].RevokeCredential(ctx, "c", "one"))
		require.NoError(t, services[0].RevokeSession(ctx, "s", "two"))
		require.NoError(t, services[0].RevokeAccount(ctx, "1", "three"))
		want := []string{"credential c one", "session s two", "account 1 three"}
		synctest.Wait()
		require.Equal(t, want, logs[0].take(), "the own process, without any time passing")
		require.Empty(t, logs[1].take())
		pass(time.Second)
		require.Equal(t, want, logs[1].take(), "the other one, a second later")

		for i := range feedPage + 7 {
			require.NoError(t, services[1].RevokeCredential(ctx, fmt.Sprint(i), "many"))
		}
		pass(time.Second)
		require.Len(t, logs[0].take(), feedPage+7)
		require.Len(t, logs[1].take(), feedPage+7)
		pass(5 * time.Second)
		require.Empty(t, logs[0].take(), "nothing is told twice")
		cancel()
		wg.Wait()
	})
}

// Past every expiry in one process, in synthetic time.
func TestLivesEndAndTheJanitorTidies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqldbtest.New(t)
		addPeople(t, db)
		s, err := New(Config{DB: db, Key: testKey})
		require.NoError(t, err)
		f := &fixture{Service: s, t: t, db: db}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })

		used, _, err := s.IssueTemporary(ctx, "1", "s")
		require.NoError(t, err)
		unused, _, err := s.IssueTemporary(ctx, "1", "s")
		require.NoError(t, err)
		_, internal, err := s.IssueInternal(ctx, "2")
		require.NoError(t, err)
		f.exec(`INSERT INTO credentials (id, account_id, purpose, hash, created_at) VALUES ('d', '1', 'device', 'x', 0)`)
		require.True(t, f.verify("alice", used))

		pass(9 * time.Second)
		require.True(t, f.verify("alice", used))
		pass(2 * time.Second)
		require.False(t, f.verify("alice", used))
		require.True(t, f.verify("alice", unused))
		pass(2 * time.Minute)
		require.False(t, f.verify("alice", unused))
		require.False(t, f.verify("bob", internal))
		require.NoError(t, s.RevokeSession(ctx, "s", "signed out"))

		pass(3 * time.Minute)
		require.Equal(t, 1, f.count(`SELECT count(*) FROM credentials`), "the device's alone")
		require.Equal(t, 1, f.count(`SELECT count(*) FROM revocations`))
		f.exec(`UPDATE revocations SET at = at - $1`, (24*time.Hour - 4*time.Minute).Milliseconds())
		pass(time.Minute)
		require.Equal(t, 1, f.count(`SELECT count(*) FROM revocations`), "not yet a day old")
		pass(time.Minute)
		require.Zero(t, f.count(`SELECT count(*) FROM revocations`))
		cancel()
		wg.Wait()
	})
}

// A database that is away for a while costs a log line, not the feed.
func TestRunOutlivesTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqldbtest.New(t)
		addPeople(t, db)
		var log feedLog
		s, err := New(Config{DB: db, Key: testKey, OnRevoked: log.add})
		require.NoError(t, err)
		f := &fixture{Service: s, t: t, db: db}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		synctest.Wait()

		f.exec(`ALTER TABLE revocations RENAME TO away`)
		pass(3 * time.Second)
		f.exec(`INSERT INTO away (kind, subject, reason, at) VALUES ('session', 's', 'meanwhile', 0)`)
		f.exec(`ALTER TABLE away RENAME TO revocations`)
		pass(time.Second)
		require.Equal(t, []string{"session s meanwhile"}, log.take())
		cancel()
		wg.Wait()
	})
}
