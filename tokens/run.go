package tokens

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	pollEvery    = time.Second
	janitorEvery = time.Minute
	deadAfter    = time.Minute
	feedKept     = 24 * time.Hour
)

// Run tells Config.OnRevoked of every revocation that is made after Run began,
// by this process or another, notes when device passwords were used, asks
// Mastodon about accounts whose state has become old, and deletes dead rows.
// Start it before the first stream is accepted. It returns ctx's error when ctx
// ends, or another when the feed cannot be read at the start; later troubles are
// logged and outlived.
func (s *Service) Run(ctx context.Context) error {
	last, err := s.feedEnd(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for range errandWorkers {
		group.Go(func() error { return s.work(ctx) })
	}
	group.Go(func() error { return s.loop(ctx, last) })
	return group.Wait()
}

func (s *Service) loop(ctx context.Context, last int64) error {
	defer s.writeLastUses(ctx)
	heard := s.db.Listen(ctx, feedChannel)
	poll, janitor, batch := time.NewTicker(pollEvery), time.NewTicker(janitorEvery), time.NewTicker(usesEvery)
	defer poll.Stop()
	defer janitor.Stop()
	defer batch.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-janitor.C:
			err = s.tidy(ctx)
		case <-batch.C:
			err = s.writeUses(ctx)
		case <-poll.C:
			last, err = s.follow(ctx, last)
		case <-heard:
			last, err = s.follow(ctx, last)
		case <-s.wake:
			last, err = s.follow(ctx, last)
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "tokens: database trouble, trying again", "error", err)
		}
	}
}

// writeLastUses writes what a shutdown would lose.
func (s *Service) writeLastUses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), usesPatient)
	defer cancel()
	if err := s.writeUses(ctx); err != nil {
		s.log.ErrorContext(ctx, "tokens: the last uses are lost", "error", err)
	}
}

// follow tells of everything in the feed after last, and returns the new last.
func (s *Service) follow(ctx context.Context, last int64) (int64, error) {
	for {
		page, next, err := s.Feed(ctx, last, feedPage)
		if err != nil || len(page) == 0 {
			return last, err
		}
		for _, r := range page {
			s.revoked(r.Kind, r.Subject, r.Reason)
		}
		last = next
	}
}

// tidy deletes what can no longer matter: each statement finds its rows by an
// index on a time, so that it costs nothing when there are none.
func (s *Service) tidy(ctx context.Context) error {
	now := s.now()
	for _, d := range []struct {
		what, query string
		before      time.Time
	}{
		{"dead credentials", `DELETE FROM credentials WHERE expires_at <= $1`, now.Add(-deadAfter)},
		{"dead access tokens", `DELETE FROM access_tokens WHERE expires_at <= $1`, now},
		{"old revocations", `DELETE FROM revocations WHERE at <= $1`, now.Add(-feedKept)},
	} {
		if _, err := s.db.ExecContext(ctx, d.query, d.before.UnixMilli()); err != nil {
			return fmt.Errorf("tokens: delete %s: %w", d.what, err)
		}
	}
	return nil
}
