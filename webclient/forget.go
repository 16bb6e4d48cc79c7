package webclient

import (
	"context"
	"errors"
	"time"
)

// Receipt says what Forget did.
type Receipt struct {
	Username string
	Account  string           // Mastodon's id of the account
	Tables   map[string]int64 // rows deleted, by table
	At       time.Time

	// MastodonTokenRevoked tells that our access to the person's Mastodon account
	// was given back. It is false where there was none, too.
	MastodonTokenRevoked bool
}

// Forget deletes everything that is kept of username, after ending their streams.
func (s *Server) Forget(ctx context.Context, username string) (Receipt, error) {
	return Receipt{}, errors.New("webclient: forget: not built yet")
}
