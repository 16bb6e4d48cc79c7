package webclient

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// The rows of consent_changes are a feed: every process follows them by seq and
// tells its watcher, and says in cursors how far it has come, which a change of
// consent waits for. See docs/adr/0040.
const (
	// consentTurn orders the writers (sqldb.Serialize), consentChannel wakes the
	// followers.
	consentTurn    = "revocations"
	consentChannel = "consents"

	followerPrefix = "consent/" // of the rows in cursors
	followerEnd    = "consent0" // the first name behind them
	followerEnded  = -1         // the seq of a process that has ended

	consentPage   = 500             // changes read at once
	followerRenew = 5 * time.Minute // how often a follower says that it is there
	followerGone  = 3 * followerRenew
	consentGlance = 25 * time.Millisecond // how often a change looks who has told
	consentGoing  = 2 * time.Second       // for leaving the feed
)

// consentFeed is this process as a follower of the changes of consent. Run alone
// changes it once it has begun.
type consentFeed struct {
	name string // of its row, new in each process

	begin sync.Mutex // held while begun is read or changed
	begun bool

	last    int64            // everything up to here was read
	owed    map[string]int64 // by account: the first change that its watcher could not be told of
	written int64            // as the row says
	renewed time.Time        // when the row was written
	failing bool             // the last look failed
}

func newConsentFeed(rand io.Reader) (consentFeed, error) {
	var id [8]byte
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		return consentFeed{}, fmt.Errorf("webclient: a name for this process: %w", err)
	}
	return consentFeed{name: followerPrefix + hex.EncodeToString(id[:]), owed: map[string]int64{}}, nil
}

