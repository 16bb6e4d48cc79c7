package mastodon

import (
	"errors"
	"fmt"
	"time"
)

// The kinds of failure. Every error of this package that comes from talking to the
// instance is one of these under errors.Is, a *RateLimitError, or the caller's own
// context error.
var (
	// ErrDown: the instance cannot be reached or answers 5xx. Try again later.
	ErrDown = errors.New("the instance cannot be reached")
	// ErrNotMastodon: something answers, but not Mastodon's API: HTML or other
	// garbage where JSON belongs, a redirect or link to another origin, an answer
	// beyond all bounds.
	ErrNotMastodon = errors.New("the answer is not one of Mastodon's API")
	// ErrRateLimited is what every *RateLimitError is.
	ErrRateLimited = errors.New("the instance asks to slow down")
	// ErrTokenInvalid: the access token is revoked, unknown or expired (401). Some
	// servers also say this of a disabled account. Signing in again is the way on.
	ErrTokenInvalid = errors.New("the access token is no longer valid")
	// ErrAccountDisabled: the token is good, the person may not use it (403).
	// Mastodon says the same of disabled, suspended, moved and memorial accounts;
	// Client.Explain tells some of them apart.
	ErrAccountDisabled = errors.New("the account is disabled")
	// ErrAccountSuspended: the account is suspended.
	ErrAccountSuspended = errors.New("the account is suspended")
	// ErrAccountMoved: the account has moved to another one.
	ErrAccountMoved = errors.New("the account has moved")
	// ErrUnconfirmed: the e-mail address is not confirmed, or the account still
	// waits for approval.
	ErrUnconfirmed = errors.New("the account is not confirmed yet")
	// ErrScope: the instance granted less than was asked for, or the token does not
	// cover the call.
	ErrScope = errors.New("a needed permission was not granted")
	// ErrInvalidGrant: the authorisation code is unknown, used, too old, or does not
	// fit the verifier or the redirect URI. Start the login again.
	ErrInvalidGrant = errors.New("the authorisation code is not valid")
	// ErrBadClient: the instance does not know our app or its secret (any more).
	// Register again.
	ErrBadClient = errors.New("the instance does not accept our app registration")
	// ErrClosed: the instance shows this to people who are signed in only (limited
	// federation and the like). It says nothing of whom was asked about.
	ErrClosed = errors.New("the instance answers people who are signed in only")
	// ErrNotFound: no such account or page (404).
	ErrNotFound = errors.New("not found")
	// ErrRefused: the instance refuses the request in another way (4xx).
	ErrRefused = errors.New("the instance refused the request")
	// ErrBadCursor: the cursor given to Following is not one that it gave out.
	ErrBadCursor = errors.New("not a cursor of ours")
)

// Error is what a failed call returns: which call, what kind, and what was seen.
type Error struct {
	Op     string // the call, for example "verify credentials"
	Kind   error  // one of the Err… variables, or a context error
	Status int    // HTTP status, 0 where there was none
	Code   string // the OAuth error code, where one was given
	Detail string // what was said or seen, bounded, printable and without secrets

	cause error
}

func (e *Error) Error() string {
	s := "mastodon: " + e.Op + ": " + e.Kind.Error()
	if e.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap makes errors.Is find the kind, and a context error beneath it.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// RateLimitError is a 429 (errors.Is ErrRateLimited).
type RateLimitError struct {
	Op   string
	Wait time.Duration // from now until it makes sense to try again, ≥ 1 s
}

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("mastodon: %s: %v, for %v", e.Op, ErrRateLimited, e.Wait)
}

// Unwrap makes errors.Is find ErrRateLimited.
func (e *RateLimitError) Unwrap() error { return ErrRateLimited }

// RetryAfter is the time to wait before trying again, at least a second.
func (e *RateLimitError) RetryAfter() time.Duration { return e.Wait }
