package sqldb

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody is told of success before a sync that began after the commit, and all
// who wait at the same time share one.
func TestCommitsShareASync(t *testing.T) {
	db := open(t, fileURL(t))
	addAccount(t, db, "1", "alice")
	began, release := make(chan struct{}), make(chan struct{})
	syncs := 0
	db.durable.sync = func(f *os.File) error {
		syncs++ // one at a time, says the race detector
		began <- struct{}{}
		<-release
		return f.Sync()
	}
	var wg sync.WaitGroup
	done := make(chan struct{}, 20)
	write := func() {
		require.NoError(t, increment(t.Context(), db))
		done <- struct{}{}
	}
	wg.Go(write)
	<-began
	for range 19 {
		wg.Go(write)
	}
	for logins := 0; logins < 20; { // all of them commit while the disk works
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT last_login_at FROM accounts`).Scan(&logins))
	}
	require.Empty(t, done, "and none is told so")
	release <- struct{}{}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	for more := true; more; {
		select {
		case <-began:
			release <- struct{}{}
		case <-all:
			more = false
		}
	}
	require.Len(t, done, 20)
	require.GreaterOrEqual(t, syncs, 2, "those who came during the first one needed another")
	require.Less(t, syncs, 20)
}

// A disk that fails is an error for each who waited for it, by either way of
// writing, and for nobody afterwards.
func TestFailedSyncIsTold(t *testing.T) {
	db := open(t, fileURL(t))
	addAccount(t, db, "1", "alice")
	broken := errors.New("the disk is broken")
	db.durable.sync = func(*os.File) error { return broken }
	_, err := db.ExecContext(t.Context(), insertAccount, "2", "bob")
	require.ErrorIs(t, err, broken)
	err = db.Update(t.Context(), func(tx *sql.Tx) error { return nil })
	require.ErrorIs(t, err, broken)
	err = db.Update(t.Context(), func(tx *sql.Tx) error { return os.ErrDeadlineExceeded })
	require.Equal(t, os.ErrDeadlineExceeded, err, "what was not committed needs no disk")
	db.durable.sync = (*os.File).Sync
	require.NoError(t, increment(t.Context(), db))
}

// The file that is synced is the one that SQLite writes, whatever leads to it.
func TestSyncFindsTheLog(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.db"), filepath.Join(dir, "link.db")
	require.NoError(t, os.WriteFile(real, nil, 0o600))
	require.NoError(t, os.Symlink(real, link))
	db := open(t, "sqlite:"+link)
	var synced []string
	db.durable.sync = func(f *os.File) error {
		synced = append(synced, f.Name())
		return nil
	}
	addAccount(t, db, "1", "alice")
	require.Equal(t, []string{real + "-wal"}, synced)
	info, err := os.Stat(real + "-wal")
	require.NoError(t, err)
	require.Positive(t, info.Size())

	// After a checkpoint that ends the log there is nothing to be synced.
	_, err = db.DB.ExecContext(t.Context(), `PRAGMA journal_mode = DELETE`)
	require.NoError(t, err)
	require.NoError(t, db.durable.wait())
	require.Len(t, synced, 1)
}
