package audit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// in runs f with a Log that runs on a fresh database, in synthetic time.
func in(t *testing.T, change func(*Config), f func(t *testing.T, l *Log)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{DB: sqldbtest.New(t)}
		if change != nil {
			change(&cfg)
		}
		l, err := New(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { require.ErrorIs(t, l.Run(ctx), context.Canceled) })
		synctest.Wait()
		f(t, l)
		cancel()
		wg.Wait()
	})
}

// pass lets synthetic time pass, and everything happen that it brings.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (l *Log) rowsOf(t *testing.T, q Query) []Row {
	t.Helper()
	rows, err := l.List(t.Context(), q)
	require.NoError(t, err)
	return rows
}

// account lets "1" be somebody's.
func account(t *testing.T, l *Log) {
	t.Helper()
	_, err := l.db.ExecContext(t.Context(), `INSERT INTO accounts (id, username, created_at, last_login_at) VALUES ('1', 'alice', 0, 0)`)
	require.NoError(t, err)
}

// A person can be forgotten while rows about them wait.
func TestWhoIsForgottenMeanwhileIsNotNamed(t *testing.T) {
	in(t, nil, func(t *testing.T, l *Log) {
		account(t, l)
		known := Event{Front: "ldap", Op: "auth", Username: "alice", Account: "1", Address: "203.0.113.7", Outcome: "yes", Reason: "ok"}
		stranger := Event{Front: "ldap", Op: "auth", Username: "alice", Address: "203.0.113.8", Outcome: "no", Reason: "unknown_secret"}
		l.Record(known)
		pass(time.Second)
		require.Equal(t, "alice", l.rowsOf(t, Query{})[0].Username, "while there is an account")
		l.Record(known)
		l.Record(stranger)
		_, err := l.db.ExecContext(t.Context(), `DELETE FROM accounts`)
		require.NoError(t, err)
		pass(time.Second)
		rows := l.rowsOf(t, Query{})
		require.Len(t, rows, 3)
		require.Equal(t, stranger, rows[0].Event, "this is nobody's account")
		require.Equal(t, Event{Front: "ldap", Op: "auth", Account: "1", Outcome: "yes", Reason: "ok"}, rows[1].Event)
	})
}

func TestWhatIsRecordedIsKept(t *testing.T) {
	in(t, nil, func(t *testing.T, l *Log) {
		account(t, l)
		alice := Event{
			Front: "prosody", Caller: "chat1", Op: "auth", Username: "alice", Account: "1", Credential: "c",
			Address: "203.0.113.7", Outcome: "yes", Reason: "ok",
		}
		bob := Event{Front: "ldap", Op: "auth", Username: "bob", Outcome: "no", Reason: "unknown_secret"}
		at := time.Now()
		l.Record(alice)
		pass(time.Second)
		l.Record(bob)
		pass(time.Second)

		all := l.rowsOf(t, Query{})
		require.Len(t, all, 2)
		require.Equal(t, bob, all[0].Event, "the newest first")
		require.Equal(t, alice, all[1].Event)
		require.True(t, all[1].At.Equal(at), "when it happened, not when it was written")
		for name, q := range map[string]Query{
			"name": {Username: "Alice"}, "account": {Account: "1"}, "address": {Address: "203.0.113.7"},
		} {
			require.Equal(t, all[1:], l.rowsOf(t, q), name)
		}
		require.Equal(t, all[:1], l.rowsOf(t, Query{Since: at.Add(time.Millisecond)}))
		require.Equal(t, all[:1], l.rowsOf(t, Query{Limit: 1}))
		require.Empty(t, l.rowsOf(t, Query{Username: "' OR 1=1 --"}))
		require.EqualValues(t, 2, testutil.ToFloat64(l.rows))
	})
}

// What was recorded before the end is written before Run returns, however much.
func TestTheEndWritesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Config{DB: sqldbtest.New(t)})
		require.NoError(t, err)
		for i := range queued {
			l.Record(Event{Front: "prosody", Op: "auth", Username: fmt.Sprint(i), Outcome: "no"})
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.Run(ctx), context.Canceled)
		require.Len(t, l.rowsOf(t, Query{Limit: 2 * queued}), queued)
	})
}

