package tokens

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Attempt is one question whether a secret is right.
type Attempt struct {
	Service  string // ServiceXMPP or ServiceSIP
	Username string // the JID's localpart; for SIP the device's auth name does too
	Secret   string
	Front    string // short name of who asks
	From     string // the person's address as text, or ""
}

// Verdict is the answer. Account, Session and Credential are known when the
// secret is, whatever the answer.
type Verdict struct {
	OK                           bool
	Account, Session, Credential string
	Purpose                      string // "temporary", "internal", "device"
	Reason                       string // one of the words below
}

// Reasons of a Verdict. What Mastodon says of an account is a reason in the word
// of the column accounts.standing, "suspended" if there is none.
const (
	ReasonOK            = "ok"
	ReasonUnknownSecret = "unknown_secret"
	ReasonWrongUser     = "wrong_user"
	ReasonWrongService  = "wrong_service"
	ReasonRevoked       = "revoked"
	ReasonExpired       = "expired"
	ReasonBlocked       = "blocked"
	ReasonUntrusted     = "untrusted" // comes with ErrStandingUnknown
	ReasonSuspended     = "suspended"
	ReasonDisabled      = "disabled"
	ReasonMoved         = "moved"
	ReasonDeleted       = "deleted"
	ReasonUnconfirmed   = "unconfirmed"
)

// Check says whether the secret is this person's password now, and why not. The
// first success starts a temporary credential's last AfterUse. A device's is
// refused while Mastodon or the admin refuses the account, and works again
// afterwards; if Mastodon has not been heard of for longer than the grace it is
// asked now, and if it cannot say either, the error wraps ErrStandingUnknown.
// An error means that it cannot be told now; it is never a "no".
func (s *Service) Check(ctx context.Context, a Attempt) (Verdict, error) {
	// Whoever loses the race for the first use finds it used at the second look.
	for range 2 {
		c, v, err := s.look(ctx, a)
		switch {
		case err != nil:
			return Verdict{}, err
		case c != nil && c.purpose == purposeDevice:
			return s.checkDevice(ctx, a, c, v)
		case !v.OK || c.firstUsed.Valid:
			return v, nil
		}
		first, err := s.markUsed(ctx, c.id)
		if err != nil {
			return Verdict{}, err
		}
		if first {
			s.log.DebugContext(ctx, "credential used", "credential", c.id, "account", c.account, "front", a.Front)
			return v, nil
		}
	}
	return Verdict{Reason: ReasonExpired}, nil // it died between the two looks
}

// checkDevice goes on with a device's verdict: is what we know of the account
// fresh enough?
func (s *Service) checkDevice(ctx context.Context, a Attempt, c *credential, v Verdict) (Verdict, error) {
	now := s.now()
	if v.OK && now.UnixMilli() >= c.trustedUntil {
		asked := s.rechecks.ask(ctx, c.account, now)
		var err error
		if c, v, err = s.look(ctx, a); err != nil {
			return Verdict{}, err
		}
		if v.OK && s.now().UnixMilli() >= c.trustedUntil {
			v.OK, v.Reason = false, ReasonUntrusted
			return v, standingUnknown(asked)
		}
	} else if mastodonsWord(v) && now.Sub(fromMilli(c.standingAt)) > standingStale {
		s.rechecks.later(c.account, now)
	}
	if v.OK {
		s.uses.note(c, a, now)
	}
	return v, nil
}

// mastodonsWord says whether the verdict hangs on what Mastodon said last.
func mastodonsWord(v Verdict) bool {
	switch v.Reason {
	case ReasonWrongUser, ReasonWrongService, ReasonRevoked, ReasonExpired, ReasonBlocked:
		return false
	}
	return true
}

// credential is a row, whatever became of it.
type credential struct {
	id, account, session, purpose, service, authName, owner, standing string

	hash                                  []byte
	standingAt, trustedUntil              int64
	expires, firstUsed, lastUsed, revoked sql.NullInt64
	suspended, blocked                    sql.NullInt64
}

// look finds the credential and judges it. It is nil if there is none.
func (s *Service) look(ctx context.Context, a Attempt) (*credential, Verdict, error) {
	purpose, spelt, err := parseSecret(a.Secret)
	if err != nil || !usable(a.Username) {
		return nil, Verdict{Reason: ReasonUnknownSecret}, nil
	}
	if a.Service != ServiceXMPP && a.Secret != spelt { // a digest knows one spelling
		return nil, Verdict{Reason: ReasonUnknownSecret}, nil
	}
	c, err := s.find(ctx, s.hash(spelt))
	switch {
	case err != nil:
		return nil, Verdict{}, err
	case c == nil || c.purpose != purpose:
		return nil, Verdict{Reason: ReasonUnknownSecret}, nil
	}
	v := Verdict{Account: c.account, Session: c.session, Credential: c.id, Purpose: c.purpose}
	v.Reason = c.judge(a, s.now())
	v.OK = v.Reason == ReasonOK
	return c, v, nil
}

// find returns the row with this hash, or nil.
func (s *Service) find(ctx context.Context, hash []byte) (*credential, error) {
	var c credential
	err := s.row(ctx, nil, `SELECT c.id, c.account_id, c.session_id, c.purpose, c.service, coalesce(c.auth_name, ''),
			c.hash, c.expires_at, c.first_used_at, c.last_used_at, c.revoked_at,
			a.username, a.suspended_at, a.blocked_at, a.standing, a.standing_at, a.trusted_until
		FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE c.hash = $1`, hash).
		Scan(&c.id, &c.account, &c.session, &c.purpose, &c.service, &c.authName,
			&c.hash, &c.expires, &c.firstUsed, &c.lastUsed, &c.revoked,
			&c.owner, &c.suspended, &c.blocked, &c.standing, &c.standingAt, &c.trustedUntil)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("tokens: read credential: %w", err)
	case subtle.ConstantTimeCompare(c.hash, hash) != 1:
		return nil, nil
	}
	return &c, nil
}

// judge is the reason of the verdict; how fresh the account's state is, is
// another question. An internal credential works for a refused account too: its
// streams must end.
func (c *credential) judge(a Attempt, now time.Time) string {
	name := []byte(strings.ToLower(a.Username))
	mine := subtle.ConstantTimeCompare([]byte(c.owner), name)
	if c.service == ServiceSIP {
		mine |= subtle.ConstantTimeCompare([]byte(c.authName), name)
	}
	internal := c.purpose == purposeInternal
	switch {
	case mine != 1:
		return ReasonWrongUser
	case c.service != a.Service:
		return ReasonWrongService
	case c.revoked.Valid:
		return ReasonRevoked
	case c.expires.Valid && now.UnixMilli() >= c.expires.Int64:
		return ReasonExpired
	case c.blocked.Valid && !internal:
		return ReasonBlocked
	case c.suspended.Valid && !internal && c.standing == "good":
		return ReasonSuspended
	case c.suspended.Valid && !internal:
		return c.standing
	}
	return ReasonOK
}
