package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ConsentTextVersion is the newest version of the texts that the panel shows when
// it asks for consent: the first, and the third which is that of servers where
// others can find out more (see Config.Discoverable). The second said there that
// only former and present contacts can. Raise it together with the panel's
// consentTextVersion.
const ConsentTextVersion = 3

const watcherLimit = time.Minute // for reading consent and waiting for the watcher's turn

// Whom presence is shown to.
const (
	presenceNobody   = "nobody"
	presenceContacts = "contacts"
)

type consentJSON struct {
	Decided     bool    `json:"decided"`
	Presence    string  `json:"presence"`
	Typing      bool    `json:"typing"`
	Receipts    bool    `json:"receipts"`
	TextVersion int     `json:"text_version"`
	ChangedAt   *string `json:"changed_at"` // RFC 3339

	Discoverable bool `json:"discoverable"` // see Config

	// Pending says, in the answer to a change, that it is kept but that not every
	// live stream is known to obey yet.
	Pending bool `json:"pending,omitempty"`
}

// Consent is what account agreed to show; nothing, for somebody who was never
// asked. It is what the gateway enforces.
func (s *Server) Consent(ctx context.Context, account string) (presence, typing, receipts bool, err error) {
	c, err := s.consent(ctx, account)
	return c.Presence == presenceContacts, c.Typing, c.Receipts, err
}

func (s *Server) consent(ctx context.Context, account string) (consentJSON, error) {
	none := consentJSON{Presence: presenceNobody, Discoverable: s.cfg.Discoverable}
	c := consentJSON{Decided: true, Discoverable: s.cfg.Discoverable}
	var changed int64
	err := s.cfg.DB.Find(ctx, `SELECT presence, typing, receipts, text_version, changed_at
		FROM consents WHERE account_id = $1`, account).
		Scan(&c.Presence, &c.Typing, &c.Receipts, &c.TextVersion, &changed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("webclient: consent: %w", err)
	}
	at := time.UnixMilli(changed).UTC().Format(time.RFC3339)
	c.ChangedAt = &at
	return c, nil
}

// showConsent is GET /api/v1/consent.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, l login) error {
	c, err := s.consent(r.Context(), l.account)
	if err != nil {
		return err
	}
	s.answer(w, r, http.StatusOK, c)
	return nil
}

// changeConsent is PUT /api/v1/consent. It answers when the live streams of every
// process know, or after some seconds, with pending: the change is kept in any case.
func (s *Server) changeConsent(w http.ResponseWriter, r *http.Request, l login) error {
	var body struct {
		Presence    *string `json:"presence"`
		Typing      *bool   `json:"typing"`
		Receipts    *bool   `json:"receipts"`
		TextVersion *int    `json:"text_version"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	switch {
	case body.Presence == nil || body.Typing == nil || body.Receipts == nil || body.TextVersion == nil:
		return badRequest("presence, typing, receipts and text_version belong into the request, each of them.")
	case *body.Presence != presenceNobody && *body.Presence != presenceContacts:
		return badRequest(`presence is "nobody" or "contacts".`)
	case *body.TextVersion < 1 || *body.TextVersion > ConsentTextVersion:
		return badRequest("text_version is not a version of our texts.")
	}
	c := consentJSON{Presence: *body.Presence, Typing: *body.Typing, Receipts: *body.Receipts, TextVersion: *body.TextVersion}
	seq, err := s.storeConsent(r.Context(), l.account, c)
	if err != nil {
		return err
	}
	s.cfg.Log.InfoContext(r.Context(), "consent changed", "account", l.account, "presence", c.Presence,
		"typing", c.Typing, "receipts", c.Receipts, "text_version", c.TextVersion)
	pending := !s.tellAll(r.Context(), l.account, seq)
	if c, err = s.consent(r.Context(), l.account); err != nil {
		return err
	}
	c.Pending = pending
	s.answer(w, r, http.StatusOK, c)
	return nil
}

// storeConsent keeps the change together with its history, which is what the
// processes follow, and returns its place there.
func (s *Server) storeConsent(ctx context.Context, account string, c consentJSON) (seq int64, err error) {
	args := []any{account, c.Presence, c.Typing, c.Receipts, c.TextVersion, s.now()}
	err = s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		if err := s.cfg.DB.Serialize(ctx, tx, consentTurn); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO consents (account_id, presence, typing, receipts, text_version, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id) DO UPDATE SET presence = excluded.presence,
			typing = excluded.typing, receipts = excluded.receipts, text_version = excluded.text_version,
			changed_at = excluded.changed_at`, args...)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `INSERT INTO consent_changes
			(account_id, presence, typing, receipts, text_version, changed_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq`,
			args...).Scan(&seq)
		if err != nil {
			return err
		}
		return s.cfg.DB.Notify(ctx, tx, consentChannel)
	})
	if err != nil {
		return 0, fmt.Errorf("webclient: consent: %w", err)
	}
	return seq, nil
}

// tellAll tells the watcher here, so that nothing depends on the feed where the
// change was made, and waits until the other processes have told theirs. It
// reports whether all have, within a few seconds.
func (s *Server) tellAll(ctx context.Context, account string, seq int64) bool {
	if s.cfg.ConsentChanged == nil {
		return true
	}
	here := s.tellWatcher(account)
	if !s.othersTold(ctx, seq, s.pace.watcherWait) {
		s.cfg.Log.WarnContext(ctx, "other nodes take long to follow a change of consent", "account", account)
		return false
	}
	return here
}

// tellWatcher tells the watcher and waits for it a few seconds. The change is
// committed by then; nothing that the watcher does can undo it. It reports whether
// the watcher knows.
func (s *Server) tellWatcher(account string) bool {
	if !s.watchers.TryAcquire(1) { // Run has ended
		return s.callWatcher(account)
	}
	told := make(chan bool, 1)
	go func() {
		defer s.watchers.Release(1)
		told <- s.callWatcher(account)
	}()
	timer := time.NewTimer(s.pace.watcherWait)
	defer timer.Stop()
	select {
	case ok := <-told:
		return ok
	case <-timer.C:
		s.cfg.Log.Error("live streams take long to follow a change of consent", "account", account)
		return false
	}
}

// callWatcher tells what holds now, not what held when the change came in: of two
// changes at once the watcher hears the later one last, however they are scheduled.
// It reports whether the watcher heard what holds.
func (s *Server) callWatcher(account string) (told bool) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("telling live streams of a change of consent failed", "account", account, "panic", fmt.Sprint(p))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), watcherLimit)
	defer cancel()
	release, err := s.consentTurns.take(ctx, account)
	if err != nil {
		s.cfg.Log.Error("telling live streams of a change of consent failed", "account", account, "error", err)
		return false
	}
	defer release()
	presence, typing, receipts, err := s.Consent(ctx, account)
	if err != nil {
		// What cannot be read is not shown.
		s.cfg.Log.Error("reading consent failed; live streams show nothing", "account", account, "error", err)
		presence, typing, receipts = false, false, false
	}
	s.cfg.ConsentChanged(account, presence, typing, receipts)
	return err == nil
}
