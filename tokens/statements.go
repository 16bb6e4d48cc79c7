package tokens

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// row asks a prepared query outside of any transaction, or inside tx.
func (s *Service) row(ctx context.Context, tx *sql.Tx, query string, args ...any) sqldb.Row {
	if tx != nil {
		return tx.QueryRowContext(ctx, query, args...)
	}
	return s.db.Find(ctx, query, args...)
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
