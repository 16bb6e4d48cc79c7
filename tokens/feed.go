package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Revocation is one entry of the feed of what ended.
type Revocation struct {
	Seq               int64
	Kind, Subject     string // "credential", "session" or "account", and its id
	Account, Username string // "" where not known
	Purpose           string // of a credential
	Reason            string
	At                time.Time
}

// feedPage is how many entries are read at once.
const feedPage = 500

// Feed returns up to limit entries after the one numbered after, oldest first,
// and the number to ask after next time. after < 0 asks for the present end of
// the feed alone. Entries are kept for a day. A number that the feed has not
// reached is from another database: everything is told again.
func (s *Service) Feed(ctx context.Context, after int64, limit int) (ended []Revocation, last int64, err error) {
	if after < 0 {
		last, err = s.feedEnd(ctx)
		return nil, last, err
	}
	limit = max(1, min(limit, feedPage))
	page, err := s.page(ctx, after, limit)
	if err != nil {
		return nil, after, err
	}
	if len(page) == 0 && after > 0 {
		end, err := s.feedEnd(ctx)
		if err != nil || end == 0 || end >= after {
			return nil, after, err
		}
		if page, err = s.page(ctx, 0, limit); err != nil || len(page) == 0 {
			return nil, after, err
		}
	}
	if len(page) == 0 {
		return nil, after, nil
	}
	return page, page[len(page)-1].Seq, nil
}

// feedEnd is the number of the newest entry, 0 if there is none.
func (s *Service) feedEnd(ctx context.Context) (last int64, err error) {
	if err := s.row(ctx, nil, `SELECT coalesce(max(seq), 0) FROM revocations`).Scan(&last); err != nil {
		return 0, fmt.Errorf("tokens: read revocations: %w", err)
	}
	return last, nil
}

// page reads the feed. Writers are serialised (sqldb.Serialize), so a smaller
// seq never appears after a greater one was seen.
func (s *Service) page(ctx context.Context, after int64, limit int) (page []Revocation, err error) {
	stmt, err := s.db.Prepared(ctx, `SELECT seq, kind, subject, account_id, username, purpose, reason, at
		FROM revocations WHERE seq > $1 ORDER BY seq LIMIT $2`)
	if err != nil {
		return nil, fmt.Errorf("tokens: read revocations: %w", err)
	}
	rows, err := stmt.QueryContext(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("tokens: read revocations: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Revocation
		var at int64
		if err := rows.Scan(&r.Seq, &r.Kind, &r.Subject, &r.Account, &r.Username, &r.Purpose, &r.Reason, &at); err != nil {
			return nil, fmt.Errorf("tokens: read revocations: %w", err)
		}
		r.At = fromMilli(at)
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("tokens: read revocations: %w", err)
	}
	return page, nil
}

// claimFor is how long a follower has the feed to itself after each entry it
// handled. A process that dies gives its place up after that.
const claimFor = 30 * time.Second

// errNotOurs means that another process took over.
var errNotOurs = errors.New("tokens: another process follows the feed now")

// ClaimFeed calls f for each entry that no follower of this name has handled
// yet, oldest first, and returns when there is none left. The place is kept in
// the database: it survives restarts, and of several processes only one calls f
// at a time, the others return at once. f's error ends it and comes back; that
// entry comes again the next time. f must return within 30 s: whoever takes
// longer, or dies in it, may see the same entry handled twice. A name that is
// new begins at the present end of the feed: its first call handles nothing.
func (s *Service) ClaimFeed(ctx context.Context, name string, f func(Revocation) error) error {
	last, begun, err := s.cursor(ctx, name)
	if err != nil {
		return err
	}
	if begun {
		if page, _, err := s.Feed(ctx, last, 1); err != nil || len(page) == 0 {
			return err // nothing new: nothing is written
		}
	}
	owner, err := s.claim(ctx, name)
	if err != nil || owner == 0 {
		return err
	}
	err = s.handle(ctx, name, owner, f)
	// The place is given up even when ctx ended in the middle of it.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), usesPatient)
	defer cancel()
	_, free := s.db.ExecContext(end, `UPDATE cursors SET at = 0 WHERE name = $1 AND seq = $2`, claimName(name), owner)
	if errors.Is(err, errNotOurs) {
		err = nil
	}
	if err == nil && free != nil {
		err = fmt.Errorf("tokens: give up the feed: %w", free)
	}
	return err
}

// handle goes through the feed entry by entry.
func (s *Service) handle(ctx context.Context, name string, owner int64, f func(Revocation) error) error {
	last, _, err := s.cursor(ctx, name)
	if err != nil {
		return err
	}
	for {
		page, _, err := s.Feed(ctx, last, feedPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(r); err != nil {
				return err
			}
			if err := s.advance(ctx, name, owner, r.Seq); err != nil {
				return err
			}
			last = r.Seq
		}
	}
}

// claimName is the row of cursors that says who follows: its seq is a number
// that only they know, its at when that ends.
func claimName(name string) string { return name + "/claim" }

// cursor is how far the follower has come.
func (s *Service) cursor(ctx context.Context, name string) (last int64, begun bool, err error) {
	err = s.row(ctx, nil, `SELECT seq FROM cursors WHERE name = $1`, name).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("tokens: read cursor: %w", err)
	}
	return last, true, nil
}

// claim takes the place if nobody has it; owner is 0 if somebody has.
func (s *Service) claim(ctx context.Context, name string) (owner int64, err error) {
	drawn, err := drawNumber(s.rand)
	if err != nil {
		return 0, err
	}
	now := s.now()
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		owner = 0
		if _, err := s.exec(ctx, tx, `INSERT INTO cursors (name, seq, at)
			VALUES ($1, (SELECT coalesce(max(seq), 0) FROM revocations), $2) ON CONFLICT (name) DO NOTHING`,
			name, now.UnixMilli()); err != nil {
			return err
		}
		n, err := s.exec(ctx, tx, `INSERT INTO cursors (name, seq, at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE cursors.at <= $4`,
			claimName(name), drawn, now.Add(claimFor).UnixMilli(), now.UnixMilli())
		if err == nil && n == 1 {
			owner = drawn
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("tokens: claim the feed: %w", err)
	}
	return owner, nil
}

// advance notes that the entry was handled and keeps the place for longer.
func (s *Service) advance(ctx context.Context, name string, owner, seq int64) error {
	now := s.now()
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE cursors SET at = $1 WHERE name = $2 AND seq = $3`,
			now.Add(claimFor).UnixMilli(), claimName(name), owner)
		switch {
		case err != nil:
			return err
		case n == 0:
			return errNotOurs
		}
		_, err = s.exec(ctx, tx, `UPDATE cursors SET seq = $1, at = $2 WHERE name = $3`, seq, now.UnixMilli(), name)
		return err
	})
	if err != nil && !errors.Is(err, errNotOurs) {
		return fmt.Errorf("tokens: note how far the feed was handled: %w", err)
	}
	return err
}
