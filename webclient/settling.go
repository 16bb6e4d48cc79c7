package webclient

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// settleStanding writes down what Mastodon said, and ends what has to end. It
// returns how the account stands now. Of two answers that cross, bad news stands:
// a good word that was asked for before the bad one came is not believed.
func (s *Server) settleStanding(ctx context.Context, account string, answer said) (standing, error) {
	if answer.standing == standingGood {
		return s.settleGood(ctx, account, answer)
	}
	now := s.now()
	var before, username string
	// News is newer than any question that is under way, also where it is the same.
	since := `COALESCE(suspended_at, $2)`
	if answer.by == byWebhook {
		since = `$2`
	}
	err := s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT standing, username FROM accounts WHERE id = $1`, account).Scan(&before, &username)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE accounts SET standing = $1, suspended_at = `+since+` WHERE id = $3`,
			answer.standing, now, account)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE logins SET expires_at = $1
			WHERE account_id = $2 AND ended_at IS NULL AND expires_at > $1`, now, account)
		return err
	})
	if err != nil {
		return standing{}, fmt.Errorf("webclient: standing: %w", err)
	}
	wake(s.wakeTidy) // ends each login properly
	if before != answer.standing {
		s.cfg.Log.InfoContext(ctx, "the instance no longer lets an account in", "account", account,
			"was", before, "standing", answer.standing)
		s.record(username, account, answer.standing, answer.by)
	}
	if before == standingGood || !s.ended.has(account) {
		if err := s.endStreams(ctx, account, standingCodes[answer.standing]); err != nil {
			return standing{}, err
		}
	}
	return s.readStanding(ctx, account)
}

// settleGood lets the account in again: device passwords work from this moment. A
// frozen login needs somebody who can see that it is not frozen any more.
func (s *Server) settleGood(ctx context.Context, account string, answer said) (standing, error) {
	var before, username string
	lifted := false
	err := s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		var since int64
		err := tx.QueryRowContext(ctx, `SELECT standing, username, COALESCE(suspended_at, 0) FROM accounts WHERE id = $1`,
			account).Scan(&before, &username, &since)
		if err != nil {
			return err
		}
		if lifted = since <= answer.asked && (before != standingDisabled || answer.full); !lifted {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE accounts SET standing = 'good', standing_at = $1, trusted_until = $2,
			suspended_at = NULL WHERE id = $3`, answer.asked, answer.asked+s.cfg.Grace.Milliseconds(), account)
		return err
	})
	if err != nil {
		return standing{}, fmt.Errorf("webclient: standing: %w", err)
	}
	s.asked.forget(account)
	if lifted {
		s.ended.forget(account)
		if before != standingGood {
			s.cfg.Log.InfoContext(ctx, "the instance lets an account in again", "account", account, "was", before)
			s.record(username, account, standingGood, answer.by)
		}
	}
	st, err := s.readStanding(ctx, account)
	st.signOut = answer.signOut
	return st, err
}

// record tells Config.Recorder of a change.
func (s *Server) record(username, account, standing, by string) {
	if s.cfg.Recorder != nil {
		s.cfg.Recorder("standing", username, account, standing, by)
	}
}

// endLogins ends those logins of an account that began before a time, and with them
// what was issued in them. Device passwords do not hang on a login.
func (s *Server) endLogins(ctx context.Context, account, reason string, before int64) error {
	ids, err := s.texts(ctx, `SELECT id FROM logins WHERE account_id = $1 AND created_at <= $2
		AND ended_at IS NULL AND expires_at > $3`, account, before, s.now())
	if err != nil || len(ids) == 0 {
		return err
	}
	s.cfg.Log.InfoContext(ctx, "the logins of an account end", "account", account, "reason", reason)
	for _, id := range ids {
		s.endLogin(ctx, id, reason)
	}
	return nil
}

// endStreams closes the account's streams. What fails is tried again by the watch.
func (s *Server) endStreams(ctx context.Context, account, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.cfg.Issuer.EndAccount(ctx, account, reason); err != nil {
		s.ended.owe(account, reason)
		wake(s.wakeStanding)
		return fmt.Errorf("webclient: ending streams: %w", err)
	}
	s.ended.done(account, s.cfg.Now())
	return nil
}

// endings is which accounts' streams were ended by this process, and which still are
// to be. After a restart those of refused accounts are ended once more. Any goroutine may call
// its methods.
type endings struct {
	mu    sync.Mutex
	ended map[string]time.Time
	owed  map[string]string // account to reason
}

func (e *endings) has(account string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ended := e.ended[account]
	return ended
}

// at is when that was.
func (e *endings) at(account string) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended[account]
}

func (e *endings) done(account string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended == nil {
		e.ended = map[string]time.Time{}
	}
	e.ended[account] = at
	delete(e.owed, account)
}

func (e *endings) owe(account, reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.owed == nil {
		e.owed = map[string]string{}
	}
	e.owed[account] = reason
}

func (e *endings) forget(account string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.ended, account)
	delete(e.owed, account)
}

// all is a copy of what is owed.
func (e *endings) all() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[string]string, len(e.owed))
	for account, reason := range e.owed {
		out[account] = reason
	}
	return out
}
