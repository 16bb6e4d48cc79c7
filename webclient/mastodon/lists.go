package mastodon

import (
	"context"

	"github.com/mattn/go-mastodon"
)

// ListsWith are the ids of those lists of the token's owner that accountID is a
// member of. It needs the scope read:lists: ErrScope without it.
func (c *Client) ListsWith(ctx context.Context, access Secret, accountID string) ([]string, error) {
	cl := &call{op: "lists", secrets: []string{string(access)}}
	if !isID(accountID) {
		return nil, &Error{Op: cl.op, Kind: ErrNotFound, Detail: "no such id"}
	}
	raw, err := c.api(access).GetAccountLists(cl.in(ctx), mastodon.ID(accountID))
	if err := cl.finish(ctx, err); err != nil {
		return nil, err
	}
	var ids []string
	for _, list := range raw {
		if list != nil && isID(string(list.ID)) {
			ids = append(ids, string(list.ID))
		}
	}
	return ids, nil
}
