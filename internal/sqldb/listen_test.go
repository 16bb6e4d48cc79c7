package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func notify(ctx context.Context, db *sqldb.DB, then error) error {
	return db.Update(ctx, func(tx *sql.Tx) error { return errors.Join(db.Notify(ctx, tx, "revocations"), then) })
}

// quiet says that no token is there; what was committed before was heard
// already, because a later notification came through.
func quiet(t *testing.T, tokens <-chan struct{}) {
	t.Helper()
	select {
	case <-tokens:
		t.Fatal("a token that nobody sent")
	default:
	}
}

func TestListenHearsEveryNode(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	nodes := []*sqldb.DB{open(t, url), open(t, url)}
	mine, others := nodes[0].Listen(t.Context(), "revocations"), nodes[1].Listen(t.Context(), "revocations")
	elsewhere := nodes[1].Listen(t.Context(), "something_else")
	for _, tokens := range []<-chan struct{}{mine, others, elsewhere} {
		<-tokens // the connection stands
	}
	require.Error(t, notify(t.Context(), nodes[0], sql.ErrNoRows))
	for range 3 {
		require.NoError(t, notify(t.Context(), nodes[0], nil))
		<-mine
		<-others
	}
	quiet(t, mine)
	quiet(t, others)
	quiet(t, elsewhere)
}

// A connection that is lost is made anew, and a token comes for what was missed.
func TestListenOutlivesItsConnection(t *testing.T) {
	db := open(t, sqldbtest.NewPostgres(t))
	tokens := db.Listen(t.Context(), "revocations")
	<-tokens
	killed := one[int](t, db, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE query LIKE 'LISTEN%' AND datname = current_database() AND pid <> pg_backend_pid()`)
	require.Equal(t, 1, killed)
	<-tokens
	require.NoError(t, notify(t.Context(), db, nil))
	<-tokens
}

// Listening ends with its context, with the database, and if there is no server
// to be reached. TestMain sees goroutines that do not.
func TestListenEnds(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	db, err := sqldb.Open(t.Context(), url)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	<-db.Listen(ctx, "revocations")
	cancel()
	<-db.Listen(t.Context(), "revocations")
	require.NoError(t, db.Close())
	require.Nil(t, open(t, url+"&listen=off").Listen(t.Context(), "revocations"))
	require.Nil(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")).Listen(t.Context(), "revocations"))
}

// What one appends under its turn is seen in the order of its numbers: whoever
// sees one has seen, or sees now, all that are smaller.
func TestSerializeOrdersTheFeed(t *testing.T) {
	url := sqldbtest.NewPostgres(t)
	nodes := []*sqldb.DB{open(t, url), open(t, url)}
	const writers, each = 6, 15
	var wg sync.WaitGroup
	for w := range writers {
		db := nodes[w%2]
		wg.Go(func() {
			for range each {
				err := db.Update(t.Context(), func(tx *sql.Tx) error {
					if err := db.Serialize(t.Context(), tx, "revocations"); err != nil {
						return err
					}
					_, err := tx.ExecContext(t.Context(), `INSERT INTO revocations (kind, subject, at) SELECT 'session', 's', count(*) FROM revocations`)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var seen []int64
	for last, more := int64(0), true; more; {
		select {
		case <-done:
			more = false // and one more look
		default:
		}
		rows, err := nodes[0].QueryContext(t.Context(), `SELECT seq FROM revocations WHERE seq > $1 ORDER BY seq`, last)
		require.NoError(t, err)
		for rows.Next() {
			require.NoError(t, rows.Scan(&last))
			seen = append(seen, last)
		}
		require.NoError(t, rows.Err())
	}
	require.Len(t, seen, writers*each, "a follower missed none")
}

// Whoever has its turn sees what was written in the turns before it, so that
// waiting for it does not mean beginning again.
func TestSerializeWaitersNeedNotBeginAgain(t *testing.T) {
	db := open(t, sqldbtest.NewPostgres(t))
	var wg sync.WaitGroup
	var mu sync.Mutex
	runs := 0
	for range 10 {
		wg.Go(func() {
			err := db.Update(t.Context(), func(tx *sql.Tx) error {
				mu.Lock()
				runs++
				mu.Unlock()
				if err := db.Serialize(t.Context(), tx, "revocations"); err != nil {
					return err
				}
				_, err := tx.ExecContext(t.Context(), `INSERT INTO revocations (kind, subject, at) SELECT 'session', 's', count(*) FROM revocations`)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 10, runs)
	require.Equal(t, 45, one[int](t, db, `SELECT sum(at) FROM revocations`))
}

func TestNamesAreChecked(t *testing.T) {
	db := open(t, sqldbtest.NewPostgres(t))
	err := db.Update(t.Context(), func(tx *sql.Tx) error { return db.Notify(t.Context(), tx, "x; DROP TABLE accounts") })
	require.ErrorContains(t, err, "is no channel")
	err = db.Update(t.Context(), func(tx *sql.Tx) error { return db.Serialize(t.Context(), tx, "x; DROP TABLE accounts") })
	require.ErrorContains(t, err, "cannot be serialised")
}
