package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// How an account stands at the instance: accounts.standing.
const (
	standingGood        = "good"
	standingSuspended   = "suspended"
	standingDisabled    = "disabled"
	standingMoved       = "moved"
	standingDeleted     = "deleted"
	standingUnconfirmed = "unconfirmed"
)

// standingCodes are what people are told of each standing but good.
var standingCodes = map[string]string{
	standingSuspended: codeSuspended, standingDisabled: codeDisabled, standingMoved: codeMoved,
	standingDeleted: codeDeleted, standingUnconfirmed: codeUnconfirmed,
}

// standingOf is the standing that an error from Mastodon tells of, "" where it
// tells none.
func standingOf(err error) string {
	switch {
	case errors.Is(err, mastodon.ErrAccountSuspended):
		return standingSuspended
	case errors.Is(err, mastodon.ErrAccountMoved):
		return standingMoved
	case errors.Is(err, mastodon.ErrUnconfirmed):
		return standingUnconfirmed
	case errors.Is(err, mastodon.ErrAccountDisabled):
		return standingDisabled
	}
	return ""
}

// standing is what is known of an account.
type standing struct {
	now     string    // one of the words above
	at      time.Time // when Mastodon last said good
	trusted time.Time // until then Mastodon need not have said it again
	refused bool      // now is not good
	blocked bool      // by the admin here, whatever Mastodon says
	signOut bool      // Mastodon no longer takes the token: its logins have ended
}

