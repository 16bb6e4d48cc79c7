package webclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/time/rate"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// How many names Mastodon is asked for. Anybody on the network can make an XMPP
// server ask for a name; Mastodon counts what we ask by our address.
const (
	lookupsAtOnce    = 30
	lookupsPerSecond = 0.5
)

var errLookupsBusy = errors.New("webclient: too many names are being looked up")

// LookupName asks Mastodon whether it has a person of this name, suspended ones
// among them: their names are taken. It is not for known accounts, and its answers
// are worth keeping for a while. An error means that it cannot be told now.
func (s *Server) LookupName(ctx context.Context, username string) (exists bool, err error) {
	username = strings.ToLower(username)
	if !localName.MatchString(username) {
		return false, nil
	}
	if !s.lookups.AllowN(s.cfg.Now(), 1) {
		return false, errLookupsBusy
	}
	ctx, cancel := context.WithTimeout(ctx, s.pace.standingWait)
	defer cancel()
	err = s.publicly(ctx, func(access mastodon.Secret) error {
		_, err := s.cfg.Mastodon.LocalPerson(ctx, access, username)
		return err
	})
	s.metrics.reached(err, s.cfg.Now())
	switch {
	case errors.Is(err, mastodon.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("webclient: lookup: %w", err)
	}
	return true, nil
}

func newLookupPace() *rate.Limiter { return rate.NewLimiter(lookupsPerSecond, lookupsAtOnce) }
