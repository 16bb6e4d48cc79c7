package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	yesKept     = time.Hour
	noKept      = 5 * time.Minute
	answerKept  = 24 * time.Hour   // while Mastodon cannot be asked
	lookupAgain = 10 * time.Second // after an error
	lookupTime  = 10 * time.Second
	maxKnown    = 1 << 14

	// Mastodon lets one address ask 300 questions in 5 minutes; most of them are
	// for others of us.
	lookupBurst = 30
	lookupEvery = 2 * time.Second
)

// ErrCannotTell means that neither we nor Mastodon can say now whether there is
// a person of that name.
var ErrCannotTell = errors.New("tokens: it cannot be told now whether there is such a person")

// Exists says whether a person of this name has ever logged in, or else whether
// Mastodon has one; a suspended one still exists. Mastodon's answers are kept, a
// yes for an hour and a no for 5 minutes, and for a day while it cannot be asked.
// An error means that it cannot be told now.
func (s *Service) Exists(ctx context.Context, username string) (exists bool, err error) {
	if !usable(username) {
		return false, nil
	}
	name := strings.ToLower(username)
	err = s.row(ctx, nil, `SELECT EXISTS (SELECT 1 FROM accounts WHERE username = $1)`, name).Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("tokens: read account: %w", err)
	}
	if exists || s.known.lookup == nil || !plausible(name) {
		return exists, nil
	}
	return s.known.exists(ctx, name, s.now())
}

// plausible says whether a Mastodon-like server can have a local person of this
// name: what is none is not worth a question.
func plausible(name string) bool {
	return len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
}

// known remembers what Mastodon said of names that nobody logged in with.
type known struct {
	lookup  func(ctx context.Context, username string) (bool, error)
	errands errands
	limit   *rate.Limiter

	mu      sync.Mutex
	answers map[string]answer
	asking  map[string]chan struct{} // closed when the question has ended
}

// answer is the last that was heard; heard is zero if that never was.
type answer struct {
	exists        bool
	heard, failed time.Time
	err           error
}

func newKnown(lookup func(context.Context, string) (bool, error), e errands) *known {
	return &known{
		lookup: lookup, errands: e, limit: rate.NewLimiter(rate.Every(lookupEvery), lookupBurst),
		answers: map[string]answer{}, asking: map[string]chan struct{}{},
	}
}

func (a answer) fresh(now time.Time) bool {
	kept := noKept
	if a.exists {
		kept = yesKept
	}
	return !a.heard.IsZero() && now.Sub(a.heard) < kept
}

// tell is the answer when nothing newer can be had.
func (a answer) tell(now time.Time) (bool, error) {
	if !a.heard.IsZero() && now.Sub(a.heard) < answerKept {
		return a.exists, nil
	}
	if a.err == nil {
		return false, ErrCannotTell
	}
	return false, fmt.Errorf("%w: %w", ErrCannotTell, a.err)
}

// exists answers from memory, or asks: each name once at a time.
func (k *known) exists(ctx context.Context, name string, now time.Time) (bool, error) {
	for {
		k.mu.Lock()
		a := k.answers[name]
		done := k.asking[name]
		switch {
		case a.fresh(now):
			k.mu.Unlock()
			return a.exists, nil
		case done != nil:
			k.mu.Unlock()
			select {
			case <-done:
				continue
			case <-ctx.Done():
				return a.tell(now)
			}
		case !a.failed.IsZero() && now.Sub(a.failed) < lookupAgain, !k.limit.AllowN(now, 1):
			k.mu.Unlock()
			return a.tell(now)
		}
		done = make(chan struct{})
		k.asking[name] = done
		k.mu.Unlock()
		a, err := k.ask(ctx, name, now, a)
		k.mu.Lock()
		delete(k.asking, name)
		k.mu.Unlock()
		close(done)
		if err != nil && ctx.Err() != nil { // whoever asks next may find the answer
			k.errands.leave(func(ctx context.Context) error {
				_, err := k.exists(ctx, name, now)
				return err
			})
		}
		return a.tell(now)
	}
}

// ask asks Mastodon and keeps what it said. That the caller gave up is no answer
// of Mastodon's.
func (k *known) ask(ctx context.Context, name string, now time.Time, a answer) (answer, error) {
	bounded, cancel := context.WithTimeout(ctx, lookupTime)
	exists, err := k.lookup(bounded, name)
	cancel()
	switch {
	case err == nil:
		a = answer{exists: exists, heard: now}
	case ctx.Err() != nil:
		return a, err
	default:
		a.failed, a.err = now, err
	}
	k.mu.Lock()
	k.keep(name, a, now)
	k.mu.Unlock()
	return a, err
}

// keep bounds the memory: first goes what is worth nothing any more, then
// whatever comes. Called with mu held.
func (k *known) keep(name string, a answer, now time.Time) {
	if _, there := k.answers[name]; !there && len(k.answers) >= maxKnown {
		for n, old := range k.answers {
			if now.Sub(old.heard) >= answerKept && now.Sub(old.failed) >= lookupAgain {
				delete(k.answers, n)
			}
		}
		for n := range k.answers {
			if len(k.answers) < maxKnown {
				break
			}
			delete(k.answers, n)
		}
	}
	k.answers[name] = a
}
