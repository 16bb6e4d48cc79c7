package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// durable makes what was committed to a write-ahead log survive a power cut.
// SQLite could do that itself at each commit (synchronous=FULL), but then it
// holds the one writer's lock while the disk works, and commits as often as the
// disk can sync. Here the writers commit one after the other without waiting
// for the disk, and all who have committed meanwhile share the next sync.
//
// A reader may so see a commit that is not yet on the disk; whoever made it has
// not been told that it succeeded. A checkpoint between the commit and the sync
// is no gap: SQLite syncs the log before it copies from it, and the database
// before it reuses the log.
type durable struct {
	wal  string               // the log's path
	sync func(*os.File) error // (*os.File).Sync

	turn chan struct{} // holds a token while a sync runs

	mu   sync.Mutex
	next *sharedSync // the one that has not begun, nil if nobody waits for one
}

type sharedSync struct {
	done chan struct{}
	err  error
}

// newDurable is for the database at path, which may be a symbolic link.
func newDurable(path string) (*durable, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("sqldb: cannot find the database file: %w", err)
	}
	return &durable{wal: real + "-wal", sync: (*os.File).Sync, turn: make(chan struct{}, 1)}, nil
}

// wait returns when everything that was committed before it was called is on
// the disk. It does not end early: the disk answers or fails.
func (d *durable) wait() error {
	d.mu.Lock()
	shared, first := d.next, d.next == nil
	if first {
		shared = &sharedSync{done: make(chan struct{})}
		d.next = shared
	}
	d.mu.Unlock()
	if !first {
		<-shared.done
		return shared.err
	}
	d.turn <- struct{}{}
	d.mu.Lock()
	d.next = nil // who comes from now on waits for another one
	d.mu.Unlock()
	shared.err = d.syncLog()
	<-d.turn
	close(shared.done)
	return shared.err
}

func (d *durable) syncLog() error {
	f, err := os.OpenFile(d.wal, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its content has gone into the database, which SQLite has synced
	}
	if err != nil {
		return fmt.Errorf("sqldb: cannot tell whether the disk has it: %w", err)
	}
	if err := errors.Join(d.sync(f), f.Close()); err != nil {
		return fmt.Errorf("sqldb: cannot tell whether the disk has it: %w", err)
	}
	return nil
}
