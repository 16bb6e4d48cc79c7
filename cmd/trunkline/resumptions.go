package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// sweepEvery is how often states that nobody can resume any more are deleted.
const sweepEvery = 5 * time.Minute

// eachAtOnce is how many states are held in memory while all are handed over.
const eachAtOnce = 50

// resumptions keeps what a stream needs in order to be resumed (XEP-0198) in
// the database, so that it can be resumed after a restart or through another
// node. Any goroutine may call its methods.
type resumptions struct {
	db   *sqldb.DB
	now  func() time.Time
	most int // states of one account
}

// SaveResumption stores state under key, in place of what was there. Of an account
// that has too many the one is forgotten whose time is over first, but not this.
func (r *resumptions) SaveResumption(ctx context.Context, key []byte, account string, state []byte, expires time.Time) error {
	result, err := r.db.ExecContext(ctx, `UPDATE resumptions SET account_id = $2, state = $3, expires_at = $4 WHERE key = $1`,
		key, account, state, expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("resumptions: save: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	err = r.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO resumptions (key, account_id, state, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO UPDATE SET account_id = excluded.account_id, state = excluded.state, expires_at = excluded.expires_at`,
			key, account, state, expires.UnixMilli())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM resumptions WHERE key IN (SELECT key FROM resumptions
			WHERE account_id = $1 AND key <> $2 ORDER BY expires_at DESC, key LIMIT 1000000 OFFSET $3)`, account, key, r.most-1)
		return err
	})
	if err != nil {
		return fmt.Errorf("resumptions: save: %w", err)
	}
	return nil
}

// LoadResumption returns the state under key; nil, nil when there is none or
// its time is over.
func (r *resumptions) LoadResumption(ctx context.Context, key []byte) (state []byte, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT state FROM resumptions WHERE key = $1 AND expires_at > $2`,
		key, r.now().UnixMilli()).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("resumptions: load: %w", err)
	}
	return state, nil
}

// DeleteResumption forgets key; it need not exist.
func (r *resumptions) DeleteResumption(ctx context.Context, key []byte) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM resumptions WHERE key = $1`, key); err != nil {
		return fmt.Errorf("resumptions: delete: %w", err)
	}
	return nil
}

// EachResumption hands over every state whose time is not over, in the order of
// their keys. It may ask the database and change it meanwhile: what comes in between
// may be left out.
func (r *resumptions) EachResumption(ctx context.Context, each func(account string, state []byte, expires time.Time) error) error {
	for after := []byte{}; ; {
		page, err := r.page(ctx, after)
		if err != nil {
			return fmt.Errorf("resumptions: list: %w", err)
		}
		for _, v := range page {
			if err := each(v.account, v.state, time.UnixMilli(v.expires)); err != nil {
				return err
			}
		}
		if len(page) < eachAtOnce {
			return nil
		}
		after = page[len(page)-1].key
	}
}

// saved is one row.
type saved struct {
	key     []byte
	account string
	state   []byte
	expires int64
}

// page reads the next rows after a key.
func (r *resumptions) page(ctx context.Context, after []byte) ([]saved, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT key, account_id, state, expires_at FROM resumptions
		WHERE expires_at > $1 AND key > $2 ORDER BY key LIMIT $3`, r.now().UnixMilli(), after, eachAtOnce)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []saved
	for rows.Next() {
		var v saved
		if err := rows.Scan(&v.key, &v.account, &v.state, &v.expires); err != nil {
			return nil, err
		}
		page = append(page, v)
	}
	return page, rows.Err()
}

// Run deletes states whose time is over, until ctx ends.
func (r *resumptions) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// A failure leaves rows that no one can read; the next round tries again.
			_ = r.sweep(ctx)
		}
	}
}

func (r *resumptions) sweep(ctx context.Context) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM resumptions WHERE expires_at <= $1`, r.now().UnixMilli()); err != nil {
		return fmt.Errorf("resumptions: sweep: %w", err)
	}
	return nil
}
