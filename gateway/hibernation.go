package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sleeper is a session without a stream: the XMPP server keeps it for a
// resumption (XEP-0198 section 5).
type sleeper struct {
	binding
	previd    string
	handled   uint32        // the last h of the client
	shown     bool          // bound under a consent to show presence
	hidden    bool          // at its end the server would tell contacts the wrong thing, see policy.Stream.Farewell
	aware     bool          // the client takes the steps of a change of consent itself
	node      string        // the process that held it last
	patience  time.Duration // given to that process to end it itself
	end       time.Time     // when the gateway is to end it, if it is hidden or condemned
	condemned bool
	revoked   bool      // condemned for another reason than the consent
	tries     int       // that failed
	taken     bool      // the state is deleted, and this is what it said:
	farewell  string    // for the server
	expires   time.Time // when the server has ended it for sure
}

// due reports whether the gateway has to end the session at all.
func (s *sleeper) due() bool { return s.hidden || s.condemned }

// expiryMargin is for how long after a session's time it is remembered.
const expiryMargin = time.Minute

// endOfHidden is when a hidden session is ended that the server keeps for max,
// until deadline: early enough to do it, late enough to be resumed before.
func endOfHidden(deadline time.Time, max time.Duration) time.Time {
	return deadline.Add(-min(30*time.Second, max/4))
}

// What is remembered is bounded. Beyond it those are forgotten that the server
// itself ends first, which is then left to the server: of the account that has
// too many, its own, so that nobody can push out others' with less than some
// hundred accounts (50,000 / (4 * 20)).
const (
	maxSleepers     = 50_000
	sleepersPerLive = 4 // for each stream that an account may have at a time
)

// hibernation knows the sessions that were cut here, or by an earlier process,
// and may still be resumed. Any goroutine may call its methods.
type hibernation struct {
	now     func() time.Time
	log     *slog.Logger
	changed chan struct{} // a token: something may be due earlier

	most       int // sessions in all
	perAccount int

	mu     sync.Mutex
	known  sleepers
	missed []func(*sleeper) // condemn those that match
	whole  bool             // those of an earlier process are known, missed is over
}

// newHibernation is for accounts that may have so many streams at a time.
func newHibernation(now func() time.Time, log *slog.Logger, streams int) *hibernation {
	return &hibernation{
		now: now, log: log, changed: make(chan struct{}, 1), known: newSleepers(), most: maxSleepers, perAccount: Limits{PerAccount: streams}.SessionsPerAccount(),
	}
}

// add notes a session that was cut. now is asked under the lock, so that a
// revocation or a change of consent at this very moment is not missed: it has
// either marked the stream before, or finds the session here. doomed sessions
// are ended instead.
func (h *hibernation) add(s sleeper, now func() (shown, doomed bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shown, doomed := now()
	s.shown = shown
	if doomed {
		s.condemned, s.end = true, h.now()
	}
	h.put(s)
}

// recalled adds what an earlier process left behind.
func (h *hibernation) recalled(left []sleeper) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range left {
		if h.known.byID[s.previd] != nil { // newer
			continue
		}
		for _, judge := range h.missed {
			judge(&s)
		}
		h.put(s)
	}
	h.missed, h.whole = nil, true
}

// put expects h.mu to be held.
func (h *hibernation) put(s sleeper) {
	h.known.put(s)
	if len(h.known.of[s.account]) > h.perAccount {
		h.known.remove(h.known.firstOf(s.account).previd)
		h.log.Info("gateway: too many waiting sessions of one account, the oldest is left to the server", "account", s.account)
	}
	if len(h.known.byID) > h.most {
		first := h.known.expiring.first()
		h.known.remove(first.previd)
		h.log.Warn("gateway: too many waiting sessions, the oldest is left to the server", "account", first.account)
	}
	if !s.due() {
		return // it is enough to find it over some time
	}
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// count is how many sessions wait.
func (h *hibernation) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.known.byID)
}

func (h *hibernation) wake(previd string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known.remove(previd)
}

// end condemns the sessions that match, because of the consent.
func (h *hibernation) end(match func(*sleeper) bool) { h.judge(match, false) }

// revoke condemns the sessions that match, because of a login that is over.
func (h *hibernation) revoke(match func(*sleeper) bool) { h.judge(match, true) }

func (h *hibernation) judge(match func(*sleeper) bool, revoked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	judge := func(s *sleeper) {
		if match(s) {
			if !s.condemned {
				s.condemned, s.end = true, h.now().Add(s.patience)
			}
			s.revoked = s.revoked || revoked
		}
	}
	if !h.whole {
		h.missed = append(h.missed, judge)
	}
	var changed []sleeper
	for _, e := range h.known.byID {
		s := e.sleeper
		if judge(&s); s != e.sleeper {
			changed = append(changed, s)
		}
	}
	for _, s := range changed {
		h.put(s)
	}
}

// condemn has a session ended now.
func (h *hibernation) condemn(s sleeper) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.condemned, s.end = true, h.now()
	h.put(s)
}

// retry puts a session back that could not be ended, until the server has
// ended it itself.
func (h *hibernation) retry(s sleeper) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known.byID[s.previd] != nil { // newer
		return
	}
	s.end = h.now().Add(min(time.Second<<min(s.tries, 10), time.Minute))
	s.condemned, s.tries = true, s.tries+1
	h.put(s)
}

// take removes the sessions that are over or due, returns the due ones, and
// how long it is to the next.
func (h *hibernation) take() (due []sleeper, next time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for e := h.known.expiring.first(); e != nil && now.After(e.expires); e = h.known.expiring.first() {
		h.known.remove(e.previd)
	}
	for e := h.known.ending.first(); e != nil; e = h.known.ending.first() {
		if e.end.After(now) {
			return due, min(expiryMargin, e.end.Sub(now))
		}
		h.known.remove(e.previd)
		due = append(due, e.sleeper)
	}
	return due, expiryMargin
}

// run hands over what is due until ctx ends.
func (h *hibernation) run(ctx context.Context, to chan<- sleeper) {
	for {
		due, next := h.take()
		for _, s := range due {
			select {
			case to <- s:
			case <-ctx.Done():
				return
			}
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-h.changed:
		case <-t.C:
		}
		t.Stop()
	}
}
