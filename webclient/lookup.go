package webclient

import (
	"context"
	"errors"
)

// LookupName asks Mastodon whether it has a person of this name. An error means
// that it cannot be told now.
func (s *Server) LookupName(ctx context.Context, username string) (exists bool, err error) {
	return false, errors.New("webclient: lookup: not built yet")
}
