package tokens

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Services that a device password can be for.
const (
	ServiceXMPP = "xmpp"
	ServiceSIP  = "sip"
)

const (
	// MaxDevices is how many live device passwords one account can have.
	MaxDevices = 50
	// MaxNameRunes is how long the name of a device can be.
	MaxNameRunes = 60
	// revokedKept is how long a revoked device password is still told of.
	revokedKept = 30 * 24 * time.Hour
	// standingFresh is how old Mastodon's word may be when a device password is
	// made.
	standingFresh = 5 * time.Minute
)

var (
	// ErrBadName means that the name of a device is empty, longer than
	// MaxNameRunes, or has control characters in it.
	ErrBadName = errors.New("tokens: a device's name has 1 to 60 characters and no control characters")
	// ErrBadService means that the service is none, or is not offered here.
	ErrBadService = errors.New("tokens: no such service")
	// ErrTooManyDevices means that the account has MaxDevices live ones already.
	ErrTooManyDevices = errors.New("tokens: too many device passwords; revoke one first")
	// ErrBlocked means that this server's admin suspended the account.
	ErrBlocked = errors.New("tokens: the account is blocked by the admin")
	// ErrStandingUnknown means that Mastodon cannot be asked now whether the
	// account is still welcome.
	ErrStandingUnknown = errors.New("tokens: it cannot be told now whether the account is still welcome at Mastodon")
)

// Device is one device password without its secret. AuthName is the name that a
// SIP phone logs in with, "" for chat apps. Times that did not happen are zero.
// LastUsed is known to some minutes; of SIP devices never, their server reads
// the database by itself.
type Device struct {
	ID, Account, Name, Service, AuthName string
	Created, LastUsed, Revoked           time.Time
	LastUsedFrom                         string // a network such as 203.0.113.0/24, or ""
	LastUsedBy                           string // the front that asked
}

// IssueDevice makes a device password. It returns the secret, which is told only
// here. The service is ServiceXMPP or, where Config.Realm is set, ServiceSIP.
// Mastodon's word on the account is asked anew if it is older than 5 minutes and
// Config.Recheck is there. Errors: ErrBadName, ErrBadService, ErrTooManyDevices,
// ErrUnknownAccount, ErrSuspended, ErrBlocked, ErrStandingUnknown,
// *RateLimitError, or what the database says.
func (s *Service) IssueDevice(ctx context.Context, account, service, name string) (Device, string, error) {
	name = strings.TrimSpace(name)
	switch {
	case !goodName(name):
		return Device{}, "", ErrBadName
	case service != ServiceXMPP && (service != ServiceSIP || s.realm == ""):
		return Device{}, "", ErrBadService
	}
	if _, wait := s.devices.take(account, s.now()); wait > 0 {
		return Device{}, "", &RateLimitError{wholeSeconds(wait)}
	}
	d := Device{Account: account, Name: name, Service: service}
	username, secret, err := s.issueDevice(ctx, &d)
	if err != nil {
		s.record("issue", username, account, "", "refused", err.Error())
		return Device{}, "", err
	}
	s.log.InfoContext(ctx, "device password issued", "credential", d.ID, "account", account, "service", service)
	s.record("issue", username, account, d.ID, "ok", service)
	return d, secret, nil
}

func (s *Service) issueDevice(ctx context.Context, d *Device) (username, secret string, err error) {
	if err := s.freshen(ctx, d.Account); err != nil {
		return "", "", err
	}
	if d.ID, err = newID(s.rand); err != nil {
		return "", "", err
	}
	if secret, err = newDeviceSecret(s.rand); err != nil {
		return "", "", err
	}
	d.Created = fromMilli(s.now().UnixMilli())
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		if username, err = s.entitled(ctx, tx, d.Account, "", purposeDevice); err != nil {
			return err
		}
		var live int
		err := s.row(ctx, tx, `SELECT count(*) FROM credentials
			WHERE account_id = $1 AND purpose = 'device' AND revoked_at IS NULL`, d.Account).Scan(&live)
		switch {
		case err != nil:
			return fmt.Errorf("tokens: count devices: %w", err)
		case live >= MaxDevices:
			return ErrTooManyDevices
		case d.Service == ServiceSIP:
			return s.storePhone(ctx, tx, d, username, secret)
		}
		_, err = s.storeDevice(ctx, tx, d, secret)
		return err
	})
	return username, secret, err
}

// storePhone stores the device under an auth name that nobody has, with what its
// SIP server needs.
func (s *Service) storePhone(ctx context.Context, tx *sql.Tx, d *Device, username, secret string) (err error) {
	for range 10 {
		if d.AuthName, err = newAuthName(s.rand, username); err != nil {
			return err
		}
		stored, err := s.storeDevice(ctx, tx, d, secret)
		if err != nil {
			return err
		}
		if !stored {
			continue
		}
		h := newDigests(d.AuthName, s.realm, secret)
		_, err = s.exec(ctx, tx, `INSERT INTO sip_digests
			(credential_id, realm, ha1, ha1b, ha1_sha256, ha1b_sha256) VALUES ($1, $2, $3, $4, $5, $6)`,
			d.ID, s.realm, h.ha1, h.ha1b, h.ha1SHA256, h.ha1bSHA256)
		if err != nil {
			return fmt.Errorf("tokens: store digests: %w", err)
		}
		return nil
	}
	return errors.New("tokens: no auth name is free")
}

// storeDevice stores the row; stored is false if the auth name is taken.
func (s *Service) storeDevice(ctx context.Context, tx *sql.Tx, d *Device, secret string) (stored bool, err error) {
	authName := sql.NullString{String: d.AuthName, Valid: d.AuthName != ""}
	n, err := s.exec(ctx, tx, `INSERT INTO credentials
		(id, account_id, purpose, service, name, hash, created_at, auth_name) VALUES ($1, $2, 'device', $3, $4, $5, $6, $7)
		ON CONFLICT (auth_name) DO NOTHING`,
		d.ID, d.Account, d.Service, d.Name, s.hash(secret), d.Created.UnixMilli(), authName)
	if err != nil {
		return false, fmt.Errorf("tokens: store device: %w", err)
	}
	return n == 1, nil
}

// goodName says whether people can read this name. Marks that turn the writing
// direction are refused: a name must not rearrange the line that it stands in.
func goodName(name string) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= MaxNameRunes &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
				('\u202a' <= r && r <= '\u202e') || ('\u2066' <= r && r <= '\u2069')
		})
}

// record tells Config.Recorder.
func (s *Service) record(op, username, account, credential, outcome, reason string) {
	if s.recorder != nil {
		s.recorder(op, username, account, credential, outcome, reason)
	}
}

// fromMilli is the time of a column; 0 is no time.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
