package webclient

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many device passwords one account may make: a few at once, for somebody who
// sets up their devices, and then some in an hour.
const (
	devicesAtOnce = 10
	deviceEvery   = 3 * time.Minute
	pruneLooks    = 64
)

// allowance slows down accounts that do something too often. Any goroutine may
// call its methods.
type allowance struct {
	every time.Duration
	burst int

	mu        sync.Mutex
	byAccount map[string]*rate.Limiter
}

func newAllowance(every time.Duration, burst int) *allowance {
	return &allowance{every: every, burst: burst, byAccount: map[string]*rate.Limiter{}}
}

// wait takes one from account's allowance and returns 0, or returns how long
// there is none.
func (a *allowance) wait(account string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.byAccount[account]
	if l == nil {
		a.prune(now)
		l = rate.NewLimiter(rate.Every(a.every), a.burst)
		a.byAccount[account] = l
	}
	reserved := l.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

// prune makes room: some whose allowance is whole again are forgotten, or else
// whoever comes first. It looks at a few only, so that a crowd of strangers costs
// little. It expects a.mu to be held.
func (a *allowance) prune(now time.Time) {
	looked := 0
	for account, l := range a.byAccount {
		if len(a.byAccount) < maxPacedAddresses || looked == pruneLooks {
			break
		}
		looked++
		if l.TokensAt(now) >= float64(a.burst) {
			delete(a.byAccount, account)
		}
	}
	for account := range a.byAccount {
		if len(a.byAccount) < maxPacedAddresses {
			return
		}
		delete(a.byAccount, account)
	}
}
