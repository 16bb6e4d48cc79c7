package webclient

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// The codes that a login can end with. They appear in the callback page, in
// #trunkline-error= and, for the account_ ones, in API errors.
const (
	codeDenied      = "denied"
	codeExpired     = "expired"
	codeUsed        = "used"
	codeMismatch    = "state_mismatch"
	codeDisabled    = "account_disabled"
	codeSuspended   = "account_suspended"
	codeMoved       = "account_moved"
	codeUnconfirmed = "account_unconfirmed"
	codeDeleted     = "account_deleted"
	codeBlocked     = "account_blocked"
	codeDown        = "mastodon_down"
	codeInvalid     = "mastodon_invalid"
	codeBusy        = "mastodon_busy"
	codeNameTaken   = "name_taken"
	codePopup       = "popup_needed"
	codeInternal    = "internal"
)

// loginOutcome is what a code means to a person and to the log.
type loginOutcome struct {
	message string
	level   slog.Level
}

// loginOutcomes has one plain sentence, with a way on, for each code.
var loginOutcomes = map[string]loginOutcome{
	codeDenied:      {"You did not allow access, so nothing was changed. Sign in again if you want to chat.", slog.LevelInfo},
	codeExpired:     {"This sign-in took longer than ten minutes. Start again.", slog.LevelInfo},
	codeUsed:        {"This sign-in was already finished. If you are not signed in, start again.", slog.LevelInfo},
	codeMismatch:    {"This sign-in was not started in this browser. Start again here.", slog.LevelWarn},
	codeDisabled:    {"Your account is disabled on the server, so you cannot chat. Ask the people who run it.", slog.LevelInfo},
	codeSuspended:   {"Your account is suspended on the server, so you cannot chat. Ask the people who run it.", slog.LevelInfo},
	codeMoved:       {"Your account has moved. Sign in with the account you moved to, on its own server.", slog.LevelInfo},
	codeUnconfirmed: {"Your account is not confirmed yet. Confirm your e-mail address or wait for approval, then sign in again.", slog.LevelInfo},
	codeDeleted:     {"Your account no longer exists on the server, so you cannot chat.", slog.LevelInfo},
	codeBlocked:     {"The people who run the chat have blocked your account here. Ask them if you think that is wrong.", slog.LevelInfo},
	codeDown:        {"The Mastodon server does not answer at the moment. Try again in a few minutes.", slog.LevelWarn},
	codeInvalid:     {"The Mastodon server gave an answer that could not be understood. Try again; if it stays so, tell the people who run it.", slog.LevelError},
	codeBusy:        {"Too many people are signing in right now. Wait a minute, then try again.", slog.LevelWarn},
	codeNameTaken:   {"Your chat address belongs to an earlier account with your name. Ask the people who run the server to hand it over.", slog.LevelError},
	codePopup:       {"Your browser blocked the sign-in window. Allow pop-up windows for this page, then try again.", slog.LevelInfo},
	codeInternal:    {"Something went wrong on the chat server. Try again; if it stays so, tell the people who run it.", slog.LevelError},
}

// loginError is a login that ended with a code. The wrapped error is for the log.
type loginError struct {
	code string
	err  error
}

func (e *loginError) Error() string {
	if e.err == nil {
		return "webclient: login: " + e.code
	}
	return "webclient: login: " + e.code + ": " + e.err.Error()
}

func (e *loginError) Unwrap() error { return e.err }

func failed(code string, err error) *loginError { return &loginError{code: code, err: err} }

// loginCode is the code that an error from Mastodon or from us ends a login with.
func loginCode(err error) string {
	var known *loginError
	switch {
	case errors.As(err, &known):
		return known.code
	case errors.Is(err, mastodon.ErrAccountSuspended):
		return codeSuspended
	case errors.Is(err, mastodon.ErrAccountMoved):
		return codeMoved
	case errors.Is(err, mastodon.ErrUnconfirmed):
		return codeUnconfirmed
	case errors.Is(err, mastodon.ErrAccountDisabled):
		return codeDisabled
	case errors.Is(err, mastodon.ErrInvalidGrant):
		return codeExpired
	case errors.Is(err, mastodon.ErrRateLimited):
		return codeBusy
	case errors.Is(err, mastodon.ErrDown):
		return codeDown
	case errors.Is(err, mastodon.ErrNotMastodon), errors.Is(err, mastodon.ErrBadClient),
		errors.Is(err, mastodon.ErrScope), errors.Is(err, mastodon.ErrRefused), errors.Is(err, mastodon.ErrNotFound):
		return codeInvalid
	default:
		return codeInternal
	}
}

// apiError is an error as the API tells it: {"error": code, "message": message}.
type apiError struct {
	status     int
	code       string
	message    string
	retryAfter time.Duration // 0 is not told
	err        error         // for the log; nil is not logged
}

func (e *apiError) Error() string {
	if e.err == nil {
		return "webclient: " + e.code
	}
	return "webclient: " + e.code + ": " + e.err.Error()
}

func (e *apiError) Unwrap() error { return e.err }

var (
	errSignedOut   = &apiError{status: http.StatusUnauthorized, code: "signed_out", message: "You are signed out. Sign in to chat."}
	errLoginAgain  = &apiError{status: http.StatusUnauthorized, code: "login_again", message: "Your Mastodon server asks you to sign in again."}
	errNotFound    = &apiError{status: http.StatusNotFound, code: "not_found", message: "There is nothing here."}
	errCrossOrigin = &apiError{status: http.StatusForbidden, code: "cross_origin", message: "This is only answered to the chat's own pages."}
	errTooLarge    = &apiError{status: http.StatusRequestEntityTooLarge, code: "too_large", message: "That is too much at once."}
	errNotJSON     = &apiError{status: http.StatusUnsupportedMediaType, code: "not_json", message: "The request must be JSON."}
	errMethod      = &apiError{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "This cannot be done here."}
	errHandoff     = &apiError{status: http.StatusForbidden, code: "handoff_invalid", message: "This sign-in was already taken over or is too old. Sign in again."}
)

func badRequest(message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "bad_request", message: message}
}

// asAPIError maps any error to what the API tells of it.
func asAPIError(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return &apiError{status: http.StatusServiceUnavailable, code: "unavailable", retryAfter: 5 * time.Second, err: err,
		message: "The chat server cannot do this at the moment. Try again soon."}
}

// mastodonAPIError maps an error of a Mastodon call made for the API.
func mastodonAPIError(err error) *apiError {
	var limited interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &limited):
		return &apiError{status: http.StatusTooManyRequests, code: codeBusy, retryAfter: limited.RetryAfter(),
			message: "Your Mastodon server asks to slow down. It goes on by itself in a moment."}
	case errors.Is(err, mastodon.ErrTokenInvalid), errors.Is(err, mastodon.ErrScope):
		return errLoginAgain
	case errors.Is(err, mastodon.ErrDown):
		return &apiError{status: http.StatusBadGateway, code: codeDown, message: loginOutcomes[codeDown].message, err: err}
	case errors.Is(err, mastodon.ErrNotMastodon), errors.Is(err, mastodon.ErrRefused), errors.Is(err, mastodon.ErrNotFound):
		return &apiError{status: http.StatusBadGateway, code: codeInvalid, message: loginOutcomes[codeInvalid].message, err: err}
	default:
		return asAPIError(err)
	}
}
