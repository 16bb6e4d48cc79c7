package webclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// LookupName asks Mastodon whether it has a person of this name, suspended ones
// among them: their names are taken. It is not for known accounts, and its answers
// are worth keeping for a while. An error means that it cannot be told now. How often
// it may be called is for the caller to limit: anybody on the network can make an
// XMPP server ask for a name, and Mastodon counts what we ask by our address.
func (s *Server) LookupName(ctx context.Context, username string) (exists bool, err error) {
	username = strings.ToLower(username)
	if !localName.MatchString(username) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.pace.standingWait)
	defer cancel()
	err = s.publicly(ctx, func(access mastodon.Secret) error {
		_, err := s.cfg.Mastodon.LocalPerson(ctx, access, username)
		return err
	})
	s.heard(err)
	switch {
	case errors.Is(err, mastodon.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("webclient: lookup: %w", err)
	}
	return true, nil
}
