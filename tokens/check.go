package tokens

import "context"

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

// Reasons of a Verdict.
const (
	ReasonOK            = "ok"
	ReasonUnknownSecret = "unknown_secret"
	ReasonWrongUser     = "wrong_user"
	ReasonWrongService  = "wrong_service"
	ReasonRevoked       = "revoked"
	ReasonExpired       = "expired"
	ReasonBlocked       = "blocked"
	ReasonUntrusted     = "untrusted" // comes with an error
	ReasonSuspended     = "suspended"
	ReasonDisabled      = "disabled"
	ReasonMoved         = "moved"
	ReasonDeleted       = "deleted"
	ReasonUnconfirmed   = "unconfirmed"
)

// Check says whether the secret is this person's password now, and why not.
func (s *Service) Check(ctx context.Context, a Attempt) (Verdict, error) {
	ok, err := s.Verify(ctx, a.Username, a.Secret)
	if err != nil || !ok {
		return Verdict{Reason: ReasonUnknownSecret}, err
	}
	account, session, credential, _, err := s.Lookup(ctx, a.Username, a.Secret)
	return Verdict{OK: ok, Account: account, Session: session, Credential: credential, Reason: ReasonOK}, err
}
