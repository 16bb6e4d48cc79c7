package webclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	hookTasks              = watchMost
	accountUpdated         = "account.updated"
	hookDone, hookIgnored  = "done", "ignored"
	hookForged, hookStrain = "forged", "refused"
)

// mastodonHook is POST /hooks/mastodon: Mastodon tells that an account has changed.
// Only what it signs is read. That somebody is not welcome any more is acted upon
// before the answer; that somebody is, is a reason to ask, and never more.
func (s *Server) mastodonHook(w http.ResponseWriter, r *http.Request) error {
	if len(s.cfg.WebhookSecret) == 0 {
		return errNotFound
	}
	raw, err := s.signedHook(r)
	if err != nil {
		return err
	}
	event, err := parseHook(raw)
	if err != nil {
		return badRequest("This is not a webhook of Mastodon's.")
	}
	outcome, err := s.hear(r.Context(), event)
	if err != nil {
		return err
	}
	s.metrics.hooks.WithLabelValues(outcome).Inc()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// hookEvent is what a webhook tells of an account (Mastodon's Admin::Account).
type hookEvent struct {
	event    string
	at       time.Time // zero where it does not say
	account  string
	username string // lower case
	local    bool
	standing string
	enabled  bool // it says that the login is not frozen
}

// parseHook reads a webhook. Of events about other things only the name is read.
func parseHook(raw []byte) (hookEvent, error) {
	var body struct {
		Event     string          `json:"event"`
		CreatedAt string          `json:"created_at"`
		Object    json.RawMessage `json:"object"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return hookEvent{}, fmt.Errorf("webclient: webhook: %w", err)
	}
	e := hookEvent{event: body.Event}
	if body.Event != accountUpdated {
		return e, nil
	}
	var o struct {
		ID        string  `json:"id"`
		Username  string  `json:"username"`
		Domain    *string `json:"domain"`
		Suspended bool    `json:"suspended"`
		Disabled  *bool   `json:"disabled"` // the next three are null when the user is gone
		Confirmed *bool   `json:"confirmed"`
		Approved  *bool   `json:"approved"`
		Account   struct {
			Moved    json.RawMessage `json:"moved"`
			Memorial bool            `json:"memorial"`
		} `json:"account"`
	}
	if err := json.Unmarshal(body.Object, &o); err != nil {
		return hookEvent{}, fmt.Errorf("webclient: webhook: %w", err)
	}
	if at, err := time.Parse(time.RFC3339Nano, body.CreatedAt); err == nil {
		e.at = at
	}
	e.account, e.username, e.local = o.ID, strings.ToLower(o.Username), o.Domain == nil
	e.enabled = o.Disabled != nil && !*o.Disabled
	moved := len(o.Account.Moved) > 0 && string(o.Account.Moved) != "null"
	switch {
	case o.Suspended && o.Confirmed == nil:
		e.standing = standingDeleted
	case o.Suspended:
		e.standing = standingSuspended
	case o.Disabled != nil && *o.Disabled, o.Account.Memorial:
		e.standing = standingDisabled
	case moved:
		e.standing = standingMoved
	case o.Confirmed != nil && !*o.Confirmed, o.Approved != nil && !*o.Approved:
		e.standing = standingUnconfirmed
	default:
		e.standing = standingGood
	}
	return e, nil
}

// hear acts on a webhook and tells what it was to us. The account's id is what
// counts: names change, and bad news must not be lost for that.
func (s *Server) hear(ctx context.Context, e hookEvent) (outcome string, err error) {
	if e.event != accountUpdated || !e.local || e.account == "" {
		return hookIgnored, nil
	}
	var username string
	err = s.cfg.DB.QueryRowContext(ctx, `SELECT username FROM accounts WHERE id = $1`, e.account).Scan(&username)
	known := err == nil
	switch {
	case err != nil && !noRow(err):
		return "", fmt.Errorf("webclient: webhook: %w", err)
	case e.standing == standingGood && !known:
		return hookIgnored, nil
	case e.standing == standingGood:
		return s.hearGood(ctx, e)
	}
	outcome = hookIgnored
	if known {
		outcome, err = hookDone, s.hearBad(ctx, e)
	} else {
		err = nil
	}
	if err == nil && username != e.username && s.cfg.OnUnknownBad != nil && localName.MatchString(e.username) {
		outcome, err = hookDone, s.cfg.OnUnknownBad(ctx, e.username, standingCodes[e.standing])
	}
	return outcome, err
}

// hearGood asks Mastodon about somebody whom we refuse, or have not asked about for
// some minutes.
func (s *Server) hearGood(ctx context.Context, e hookEvent) (outcome string, err error) {
	st, err := s.readStanding(ctx, e.account)
	if err != nil {
		return "", err
	}
	if s.known(st, question{age: s.pace.standingCheck}) {
		return hookIgnored, nil
	}
	s.hooked.add(e.account, hookTask{at: s.cfg.Now(), enabled: e.enabled, again: true})
	wake(s.wakeStanding)
	return hookDone, nil
}

// hearBad cuts somebody off, and asks Mastodon a little later: it may have changed
// its mind, or the webhook may have been on its way for long or be an old one that
// somebody sends again. One from before Mastodon's last yes only leads to asking,
// unless it tells of something that asking might not show. It waits for no question
// that is under way: what that brings is older, and is not believed then.
func (s *Server) hearBad(ctx context.Context, e hookEvent) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	st, err := s.readStanding(ctx, e.account)
	if err != nil {
		return err
	}
	if e.standing != standingDisabled && !e.at.IsZero() && e.at.Before(st.at) {
		s.hooked.add(e.account, hookTask{at: s.cfg.Now(), enabled: e.enabled})
		wake(s.wakeStanding)
		return nil
	}
	s.hooked.add(e.account, hookTask{at: s.cfg.Now().Add(s.pace.standingHold), enabled: e.enabled})
	_, err = s.settleStanding(ctx, e.account, said{standing: e.standing, by: byWebhook})
	return err
}

// hookTask is a question that a webhook asked for.
type hookTask struct {
	at      time.Time // not before
	enabled bool      // see question
	again   bool      // once more after a while, if the answer is no
}

// hooked is what webhooks want to be asked. It is kept in memory: whom it would be
// about is asked about anyway, only later. Any goroutine may call its methods.
type hooked struct {
	mu    sync.Mutex
	tasks map[string]hookTask
}

// add puts a task in the place of the account's earlier one.
func (h *hooked) add(account string, task hookTask) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tasks == nil {
		h.tasks = map[string]hookTask{}
	}
	if _, known := h.tasks[account]; known || len(h.tasks) < hookTasks {
		h.tasks[account] = task
	}
}

// has tells whether a task waits for the account.
func (h *hooked) has(account string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, waits := h.tasks[account]
	return waits
}

// take removes and returns the tasks whose time has come.
func (h *hooked) take(now time.Time) map[string]hookTask {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]hookTask{}
	for account, task := range h.tasks {
		if !task.at.After(now) {
			out[account] = task
			delete(h.tasks, account)
		}
	}
	return out
}
