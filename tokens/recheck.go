package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// standingStale is how old Mastodon's word on an account may get before a
	// login asks for a new one in the background.
	standingStale = time.Hour

	recheckAgain   = 10 * time.Second // between two questions that somebody waits for
	recheckLater   = 5 * time.Minute  // between two in the background
	recheckTime    = 30 * time.Second // how long one in the background may take
	recheckWorkers = 2
	maxRechecks    = 1 << 14
	recheckQueue   = 1 << 10
)

var errAskedLately = errors.New("tokens: Mastodon was asked a moment ago")

// rechecks asks Mastodon how accounts stand, about each account one question at
// a time and not too often. It has no goroutine of its own: somebody who waits
// asks by themselves, and Run asks what was left for later.
type rechecks struct {
	recheck func(ctx context.Context, account string) error

	queue chan string // for Run's workers; bounded

	mu      sync.Mutex
	running map[string]chan struct{} // closed at the end of the question
	asked   map[string]time.Time     // when the last question began
	queued  map[string]bool
}

func newRechecks(recheck func(context.Context, string) error) *rechecks {
	return &rechecks{
		recheck: recheck, queue: make(chan string, recheckQueue), running: map[string]chan struct{}{},
		asked: map[string]time.Time{}, queued: map[string]bool{},
	}
}

// ask returns when Mastodon was asked, by us or by somebody who was before us.
// What it said is in the database, where the caller looks, whatever the error.
func (r *rechecks) ask(ctx context.Context, account string, now time.Time) error {
	if r.recheck == nil {
		return nil
	}
	r.mu.Lock()
	if done := r.running[account]; done != nil {
		r.mu.Unlock()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if last, ok := r.asked[account]; ok && now.Sub(last) < recheckAgain {
		r.mu.Unlock()
		return errAskedLately
	}
	done := make(chan struct{})
	r.running[account] = done
	r.remember(account, now)
	r.mu.Unlock()

	defer func() {
		r.mu.Lock()
		delete(r.running, account)
		r.mu.Unlock()
		close(done)
	}()
	return r.recheck(ctx, account)
}

// remember bounds its memory: what is old enough is as good as forgotten. Called
// with mu held.
func (r *rechecks) remember(account string, now time.Time) {
	if len(r.asked) >= maxRechecks {
		for a, at := range r.asked {
			if now.Sub(at) >= recheckLater {
				delete(r.asked, a)
			}
		}
	}
	if len(r.asked) >= maxRechecks {
		clear(r.asked)
	}
	r.asked[account] = now
}

// later leaves a question for Run's workers, if there is room for it.
func (r *rechecks) later(account string, now time.Time) {
	if r.recheck == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.asked[account]
	if r.queued[account] || (ok && now.Sub(last) < recheckLater) {
		return
	}
	select {
	case r.queue <- account:
		r.queued[account] = true
	default: // the next login asks again
	}
}

// work asks what was left for later, until ctx ends.
func (s *Service) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case account := <-s.rechecks.queue:
			s.rechecks.mu.Lock()
			delete(s.rechecks.queued, account)
			s.rechecks.mu.Unlock()
			one, cancel := context.WithTimeout(ctx, recheckTime)
			err := s.rechecks.ask(one, account, s.now())
			cancel()
			if err != nil && ctx.Err() == nil && !errors.Is(err, errAskedLately) {
				s.log.WarnContext(ctx, "cannot tell whether an account is still welcome at Mastodon",
					"account", account, "error", err)
			}
		}
	}
}

// freshen asks Mastodon about an account whose state is older than a new device
// password may rest on.
func (s *Service) freshen(ctx context.Context, account string) error {
	if s.rechecks.recheck == nil {
		return nil
	}
	old, err := s.standingOld(ctx, account)
	if err != nil || !old {
		return err
	}
	asked := s.rechecks.ask(ctx, account, s.now())
	if old, err = s.standingOld(ctx, account); err != nil {
		return err
	}
	if old {
		return standingUnknown(asked)
	}
	return nil
}

func standingUnknown(asked error) error {
	if asked == nil {
		return ErrStandingUnknown
	}
	return fmt.Errorf("%w: %w", ErrStandingUnknown, asked)
}

// standingOld says whether Mastodon's good word on the account is too old. Of a
// refused account it does not matter: it is refused.
func (s *Service) standingOld(ctx context.Context, account string) (old bool, err error) {
	var at int64
	var refused bool
	err = s.row(ctx, nil, `SELECT standing_at, suspended_at IS NOT NULL OR blocked_at IS NOT NULL
		FROM accounts WHERE id = $1`, account).Scan(&at, &refused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, ErrUnknownAccount
	case err != nil:
		return false, fmt.Errorf("tokens: read account: %w", err)
	}
	return !refused && s.now().Sub(time.UnixMilli(at)) > standingFresh, nil
}