// Begin notes where the feed of consent stands: of every change after it, by any
// process that shares the database, Run tells Config.ConsentChanged. Call it before
// the first stream opens, and before sessions are looked at that processes which
// have ended left waiting for a resumption; Run does it for who has not.
func (s *Server) Begin(ctx context.Context) error {
	f := &s.consents
	f.begin.Lock()
	defer f.begin.Unlock()
	if f.begun || s.cfg.ConsentChanged == nil {
		return nil
	}
	err := s.cfg.DB.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM consent_changes`).Scan(&f.last)
	if err != nil {
		return fmt.Errorf("webclient: changes of consent: %w", err)
	}
	if err := s.sayHowFar(ctx); err != nil {
		return err
	}
	_, err = s.cfg.DB.ExecContext(ctx, `DELETE FROM cursors WHERE name >= $1 AND name < $2 AND seq = $3`,
		followerPrefix, followerEnd, followerEnded)
	if err != nil {
		return fmt.Errorf("webclient: who followed changes of consent: %w", err)
	}
	f.begun = true
	return nil
}

// followConsent tells the watcher of the changes of consent until ctx ends.
func (s *Server) followConsent(ctx context.Context) error {
	if s.cfg.ConsentChanged == nil {
		return nil
	}
	if err := s.Begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer s.leaveConsent(ctx)
	heard := s.cfg.DB.Listen(ctx, consentChannel)
	poll := time.NewTicker(s.pace.consentPoll)
	defer poll.Stop()
	for {
		s.noteConsent(ctx, s.lookAtConsent(ctx))
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		case <-heard:
		}
	}
}

// noteConsent logs when the feed cannot be read any more, and when it can again.
func (s *Server) noteConsent(ctx context.Context, err error) {
	f := &s.consents
	switch {
	case ctx.Err() != nil:
	case err != nil && !f.failing:
		f.failing = true
		s.cfg.Log.ErrorContext(ctx, "changes of consent may not reach the live streams here; trying again", "error", err)
	case err == nil && f.failing:
		f.failing = false
		s.cfg.Log.InfoContext(ctx, "changes of consent reach live streams again")
	}
	if ctx.Err() == nil {
		s.metrics.followed(err, s.cfg.Now())
	}
}

// errOwed means that a watcher could not be told; callWatcher has said why.
var errOwed = errors.New("webclient: live streams could not be told of a change of consent")

// lookAtConsent tells of everything that is new, and then says so to the others.
func (s *Server) lookAtConsent(ctx context.Context) error {
	f := &s.consents
	for account := range f.owed {
		if s.tellWatcher(account) {
			delete(f.owed, account)
		}
	}
	for {
		page, err := s.consentPage(ctx)
		if err != nil {
			return err
		}
		told := map[string]bool{}
		for _, c := range page {
			if _, waits := f.owed[c.account]; !waits && !told[c.account] {
				if told[c.account] = s.tellWatcher(c.account); !told[c.account] {
					f.owed[c.account] = c.seq
				}
			}
			f.last = c.seq
		}
		if f.told() != f.written || s.cfg.Now().Sub(f.renewed) >= followerRenew {
			if err := s.sayHowFar(ctx); err != nil {
				return err
			}
		}
		if len(page) < consentPage {
			break
		}
	}
	if len(f.owed) > 0 {
		return errOwed
	}
	return nil
}

// told is the change up to which the watcher knows.
func (f *consentFeed) told() int64 {
	told := f.last
	for _, seq := range f.owed {
		told = min(told, seq-1)
	}
	return told
}

type consentChange struct {
	seq     int64
	account string
}

// consentPage is what comes next in the feed. Writers take turns, so that a smaller
// seq never appears after a greater one was seen. Rows go with their account: where
// the feed ends before last, what is new comes after that end.
func (s *Server) consentPage(ctx context.Context) (page []consentChange, err error) {
	f := &s.consents
	stmt, err := s.cfg.DB.Prepared(ctx, `SELECT seq, account_id FROM consent_changes WHERE seq > $1 ORDER BY seq LIMIT $2`)
	if err != nil {
		return nil, fmt.Errorf("webclient: changes of consent: %w", err)
	}
	rows, err := stmt.QueryContext(ctx, f.last, consentPage)
	if err != nil {
		return nil, fmt.Errorf("webclient: changes of consent: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		var c consentChange
		if err := rows.Scan(&c.seq, &c.account); err != nil {
			return nil, fmt.Errorf("webclient: changes of consent: %w", err)
		}
		page = append(page, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("webclient: changes of consent: %w", err)
	}
	return page, nil
}

// sayHowFar writes the row.
func (s *Server) sayHowFar(ctx context.Context) error {
	f := &s.consents
	told, now := f.told(), s.cfg.Now()
	_, err := s.cfg.DB.ExecContext(ctx, `INSERT INTO cursors (name, seq, at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, at = excluded.at`, f.name, told, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("webclient: say how far changes of consent were followed: %w", err)
	}
	f.written, f.renewed = told, now
	return nil
}

// leaveConsent says that this process has ended. Sessions that were cut may wait at
// the XMPP server as it left them, so a change is not known to hold until another
// process has begun: it looks at all that wait.
func (s *Server) leaveConsent(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), consentGoing)
	defer cancel()
	if _, err := s.cfg.DB.ExecContext(ctx, `UPDATE cursors SET seq = $2, at = $3 WHERE name = $1`,
		s.consents.name, followerEnded, s.cfg.Now().UnixMilli()); err != nil {
		s.cfg.Log.WarnContext(ctx, "changes of consent wait for this process until it is forgotten", "error", err)
	}
}

// othersTold waits until every other process has told its watcher of the change
// seq, or limit is over. The truth is that it does not know of a process that has
// not been able to write for followerGone.
func (s *Server) othersTold(ctx context.Context, seq int64, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	glance := time.NewTicker(consentGlance)
	defer glance.Stop()
	for {
		var behind int
		err := s.cfg.DB.QueryRowContext(ctx, `SELECT count(*) FROM cursors
			WHERE name >= $1 AND name < $2 AND name <> $3 AND seq < $4 AND at > $5`,
			followerPrefix, followerEnd, s.consents.name, seq, s.cfg.Now().Add(-followerGone).UnixMilli()).Scan(&behind)
		if err == nil && behind == 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-glance.C:
		}
	}
}
