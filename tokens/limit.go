package tokens

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limit is a token bucket: Burst at once, then one more each Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// maxBuckets bounds a limiter's memory to some ten megabytes.
const maxBuckets = 1 << 16

// limiter holds one bucket for each key that was used lately. A bucket that has
// had time to fill up is the same as none and is forgotten.
type limiter struct {
	limit Limit

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

func newLimiter(limit, otherwise Limit) (*limiter, error) {
	if limit == (Limit{}) {
		limit = otherwise
	}
	if limit.Burst < 1 || limit.Every <= 0 {
		return nil, fmt.Errorf("tokens: the limit %+v lets nothing through", limit)
	}
	return &limiter{limit: limit, buckets: map[string]*bucket{}}, nil
}

// take takes one token from key's bucket, or says how long to wait for one.
// undo gives it back.
func (l *limiter) take(key string, now time.Time) (undo func(), wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		l.sweep(now)
		if len(l.buckets) >= maxBuckets {
			return nil, l.limit.Every // who cannot be counted must wait
		}
		b = &bucket{Limiter: rate.NewLimiter(rate.Every(l.limit.Every), l.limit.Burst)}
		l.buckets[key] = b
	}
	b.used = now
	r := b.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return nil, wait
	}
	return func() { r.CancelAt(now) }, 0
}

// sweep forgets the full buckets, at most once in the time that filling takes
// unless there are too many.
func (l *limiter) sweep(now time.Time) {
	fill := time.Duration(l.limit.Burst) * l.limit.Every
	if now.Sub(l.swept) < fill && len(l.buckets) < maxBuckets {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if now.Sub(b.used) >= fill {
			delete(l.buckets, key)
		}
	}
}

// allow counts one temporary credential against the account and the session.
func (s *Service) allow(account, session string) error {
	now := s.now()
	undo := func() {}
	if session != "" {
		u, wait := s.sessions.take(session, now)
		if wait > 0 {
			return &RateLimitError{wholeSeconds(wait)}
		}
		undo = u
	}
	if _, wait := s.accounts.take(account, now); wait > 0 {
		undo()
		return &RateLimitError{wholeSeconds(wait)}
	}
	return nil
}

// wholeSeconds rounds up, for HTTP's Retry-After.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
