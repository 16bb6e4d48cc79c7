package webclient

import "context"

// Recheck asks Mastodon now whether account may still use the instance, and writes
// down what it says. An error means that Mastodon did not say.
func (s *Server) Recheck(ctx context.Context, account string) error {
	return s.checkStanding(ctx, account)
}

// confirmStanding is checkStanding for what outlives a login: Mastodon must have
// said yes in the last five minutes.
func (s *Server) confirmStanding(ctx context.Context, account string) error {
	return s.checkStanding(ctx, account)
}