func (s *Server) readStanding(ctx context.Context, account string) (standing, error) {
	var st standing
	var at, trusted int64
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT standing, standing_at, trusted_until, suspended_at IS NOT NULL,
		blocked_at IS NOT NULL FROM accounts WHERE id = $1`, account).Scan(&st.now, &at, &trusted, &st.refused, &st.blocked)
	if err != nil {
		return standing{}, fmt.Errorf("webclient: standing: %w", err)
	}
	st.at, st.trusted = time.UnixMilli(at), time.UnixMilli(trusted)
	return st, nil
}

// question is how to ask Mastodon about an account.
type question struct {
	// age of an earlier yes that is good enough; 0 is none.
	age time.Duration
	// person asks with the person's token where there is one. That alone shows a
	// frozen login, and counts as activity of theirs.
	person bool
	// enabled says that an admin's word, which is not enough alone, has it that the
	// login is not frozen.
	enabled bool
}

// cannotTell says that Mastodon gave no answer that says anything of the account.
type cannotTell struct{ cause error }

func (e *cannotTell) Error() string {
	return "webclient: cannot tell how the account stands at the instance: " + e.cause.Error()
}

func (e *cannotTell) Unwrap() error { return e.cause }

var (
	errAskedJustNow = errors.New("asked a moment ago")
	errSilent       = fmt.Errorf("asked a moment ago: %w", mastodon.ErrDown)
)

// examine asks Mastodon how account stands, unless it is known well enough, and acts
// on the answer before it returns: whoever is not good any more is cut off, whoever
// is again is let in. One question at a time is asked about an account.
func (s *Server) examine(ctx context.Context, account string, q question) (standing, error) {
	st, err := s.readStanding(ctx, account)
	if err != nil || s.known(st, q) {
		return st, err
	}
	release, err := s.standingTurns.take(ctx, account)
	if err != nil {
		return standing{}, err
	}
	defer release()
	if st, err = s.readStanding(ctx, account); err != nil || s.known(st, q) {
		return st, err
	}
	if s.asked.later(account, s.cfg.Now()) {
		return st, &cannotTell{errAskedJustNow}
	}
	if !s.asked.may(s.cfg.Now(), s.pace.standingRetry) {
		return st, &cannotTell{errSilent}
	}
	// Whoever gives the request up must not thereby put the question off.
	ctx = context.WithoutCancel(ctx)
	began := s.now()
	ask, cancel := context.WithTimeout(ctx, s.pace.standingWait)
	defer cancel()
	said, err := s.askStanding(ask, account, q)
	s.metrics.asked(said, err)
	s.heard(err)
	if said.signOut {
		if err := s.endLogins(ctx, account, errLoginAgain.code, began); err != nil {
			return st, err
		}
	}
	if err != nil {
		s.asked.putOff(account, s.cfg.Now().Add(s.pace.standingRetry))
		s.cfg.Log.WarnContext(ctx, "cannot tell how an account stands at the instance", "account", account, "error", err)
		st.signOut = said.signOut
		return st, &cannotTell{err}
	}
	said.by, said.asked = byCheck, began
	return s.settleStanding(ctx, account, said)
}

// known tells whether Mastodon need not be asked. Whom the admin blocked is not
// asked about: the answer would change nothing.
func (s *Server) known(st standing, q question) bool {
	return st.blocked || !st.refused && q.age > 0 && s.cfg.Now().Sub(st.at) <= q.age
}

// checkStanding lets account have a password for its panel: Mastodon said yes in the
// last five minutes, or cannot say now but did within the grace. So chat goes on
// while Mastodon is down. Otherwise the error is what the API answers.
func (s *Server) checkStanding(ctx context.Context, account string) error {
	st, err := s.examine(ctx, account, question{age: s.pace.standingCheck, person: true})
	var silent *cannotTell
	if errors.As(err, &silent) && !st.signOut && !st.refused && s.cfg.Now().Before(st.trusted) {
		return nil
	}
	if err == nil && st.blocked {
		err = s.endLogins(ctx, account, codeBlocked, s.now())
	}
	return s.refusal(st, err)
}

// confirmStanding is checkStanding for what outlives a login: there is no grace.
func (s *Server) confirmStanding(ctx context.Context, account string) error {
	return s.refusal(s.examine(ctx, account, question{age: s.pace.standingCheck, person: true}))
}

// refusal is what the API answers to somebody of that standing, nil for good.
func (s *Server) refusal(st standing, err error) error {
	var silent *cannotTell
	code := standingCodes[st.now]
	switch {
	case err != nil && !errors.As(err, &silent):
		return err
	case st.blocked:
		code = codeBlocked
	case st.refused:
	case st.signOut:
		return errLoginAgain
	case err != nil:
		return &apiError{status: http.StatusServiceUnavailable, code: codeDown, retryAfter: s.pace.standingRetry,
			message: loginOutcomes[codeDown].message, err: err}
	default:
		return nil
	}
	return &apiError{status: http.StatusUnauthorized, code: code, message: loginOutcomes[code].message}
}

// Recheck asks Mastodon now how account stands, and writes down what it says. An
// error means that Mastodon did not say. It is for a person who is just about to
// use a password, so it asks with their token where there is one.
func (s *Server) Recheck(ctx context.Context, account string) error {
	_, err := s.examine(ctx, account, question{person: true})
	return err
}

// heard notes whether Mastodon has answered a question, and whether it is silent.
func (s *Server) heard(err error) {
	now := s.cfg.Now()
	switch s.metrics.reached(err, now) {
	case heardSilence:
		s.asked.hush(now.Add(s.pace.standingRetry))
	case heardAnswer:
		s.asked.hush(time.Time{})
	}
}

// asked remembers whom Mastodon could not tell us of, for some seconds, so that a
// crowd of their apps does not ask again and again; and that it is silent, so that
// not everybody's apps ask either. Any goroutine may call its methods.
type asked struct {
	mu     sync.Mutex
	next   map[string]time.Time // when to ask again
	silent time.Time            // when to ask about anybody again; zero: Mastodon is not silent
}

// may tells whether Mastodon may be asked at all. While it is silent one question
// may be, and the next one when wait is over: whoever is told yes must ask.
func (a *asked) may(now time.Time, wait time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.silent.IsZero() {
		return true
	}
	if now.Before(a.silent) {
		return false
	}
	a.silent = now.Add(wait)
	return true
}

// hush says until when not to ask; zero is that Mastodon has answered.
func (a *asked) hush(until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silent = until
}

// hushed tells whether nobody may ask now.
func (a *asked) hushed(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.silent)
}

func newAsked() *asked { return &asked{next: map[string]time.Time{}} }

func (a *asked) putOff(account string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next[account] = until
}

// later tells whether account is not to be asked about now.
func (a *asked) later(account string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.next[account])
}

func (a *asked) forget(account string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.next, account)
}

func (a *asked) prune(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for account, at := range a.next {
		if now.After(at) {
			delete(a.next, account)
		}
	}
}

// noRow tells that an account is not known here.
func noRow(err error) bool { return errors.Is(err, sql.ErrNoRows) }
