package mastodon

import (
	"context"
	"encoding/json"

	"github.com/mattn/go-mastodon"
)

// Resolve finds the account that acct names: "alice" for a local person,
// "bob@other.example" for one whom the instance has met. access may be empty where
// the instance answers everybody; who needs a token then says ErrTokenInvalid.
// ErrNotFound: the instance knows nobody of that name.
func (c *Client) Resolve(ctx context.Context, access Secret, acct string) (Account, error) {
	cl := &call{op: "look up account", secrets: []string{string(access)}}
	raw, err := c.api(access).AccountLookup(cl.in(ctx), acct)
	if err := cl.finish(ctx, err); err != nil {
		return Account{}, err
	}
	var more seen
	if json.Unmarshal(cl.body, &more) != nil {
		return Account{}, cl.oddShape()
	}
	a, ok := newAccount(raw, more)
	if !ok {
		return Account{}, cl.oddShape()
	}
	return a, nil
}

// RelationshipWith is how the token's owner stands to the account id, by the scope
// read:follows. ErrNotFound: the instance says nothing of that account, as it does
// of suspended ones.
func (c *Client) RelationshipWith(ctx context.Context, access Secret, id string) (Relationship, error) {
	if !isID(id) {
		return Relationship{}, &Error{Op: "relationships", Kind: ErrNotFound, Detail: "no such id"}
	}
	all, err := c.Relationships(ctx, access, []string{id})
	if err != nil {
		return Relationship{}, err
	}
	for _, r := range all {
		if r.ID == id {
			return r, nil
		}
	}
	return Relationship{}, &Error{Op: "relationships", Kind: ErrNotFound}
}

// HidesFollows tells whether a profile says that nobody else may see whom that
// person follows: their list then reads as empty. Mastodon ≥ 4.3 says so; of other
// servers false means nothing.
func (c *Client) HidesFollows(ctx context.Context, id string) (bool, error) {
	cl := &call{op: "look at account"}
	if !isID(id) {
		return false, &Error{Op: cl.op, Kind: ErrNotFound, Detail: "no such id"}
	}
	_, err := c.api("").GetAccount(cl.in(ctx), mastodon.ID(id))
	if err := cl.finish(ctx, err); err != nil {
		return false, err
	}
	var says struct {
		Hide *bool `json:"hide_collections"`
	}
	if json.Unmarshal(cl.body, &says) != nil {
		return false, cl.oddShape()
	}
	return says.Hide != nil && *says.Hide, nil
}
