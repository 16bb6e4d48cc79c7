package sqldb

import (
	"context"
	"database/sql"
	"sync"
)

// statements keeps queries prepared: parsing costs SQLite more than answering.
// They end with the database.
type statements struct {
	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

// Prepared returns the prepared form of a query, which must be a constant. It is
// kept, and not the caller's to close.
func (db *DB) Prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	p := &db.statements
	p.mu.RLock()
	stmt := p.prepared[query]
	p.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt := p.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if p.prepared == nil {
		p.prepared = map[string]*sql.Stmt{}
	}
	p.prepared[query] = stmt
	return stmt, nil
}

// Row is a row, or why there is none: sql.ErrNoRows among others.
type Row interface{ Scan(dest ...any) error }

type failure struct{ err error }

func (f failure) Scan(...any) error { return f.err }

// Find asks a prepared query, a constant one that takes an index to one row, and
// outside of any transaction. Whether ctx has ended is asked before it begins. On
// SQLite it is not asked again: the answer takes less than the two goroutines
// that would wait for ctx.
func (db *DB) Find(ctx context.Context, query string, args ...any) Row {
	if err := ctx.Err(); err != nil {
		return failure{err}
	}
	if db.dialect == SQLite {
		ctx = context.WithoutCancel(ctx)
	}
	stmt, err := db.Prepared(ctx, query)
	if err != nil {
		return failure{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}
