package tokens

import (
	"context"
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

// Feed returns up to limit entries after the one numbered after, and the number
// to ask after next time. after < 0 asks for the present end of the feed alone.
func (s *Service) Feed(ctx context.Context, after int64, limit int) (ended []Revocation, last int64, err error) {
	return nil, 0, errNotYet
}

// ClaimFeed calls f for each entry that the follower called name has not handled.
func (s *Service) ClaimFeed(ctx context.Context, name string, f func(Revocation) error) error {
	return errNotYet
}
