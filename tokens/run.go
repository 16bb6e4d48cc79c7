package tokens

import (
	"context"
	"fmt"
	"time"
)

const (
	pollEvery    = time.Second
	janitorEvery = time.Minute
	deadAfter    = time.Minute
	feedKept     = 24 * time.Hour
	feedPage     = 500
)

// Run tells Config.OnRevoked of every revocation that is made after Run began,
// by this process or another, and deletes dead rows. Start it before the first
// stream is accepted. It returns ctx's error when ctx ends, or another when the
// feed cannot be read at the start; later troubles are logged and outlived.
func (s *Service) Run(ctx context.Context) error {
	var last int64
	if err := s.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM revocations`).Scan(&last); err != nil {
		return fmt.Errorf("tokens: read revocations: %w", err)
	}
	poll, janitor := time.NewTicker(pollEvery), time.NewTicker(janitorEvery)
	defer poll.Stop()
	defer janitor.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-janitor.C:
			err = s.tidy(ctx)
		case <-poll.C:
			last, err = s.follow(ctx, last)
		case <-s.wake:
			last, err = s.follow(ctx, last)
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "tokens: database trouble, trying again", "error", err)
		}
	}
}

type revocation struct {
	seq                   int64
	kind, subject, reason string
}

// follow tells of everything in the feed after last, and returns the new last.
func (s *Service) follow(ctx context.Context, last int64) (int64, error) {
	for {
		page, err := s.feed(ctx, last)
		if err != nil {
			return last, err
		}
		for _, r := range page {
			s.revoked(r.kind, r.subject, r.reason)
			last = r.seq
		}
		if len(page) < feedPage {
			return last, nil
		}
	}
}

// feed reads one page. Writers are serialised by the database, so a smaller seq
// never appears after a greater one was seen.
func (s *Service) feed(ctx context.Context, last int64) ([]revocation, error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT seq, kind, subject, reason FROM revocations WHERE seq > $1 ORDER BY seq LIMIT $2`, last, feedPage)
	if err != nil {
		return nil, fmt.Errorf("tokens: read revocations: %w", err)
	}
	defer rows.Close()
	var page []revocation
	for rows.Next() {
		var r revocation
		if err := rows.Scan(&r.seq, &r.kind, &r.subject, &r.reason); err != nil {
			return nil, fmt.Errorf("tokens: read revocations: %w", err)
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("tokens: read revocations: %w", err)
	}
	return page, nil
}

// tidy deletes what can no longer matter.
func (s *Service) tidy(ctx context.Context) error {
	now := s.now()
	dead := now.Add(-deadAfter).UnixMilli()
	if _, err := s.db.ExecContext(ctx, `DELETE FROM credentials
		WHERE purpose IN ('temporary', 'internal') AND (expires_at <= $1 OR revoked_at <= $1)`, dead); err != nil {
		return fmt.Errorf("tokens: delete dead credentials: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `DELETE FROM revocations WHERE at <= $1`, now.Add(-feedKept).UnixMilli()); err != nil {
		return fmt.Errorf("tokens: delete old revocations: %w", err)
	}
	return nil
}
