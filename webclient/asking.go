package webclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// said is an answer of Mastodon's about an account.
type said struct {
	standing string
	full     bool // a good standing rules a frozen login out, too
	signOut  bool // there is no token, or Mastodon does not take it any more

	by    string // byWebhook or byCheck
	asked int64  // when byCheck asked, in the database's unit
}

// Who said how an account stands, as Config.Recorder is told.
const (
	byWebhook = "webhook"
	byCheck   = "check"
	byLogin   = "login"
)

// askStanding asks Mastodon. An error means that it did not say.
func (s *Server) askStanding(ctx context.Context, account string, q question) (said, error) {
	if !q.person {
		standing, err := s.look(ctx, account)
		if !errors.Is(err, mastodon.ErrClosed) {
			return said{standing: standing, full: q.enabled}, err
		}
		// Strangers are not answered here. Their token is all we have.
	}
	standing, err := s.askAsPerson(ctx, account)
	if !errors.Is(err, errLoginAgain) {
		return said{standing: standing, full: true}, err
	}
	standing, err = s.look(ctx, account)
	return said{standing: standing, full: q.enabled, signOut: true}, err
}

// askAsPerson asks with the person's token: errLoginAgain if there is none that
// Mastodon takes. A login that ends just now may have put a new token in the place
// of the one we hold: only the stored one counts.
func (s *Server) askAsPerson(ctx context.Context, account string) (standing string, err error) {
	for {
		sealed, err := s.sealedToken(ctx, account)
		if err != nil {
			return "", err
		}
		token, err := s.openToken(ctx, account, sealed)
		if err != nil {
			return "", err
		}
		person, err := s.cfg.Mastodon.VerifyCredentials(ctx, token)
		if err == nil && person.ID != account {
			err = fmt.Errorf("the token belongs to account %s: %w", person.ID, mastodon.ErrTokenInvalid)
		}
		switch {
		case errors.Is(err, mastodon.ErrTokenInvalid):
			if dropped, err := s.dropToken(ctx, account, sealed); err != nil {
				return "", err
			} else if dropped {
				return "", errLoginAgain
			}
			continue // there is another one by now
		case err == nil && person.Moved:
			return standingMoved, nil
		case err == nil && person.Memorial:
			return standingDisabled, nil
		case err == nil:
			return standingGood, nil
		}
		if standing := standingOf(s.cfg.Mastodon.Explain(ctx, err, account)); standing != "" {
			return standing, nil
		}
		return "", err
	}
}

// dropToken forgets a token that Mastodon does not take any more, unless another one
// has taken its place.
func (s *Server) dropToken(ctx context.Context, account string, sealed []byte) (dropped bool, err error) {
	res, err := s.cfg.DB.ExecContext(context.WithoutCancel(ctx), `UPDATE accounts SET mastodon_token = NULL
		WHERE id = $1 AND mastodon_token = $2`, account, sealed)
	if err != nil {
		return false, fmt.Errorf("webclient: token: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("webclient: token: %w", err)
	}
	return n == 1, nil
}

// look asks as anybody may. A frozen login does not show there.
func (s *Server) look(ctx context.Context, account string) (standing string, err error) {
	var a mastodon.Account
	err = s.publicly(ctx, func(access mastodon.Secret) (err error) {
		a, err = s.cfg.Mastodon.Look(ctx, access, account)
		return err
	})
	switch {
	case errors.Is(err, mastodon.ErrNotFound):
		return standingDeleted, nil
	case err != nil:
		return "", err
	case a.Suspended:
		return standingSuspended, nil
	case a.Moved:
		return standingMoved, nil
	case a.Memorial:
		return standingDisabled, nil
	}
	return standingGood, nil
}

const appTokenRetry = time.Hour // after an app's own token did not help

// strangers is how public profiles are to be asked for. Any goroutine may call its
// methods.
type strangers struct {
	mu        sync.Mutex
	token     mastodon.Secret // our app's own; "" is none
	notBefore time.Time       // for the next try with one
}

func (st *strangers) get() (mastodon.Secret, time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.token, st.notBefore
}

func (st *strangers) set(token mastodon.Secret, notBefore time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.token, st.notBefore = token, notBefore
}

// publicly calls ask without a token, or with our app's own where the instance
// answers nobody else. The error is ErrClosed where that does not help either.
func (s *Server) publicly(ctx context.Context, ask func(access mastodon.Secret) error) error {
	access, notBefore := s.strangers.get()
	err := ask(access)
	if !errors.Is(err, mastodon.ErrClosed) || s.cfg.Now().Before(notBefore) {
		return err
	}
	token, tokenErr := s.appToken(ctx)
	if tokenErr == nil {
		tokenErr = ask(token)
	}
	switch {
	case tokenErr == nil, errors.Is(tokenErr, mastodon.ErrNotFound):
		s.strangers.set(token, time.Time{})
		return tokenErr
	case errors.Is(tokenErr, mastodon.ErrDown), errors.Is(tokenErr, mastodon.ErrRateLimited), noRow(tokenErr), ctx.Err() != nil:
	default:
		s.strangers.set("", s.cfg.Now().Add(appTokenRetry))
		s.cfg.Log.InfoContext(ctx, "the instance shows public profiles to people only", "error", tokenErr)
	}
	return err
}

// appToken is a token of our app itself. It needs the registration that the first
// login makes.
func (s *Server) appToken(ctx context.Context) (mastodon.Secret, error) {
	app, err := s.storedApp(ctx)
	if err != nil {
		return "", err
	}
	return s.cfg.Mastodon.AppToken(ctx, app)
}
