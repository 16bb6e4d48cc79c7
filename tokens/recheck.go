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

	recheckAgain = 10 * time.Second // between two questions that somebody waits for
	recheckLater = 5 * time.Minute  // between two in the background
	maxRechecks  = 1 << 14

	errandTime    = 30 * time.Second // how long one question may take that nobody waits for
	errandWorkers = 2
	maxErrands    = 1 << 10
)

var errAskedLately = errors.New("tokens: Mastodon was asked a moment ago")

// errands are questions that nobody waits for; Run's workers ask them.
type errands chan func(ctx context.Context) error

// leave leaves a question, if there is room for it.
func (e errands) leave(ask func(ctx context.Context) error) bool {
	select {
	case e <- ask:
		return true
	default:
		return false
	}
}

// work asks what was left, until ctx ends.
func (s *Service) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ask := <-s.errands:
			one, cancel := context.WithTimeout(ctx, errandTime)
			err := ask(one)
			cancel()
			if err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "tokens: Mastodon does not answer", "error", err)
			}
		}
	}
}

// rechecks asks Mastodon how accounts stand, about each account one question at
// a time and not too often. It has no goroutine of its own: somebody who waits
// asks by themselves, and Run asks what was left for later.
type rechecks struct {
	recheck func(ctx context.Context, account string) error
	errands errands

	mu      sync.Mutex
	running map[string]*question
	asked   map[string]time.Time // when the last question began
	queued  map[string]bool      // left for Run's workers
}

// question is one that is being asked.
type question struct {
	done    chan struct{} // closed at its end
	givenUp bool          // who asked did not wait for the answer; read after done
}

func newRechecks(recheck func(context.Context, string) error, e errands) *rechecks {
	return &rechecks{
		recheck: recheck, errands: e, running: map[string]*question{},
		asked: map[string]time.Time{}, queued: map[string]bool{},
	}
}

// ask returns when Mastodon was asked, by us or by somebody who was before us.
// What it said is in the database, where the caller looks, whatever the error.
func (r *rechecks) ask(ctx context.Context, account string, now time.Time) error {
	if r.recheck == nil {
		return nil
	}
	for {
		r.mu.Lock()
		before := r.running[account]
		if before == nil {
			break
		}
		r.mu.Unlock()
		select {
		case <-before.done:
			if !before.givenUp {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if last, ok := r.asked[account]; ok && now.Sub(last) < recheckAgain {
		r.mu.Unlock()
		return errAskedLately
	}
	q := &question{done: make(chan struct{})}
	r.running[account] = q
	r.remember(account, now)
	r.mu.Unlock()

	err := r.recheck(ctx, account)
	r.mu.Lock()
	delete(r.running, account)
	q.givenUp = err != nil && ctx.Err() != nil
	if q.givenUp {
		delete(r.asked, account)
	}
	r.mu.Unlock()
	close(q.done)
	if q.givenUp { // the answer may be worth having for the next one
		r.later(account, now)
	}
	return err
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
	r.queued[account] = r.errands.leave(func(ctx context.Context) error {
		r.mu.Lock()
		delete(r.queued, account)
		r.mu.Unlock()
		if err := r.ask(ctx, account, now); err != nil && !errors.Is(err, errAskedLately) {
			return fmt.Errorf("whether account %s is still welcome: %w", account, err)
		}
		return nil
	})
	if !r.queued[account] {
		delete(r.queued, account) // no room: the next login asks again
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
