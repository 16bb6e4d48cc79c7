package tokens

import "context"

// AccountByID looks for a person by Mastodon's id of the account.
func (s *Service) AccountByID(ctx context.Context, id string) (a Account, found bool, err error) {
	err = s.eachAccount(ctx, func(one Account) error {
		a, found = one, true
		return nil
	}, `WHERE a.id = $1`, id)
	return a, found, err
}

// Welcome says whether nothing that we know of this person forbids them to come
// in with a password that somebody else has found right: neither Mastodon's last
// word nor the admin's. Whoever never logged in is welcome: nothing is known of
// them. An error means that it cannot be told now.
func (s *Service) Welcome(ctx context.Context, username string) (bool, error) {
	if !usable(username) {
		return false, nil
	}
	a, found, err := s.AccountNamed(ctx, username)
	if err != nil {
		return false, err
	}
	return !found || a.Suspended.IsZero() && a.Blocked.IsZero(), nil
}
