package tokens

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// statements keeps queries prepared: parsing costs SQLite more than answering.
// They end with the database.
type statements struct {
	db *sqldb.DB

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

func newStatements(db *sqldb.DB) *statements {
	return &statements{db: db, prepared: map[string]*sql.Stmt{}}
}

// get returns the prepared form of a query, which must be a constant.
func (p *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
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
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.prepared[query] = stmt
	return stmt, nil
}

// scanner is a row, or why there is none.
type scanner interface{ Scan(dest ...any) error }

type failure struct{ err error }

func (f failure) Scan(...any) error { return f.err }

// row asks a prepared query outside of any transaction, or inside tx.
func (s *Service) row(ctx context.Context, tx *sql.Tx, query string, args ...any) scanner {
	if tx != nil {
		return tx.QueryRowContext(ctx, query, args...)
	}
	stmt, err := s.statements.get(ctx, query)
	if err != nil {
		return failure{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// exec runs one statement in tx.
func (s *Service) exec(ctx context.Context, tx *sql.Tx, query string, args ...any) (changed int64, err error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	if changed, err = result.RowsAffected(); err != nil {
		return 0, fmt.Errorf("rows affected: %w", err)
	}
	return changed, nil
}
