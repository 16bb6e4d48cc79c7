package tokens

import "context"

// EndAccount closes the account's streams and kills its temporary and internal
// credentials; device passwords stay, for when the account comes back.
func (s *Service) EndAccount(ctx context.Context, account, reason string) error { return errNotYet }

// BlockAccount is the admin's suspension: nothing of the account is accepted
// until UnblockAccount, whatever Mastodon says.
func (s *Service) BlockAccount(ctx context.Context, account, reason string) error { return errNotYet }

// UnblockAccount ends a BlockAccount; device passwords work again.
func (s *Service) UnblockAccount(ctx context.Context, account, reason string) error {
	return errNotYet
}
