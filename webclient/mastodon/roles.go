package mastodon

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// Permissions are the bits of a role (Mastodon's UserRole::FLAGS), as far as they
// matter here.
type Permissions uint64

// The bits.
const (
	Administrator Permissions = 1 << 0
	ManageReports Permissions = 1 << 4
	ManageUsers   Permissions = 1 << 10
)

// Role is what a person may do on the instance beside what everybody may.
type Role struct {
	ID          string
	Name        string
	Permissions Permissions
}

// Moderates tells whether the role deals with other people's accounts: an
// administrator's, or one that manages reports or users. GoToSocial's two built-in
// roles are known by their id, for its "moderator" carries no bits; ids on Mastodon
// are numbers, so no name that an admin gives a role is taken for one of them.
func (r Role) Moderates() bool {
	return r.Permissions&(Administrator|ManageReports|ManageUsers) != 0 || r.ID == "moderator" || r.ID == "admin"
}

// Role is the role of the token's owner. Like VerifyCredentials it needs the scope
// profile or read:accounts, and fails in the same ways. The zero Role is that of
// everybody.
func (c *Client) Role(ctx context.Context, access Secret) (Role, error) {
	cl := &call{op: "role", secrets: []string{string(access)}}
	_, err := c.api(access).GetAccountCurrentUser(cl.in(ctx))
	if err := cl.finish(ctx, err); err != nil {
		return Role{}, err
	}
	role, ok := parseRole(cl.body)
	if !ok {
		return Role{}, cl.oddShape()
	}
	return role, nil
}

// parseRole reads the role of a CredentialAccount. Permissions are a number in a
// string; some servers leave the quotes out.
func parseRole(body []byte) (Role, bool) {
	var said struct {
		Role *struct {
			ID          json.RawMessage `json:"id"`
			Name        string          `json:"name"`
			Permissions json.RawMessage `json:"permissions"`
		} `json:"role"`
	}
	if json.Unmarshal(body, &said) != nil {
		return Role{}, false
	}
	if said.Role == nil {
		return Role{}, true
	}
	role := Role{ID: unquote(said.Role.ID), Name: line(said.Role.Name)}
	if role.ID == "" { // GoToSocial before 0.17.2
		role.ID = role.Name
	}
	if bits := unquote(said.Role.Permissions); bits != "" {
		n, err := strconv.ParseUint(bits, 10, 64)
		if err != nil {
			return Role{}, false
		}
		role.Permissions = Permissions(n)
	}
	return role, true
}

// unquote is the text of a JSON string or number, "" for null, nothing and others.
func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return strings.TrimSpace(n.String())
	}
	return ""
}
