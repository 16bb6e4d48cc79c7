package tokens

import (
	"context"
	"errors"
	"time"
)

// Services that a device password can be for.
const (
	ServiceXMPP = "xmpp"
	ServiceSIP  = "sip"
)

// MaxDevices is how many live device passwords one account can have.
const MaxDevices = 50

var (
	// ErrBadName means that the name of a device is empty, longer than 60
	// characters, or has control characters in it.
	ErrBadName = errors.New("tokens: a device's name has 1 to 60 characters and no control characters")
	// ErrBadService means that the service is none, or is not offered here.
	ErrBadService = errors.New("tokens: no such service")
	// ErrTooManyDevices means that the account has MaxDevices live ones already.
	ErrTooManyDevices = errors.New("tokens: too many device passwords; revoke one first")
	// ErrBlocked means that this server's admin suspended the account.
	ErrBlocked = errors.New("tokens: the account is blocked by the admin")
)

// Device is one device password without its secret. AuthName is the name that a
// SIP phone logs in with, "" for chat apps. Times that did not happen are zero.
type Device struct {
	ID, Account, Name, Service, AuthName string
	Created, LastUsed, Revoked           time.Time
	LastUsedFrom, LastUsedBy             string
}

// IssueDevice makes a device password. It returns the secret, which is told only
// here. Errors: ErrBadName, ErrBadService, ErrTooManyDevices, ErrUnknownAccount,
// ErrSuspended, ErrBlocked, *RateLimitError, or what the database says.
func (s *Service) IssueDevice(ctx context.Context, account, service, name string) (Device, string, error) {
	return Device{}, "", errNotYet
}

// Devices lists the account's live device passwords, newest first.
func (s *Service) Devices(ctx context.Context, account string) ([]Device, error) {
	return nil, errNotYet
}

// RevokeDevice kills one device password of this account. found is false when
// it has no live one with this id.
func (s *Service) RevokeDevice(ctx context.Context, account, id, reason string) (found bool, err error) {
	return false, errNotYet
}

var errNotYet = errors.New("tokens: not built yet")
