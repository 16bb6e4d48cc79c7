package webclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// standing remembers when each account was last seen to be welcome at the
// instance. It is kept in memory: after a restart everybody is asked for once.
type standing struct {
	mu   sync.Mutex
	next map[string]time.Time // when to ask again
	ok   map[string]time.Time // when Mastodon last said yes
}

func newStanding() *standing {
	return &standing{next: map[string]time.Time{}, ok: map[string]time.Time{}}
}

// mark says that Mastodon let the account in at that time.
func (st *standing) mark(account string, at time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ok[account] = at
	delete(st.next, account)
}

// later puts the next question off.
func (st *standing) later(account string, until time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.next[account] = until
}

func (st *standing) forget(account string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.ok, account)
	delete(st.next, account)
}

// due tells whether to ask now.
func (st *standing) due(account string, now time.Time, age time.Duration) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if now.Before(st.next[account]) {
		return false
	}
	last, known := st.ok[account]
	return !known || now.Sub(last) > age
}

// prune drops what is older than age and would be asked for anyway.
func (st *standing) prune(now time.Time, age time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for account, at := range st.ok {
		if now.Sub(at) > age {
			delete(st.ok, account)
		}
	}
	for account, at := range st.next {
		if now.After(at) {
			delete(st.next, account)
		}
	}
}

// checkStanding asks Mastodon whether account may still use the instance, if the
// last answer is older than five minutes. A no ends all its logins and credentials
// and is the error. Where Mastodon cannot say, the person stays in: chat goes on
// while Mastodon is down.
func (s *Server) checkStanding(ctx context.Context, account string) error {
	if !s.standing.due(account, s.cfg.Now(), s.pace.standingCheck) {
		return nil
	}
	release, err := s.standingTurns.take(ctx, account)
	if err != nil {
		return err
	}
	defer release()
	if !s.standing.due(account, s.cfg.Now(), s.pace.standingCheck) {
		return nil
	}
	// Whoever gives the request up must not thereby put the question off.
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.pace.standingWait)
	defer cancel()
	err = s.askStanding(ask, account)
	code := ""
	switch {
	case err == nil:
		s.standing.mark(account, s.cfg.Now())
		return nil
	case errors.Is(err, mastodon.ErrTokenInvalid), errors.Is(err, errLoginAgain):
	case errors.Is(err, mastodon.ErrAccountDisabled), errors.Is(err, mastodon.ErrAccountSuspended),
		errors.Is(err, mastodon.ErrAccountMoved), errors.Is(err, mastodon.ErrUnconfirmed):
		code = loginCode(err)
	default:
		s.standing.later(account, s.cfg.Now().Add(s.pace.standingRetry))
		s.cfg.Log.WarnContext(ctx, "cannot tell whether an account is still welcome at the instance",
			"account", account, "error", err)
		return nil
	}
	s.cfg.Log.InfoContext(ctx, "the instance no longer lets an account in", "account", account, "error", err)
	return s.expel(ctx, account, code)
}

// askStanding asks Mastodon. A login that ends just now may have put a new token in
// the place of the one we hold: only the stored one counts.
func (s *Server) askStanding(ctx context.Context, account string) error {
	var asked mastodon.Secret
	for {
		token, err := s.token(ctx, account)
		if err != nil {
			return err
		}
		if token == asked {
			return mastodon.ErrTokenInvalid
		}
		asked = token
		person, err := s.cfg.Mastodon.VerifyCredentials(ctx, token)
		switch {
		case errors.Is(err, mastodon.ErrTokenInvalid):
			continue
		case err != nil:
			return s.cfg.Mastodon.Explain(ctx, err, account)
		case person.ID != account:
			return fmt.Errorf("the token belongs to account %s: %w", person.ID, mastodon.ErrTokenInvalid)
		case person.Moved:
			return mastodon.ErrAccountMoved
		}
		return nil
	}
}

// expel ends everything of an account that the instance does not let in any more.
// code says why; "" means that only the token is no longer good. It returns what
// the API answers.
func (s *Server) expel(ctx context.Context, account, code string) error {
	s.standing.forget(account)
	ctx = context.WithoutCancel(ctx)
	reason, answer := codeOrLoginAgain(code)
	query := `UPDATE accounts SET mastodon_token = NULL WHERE id = $1`
	args := []any{account}
	if code != "" {
		query = `UPDATE accounts SET suspended_at = COALESCE(suspended_at, $1) WHERE id = $2`
		args = []any{s.now(), account}
	}
	if _, err := s.cfg.DB.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("webclient: standing: %w", err)
	}
	if err := s.endAccount(ctx, account, reason); err != nil {
		return err
	}
	return answer
}

func codeOrLoginAgain(code string) (reason string, answer error) {
	if code == "" {
		return errLoginAgain.code, errLoginAgain
	}
	return code, &apiError{status: http.StatusUnauthorized, code: code, message: loginOutcomes[code].message}
}
