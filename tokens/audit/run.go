package audit

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	flushEvery   = time.Second
	janitorEvery = 10 * time.Minute
	batchSize    = 512

	// lastWords is how long what is left may take when Run ends.
	lastWords = 2 * time.Second

	// maxText bounds each column: names come from strangers.
	maxText = 256
)

// Run writes what is recorded, and deletes what is old. It returns ctx's error
// when ctx ends, after everything that was recorded before has been written.
// Trouble with the database is logged and outlived.
func (l *Log) Run(ctx context.Context) error {
	flush, janitor := time.NewTicker(flushEvery), time.NewTicker(janitorEvery)
	defer flush.Stop()
	defer janitor.Stop()
	l.tidy(ctx)
	var batch []Row
	for {
		queue := l.queue
		if len(batch) >= batchSize {
			queue = nil // the database fails: what comes now waits in the queue
		}
		select {
		case <-ctx.Done():
			l.finish(context.WithoutCancel(ctx), batch)
			return ctx.Err()
		case row := <-queue:
			if batch = append(batch, row); len(batch) == batchSize {
				batch = l.flush(ctx, batch)
			}
		case <-flush.C:
			batch = l.flush(ctx, batch)
		case <-janitor.C:
			l.tidy(ctx)
		}
	}
}

// finish writes what is left.
func (l *Log) finish(ctx context.Context, batch []Row) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for {
		select {
		case row := <-l.queue:
			if batch = append(batch, row); len(batch) < batchSize {
				continue
			}
		default:
		}
		if batch = l.flush(ctx, batch); len(batch) > 0 || len(l.queue) == 0 {
			return
		}
	}
}

// flush writes the batch, and what was dropped before it, and returns what is
// left to write.
func (l *Log) flush(ctx context.Context, batch []Row) []Row {
	dropped := l.dropped.Swap(0)
	rows := batch
	if dropped > 0 {
		l.log.WarnContext(ctx, "audit: more was asked than could be kept", "dropped", dropped)
		rows = append(rows[:len(rows):len(rows)], Row{At: l.now(), Event: Event{
			Front: "audit", Op: "dropped", Outcome: "dropped", Reason: fmt.Sprintf("%d decisions were not kept", dropped),
		}})
	}
	if len(rows) == 0 {
		return batch
	}
	if err := l.insert(ctx, rows); err != nil {
		l.dropped.Add(dropped)
		if ctx.Err() == nil {
			l.log.ErrorContext(ctx, "audit: not written, trying again", "error", err)
		}
		return batch
	}
	l.rows.Add(float64(len(rows)))
	return batch[:0]
}

// insert writes rows. Who has been deleted since they were recorded, perhaps by
// another process, stays deleted: of them neither name nor address is written.
func (l *Log) insert(ctx context.Context, rows []Row) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO audit
			(at, front, caller, op, username, account_id, credential_id, address, outcome, reason)
			VALUES ($1, $2, $3, $4,
				CASE WHEN $6 = '' OR EXISTS (SELECT 1 FROM accounts WHERE id = $6) THEN $5 ELSE '' END, $6, $7,
				CASE WHEN $6 = '' OR EXISTS (SELECT 1 FROM accounts WHERE id = $6) THEN $8 ELSE '' END, $9, $10)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range rows {
			if _, err := insert.ExecContext(ctx, r.At.UnixMilli(), clean(r.Front), clean(r.Caller), clean(r.Op),
				clean(r.Username), clean(r.Account), clean(r.Credential), clean(r.Address),
				clean(r.Outcome), clean(r.Reason)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("audit: write: %w", err)
	}
	return nil
}

// clean is s as a column takes it, and a terminal: PostgreSQL refuses NUL and
// what is not UTF-8, and an admin's screen should obey nobody's escape codes.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, s[:min(len(s), maxText)])
}

// tidy deletes what is too old or too much.
func (l *Log) tidy(ctx context.Context) {
	_, err := l.db.ExecContext(ctx, `DELETE FROM audit WHERE at <= $1
		OR seq <= (SELECT coalesce(max(seq), 0) FROM audit) - $2`, l.now().Add(-l.retention).UnixMilli(), l.maxRows)
	if err != nil && ctx.Err() == nil {
		l.log.ErrorContext(ctx, "audit: old rows were not deleted", "error", err)
	}
}

// Query chooses rows; what is empty chooses all.
type Query struct {
	Username, Account, Address string
	Since                      time.Time
	Limit                      int // 100 if 0
}

// List returns the newest rows first.
func (l *Log) List(ctx context.Context, q Query) ([]Row, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	var since int64
	if !q.Since.IsZero() {
		since = q.Since.UnixMilli()
	}
	rows, err := l.db.QueryContext(ctx, `SELECT seq, at, front, caller, op, username, account_id, credential_id, address, outcome, reason
		FROM audit WHERE ($1 = '' OR username = $1) AND ($2 = '' OR account_id = $2) AND ($3 = '' OR address = $3) AND at >= $4
		ORDER BY seq DESC LIMIT $5`, strings.ToLower(q.Username), q.Account, q.Address, since, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("audit: read: %w", err)
	}
	defer rows.Close()
	var list []Row
	for rows.Next() {
		var r Row
		var at int64
		if err := rows.Scan(&r.Seq, &at, &r.Front, &r.Caller, &r.Op, &r.Username, &r.Account, &r.Credential,
			&r.Address, &r.Outcome, &r.Reason); err != nil {
			return nil, fmt.Errorf("audit: read: %w", err)
		}
		r.At = time.UnixMilli(at)
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("audit: read: %w", err)
	}
	return list, nil
}