// Record does not wait for anybody; what it cannot keep is told everywhere.
func TestDropsAreCountedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		l, err := New(Config{DB: sqldbtest.New(t), Metrics: reg})
		require.NoError(t, err)
		for range queued + 7 {
			l.Record(Event{Front: "prosody", Op: "auth", Outcome: "no"})
		}
		require.EqualValues(t, 7, testutil.ToFloat64(l.drops))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.Run(ctx), context.Canceled)
		rows := l.rowsOf(t, Query{Limit: 2 * queued})
		require.Len(t, rows, queued+1)
		var told []string
		for _, r := range rows {
			if r.Op == "dropped" {
				told = append(told, r.Reason)
			}
		}
		require.Equal(t, []string{"7 decisions were not kept"}, told)
		count, err := testutil.GatherAndCount(reg, "trunkline_audit_dropped_total", "trunkline_audit_rows_total")
		require.NoError(t, err)
		require.Equal(t, 2, count)
	})
}

// While the database fails, what fits is kept for later.
func TestDatabaseTroubleIsOutlived(t *testing.T) {
	in(t, nil, func(t *testing.T, l *Log) {
		_, err := l.db.ExecContext(t.Context(), `ALTER TABLE audit RENAME TO away`)
		require.NoError(t, err)
		const many = 3 * batchSize
		for i := range many {
			l.Record(Event{Front: "prosody", Op: "auth", Username: fmt.Sprint(i), Outcome: "no"})
		}
		pass(3 * time.Second)
		for range queued {
			l.Record(Event{Front: "prosody", Op: "auth", Outcome: "no"})
		}
		dropped := int(testutil.ToFloat64(l.drops))
		require.Equal(t, many-batchSize, dropped, "one batch waits outside of the queue")
		pass(time.Second)
		_, err = l.db.ExecContext(t.Context(), `ALTER TABLE away RENAME TO audit`)
		require.NoError(t, err)
		pass(20 * time.Second)
		rows := l.rowsOf(t, Query{Limit: 10 * queued})
		require.Len(t, rows, batchSize+queued+1)
		require.Equal(t, "0", rows[len(rows)-1].Username)
		names := map[string]int{}
		for _, r := range rows {
			names[r.Username]++
		}
		for i := range many {
			require.Equal(t, 1, names[fmt.Sprint(i)], "nothing is written twice")
		}
	})
}

func TestOldRowsAreDeleted(t *testing.T) {
	in(t, func(c *Config) { c.Retention = time.Hour }, func(t *testing.T, l *Log) {
		l.Record(Event{Front: "prosody", Op: "auth", Username: "old", Outcome: "no"})
		pass(30 * time.Minute)
		l.Record(Event{Front: "prosody", Op: "auth", Username: "newer", Outcome: "no"})
		pass(25 * time.Minute)
		require.Len(t, l.rowsOf(t, Query{}), 2)
		pass(15 * time.Minute)
		rows := l.rowsOf(t, Query{})
		require.Len(t, rows, 1)
		require.Equal(t, "newer", rows[0].Username)
	})
}

// Whoever floods the log does not fill the disk.
func TestRowsAreBounded(t *testing.T) {
	in(t, func(c *Config) { c.MaxRows = 10 }, func(t *testing.T, l *Log) {
		for i := range 25 {
			l.Record(Event{Front: "prosody", Op: "auth", Username: fmt.Sprint(i), Outcome: "no"})
		}
		pass(11 * time.Minute)
		rows := l.rowsOf(t, Query{})
		require.Len(t, rows, 10)
		require.Equal(t, "24", rows[0].Username)
		require.Equal(t, "15", rows[9].Username)
	})
}

// Names come from strangers: no database refuses them, and no terminal obeys.
func TestStrangeNames(t *testing.T) {
	in(t, nil, func(t *testing.T, l *Log) {
		for _, name := range []string{
			"a\x00b", "\xff\xfe", "\x1b[31mred", "\u009b31m", strings.Repeat("ä", 1000), "ok\nforged line", "Ünïcode",
		} {
			l.Record(Event{Front: "prosody", Op: "auth", Username: name, Address: name, Outcome: "no"})
		}
		pass(time.Second)
		rows := l.rowsOf(t, Query{})
		require.Len(t, rows, 7)
		for _, r := range rows {
			require.True(t, utf8.ValidString(r.Username))
			require.NotContains(t, r.Username, "\n")
			require.NotContains(t, r.Username, "\x1b")
			require.NotContains(t, r.Username, "\u009b")
			require.LessOrEqual(t, len(r.Username), 3*maxText)
		}
		require.Equal(t, "Ünïcode", rows[0].Username)
	})
}

func TestConfiguration(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "no database")
	db := sqldbtest.New(t)
	_, err = New(Config{DB: db, Retention: -1})
	require.ErrorContains(t, err, "negative")
	reg := prometheus.NewRegistry()
	_, err = New(Config{DB: db, Metrics: reg})
	require.NoError(t, err)
	_, err = New(Config{DB: db, Metrics: reg})
	require.ErrorContains(t, err, "metrics", "twice on one registry")
}
