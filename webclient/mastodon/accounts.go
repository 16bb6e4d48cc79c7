package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-mastodon"
)

// Account is a person as the instance tells of them.
type Account struct {
	ID          string // opaque; unique on this instance
	Username    string // as the person typed it, without a domain
	Acct        string // the username for local people, user@domain for others
	DisplayName string // text, never HTML; may hold :shortcodes:; never empty
	Avatar      string // http(s) URL of the still picture, or ""
	URL         string // http(s) URL of the profile page, or ""
	Fields      []Field
	Bot         bool
	Suspended   bool
	Moved       bool
	Memorial    bool
}

// Field is one row of a profile's table.
type Field struct {
	Name  string
	Value string // HTML
}

// Local tells whether the person is of the instance itself.
func (a Account) Local() bool { return !strings.Contains(a.Acct, "@") }

// seen is what go-mastodon's Account leaves out.
type seen struct {
	Suspended bool `json:"suspended"`
	Memorial  bool `json:"memorial"`
}

func newAccount(a *mastodon.Account, more seen) (Account, bool) {
	if a == nil || !isID(string(a.ID)) || a.Username == "" || a.Acct == "" {
		return Account{}, false
	}
	out := Account{
		ID: string(a.ID), Username: line(a.Username), Acct: line(a.Acct), DisplayName: line(a.DisplayName),
		Avatar: webURL(a.AvatarStatic), URL: webURL(a.URL), Bot: a.Bot, Suspended: more.Suspended, Moved: a.Moved != nil,
		Memorial: more.Memorial,
	}
	if out.Avatar == "" {
		out.Avatar = webURL(a.Avatar)
	}
	if out.DisplayName == "" {
		out.DisplayName = out.Username
	}
	for _, f := range a.Fields {
		out.Fields = append(out.Fields, Field{Name: f.Name, Value: f.Value})
	}
	return out, true
}

// line makes a name one bounded line without control characters.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500])
	}
	return s
}

func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || len(s) > 2048 {
		return ""
	}
	return s
}

// isID keeps ids from becoming paths. They are numbers, ULIDs or alike.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_')
	})
}

// VerifyCredentials asks whose token it is. It is also the check that the person may
// still use the instance: ErrTokenInvalid, ErrAccountDisabled, ErrAccountSuspended,
// ErrAccountMoved and ErrUnconfirmed are answers, ErrDown and *RateLimitError are not.
func (c *Client) VerifyCredentials(ctx context.Context, access Secret) (Account, error) {
	cl := &call{op: "verify credentials", secrets: []string{string(access)}}
	raw, err := c.api(access).GetAccountCurrentUser(cl.in(ctx))
	err = cl.finish(ctx, err)
	c.persons.note(cl.header, err, c.now())
	if err != nil {
		return Account{}, err
	}
	var more seen
	if json.Unmarshal(cl.body, &more) != nil {
		return Account{}, cl.oddShape()
	}
	a, ok := newAccount(raw, more)
	switch {
	case !ok:
		return Account{}, cl.oddShape()
	case a.Suspended:
		return Account{}, &Error{Op: cl.op, Kind: ErrAccountSuspended}
	case a.Moved:
		return Account{}, &Error{Op: cl.op, Kind: ErrAccountMoved}
	}
	return a, nil
}

func (cl *call) oddShape() error {
	return &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: "JSON of an unexpected shape"}
}

// Explain makes ErrAccountDisabled more precise by asking for the public profile of
// accountID: ErrAccountSuspended or ErrAccountMoved. Other errors, and those that
// cannot be made more precise, come back as they are.
func (c *Client) Explain(ctx context.Context, err error, accountID string) error {
	if !errors.Is(err, ErrAccountDisabled) || !isID(accountID) {
		return err
	}
	a, lookErr := c.Look(ctx, "", accountID)
	if lookErr != nil {
		return err
	}
	const op = "look at account"
	switch {
	case a.Suspended:
		return &Error{Op: op, Kind: ErrAccountSuspended}
	case a.Moved:
		return &Error{Op: op, Kind: ErrAccountMoved}
	}
	return err
}

// RateLimit is what the instance said of its limits with an answer.
type RateLimit struct {
	Limit     int
	Remaining int
	Reset     time.Time
}

// Page is one page of people.
type Page struct {
	People []Account
	Next   string    // cursor of the next page, "" at the end
	Rate   RateLimit // zero where the instance says nothing
}

const pageSize = 80 // the most that Mastodon and GoToSocial give

// Following is one page (up to 80) of whom accountID follows, newest follow first.
// cursor is "" or the Next of the page before. Cursors may be shown to browsers:
// whatever comes back, only the instance's own list is asked for (ErrBadCursor).
// Following Next to the end takes a bounded number of pages.
func (c *Client) Following(ctx context.Context, access Secret, accountID, cursor string) (Page, error) {
	cl := &call{op: "following", secrets: []string{string(access)}}
	at, err := parseCursor(cursor)
	if err != nil || !isID(accountID) {
		return Page{}, &Error{Op: cl.op, Kind: ErrBadCursor}
	}
	pg := mastodon.Pagination{MaxID: mastodon.ID(at.maxID), Limit: pageSize}
	raw, err := c.api(access).GetAccountFollowing(cl.in(ctx), mastodon.ID(accountID), &pg)
	if err := cl.finish(ctx, err); err != nil {
		return Page{}, err
	}
	var more []seen
	if json.Unmarshal(cl.body, &more) != nil || len(more) != len(raw) {
		return Page{}, cl.oddShape()
	}
	page := Page{Rate: rateLimit(cl.header)}
	for i, r := range raw {
		if a, ok := newAccount(r, more[i]); ok {
			page.People = append(page.People, a)
		}
	}
	if len(raw) == 0 { // the end, even where a link says there is more
		return page, nil
	}
	next, err := nextPage(cl.header.Values("Link"), c.base, "/api/v1/accounts/"+accountID+"/following", at)
	if err != nil {
		return Page{}, &Error{Op: cl.op, Kind: ErrNotMastodon, Detail: err.Error()}
	}
	page.Next = next
	return page, nil
}

// Relationship is how the token's owner stands to the account ID.
type Relationship struct {
	ID                               string
	Following, FollowedBy, Requested bool
	Blocking, Muting, DomainBlocking bool
}

// Relationships tells of any number of ids, in no particular order; unknown and
// suspended accounts may be missing.
func (c *Client) Relationships(ctx context.Context, access Secret, ids []string) ([]Relationship, error) {
	var out []Relationship
	for chunk := range slices.Chunk(ids, 40) {
		cl := &call{op: "relationships", secrets: []string{string(access)}}
		rs, err := c.api(access).GetAccountRelationships(cl.in(ctx), chunk)
		if err := cl.finish(ctx, err); err != nil {
			return nil, err
		}
		for _, r := range rs {
			if r == nil {
				continue
			}
			out = append(out, Relationship{
				ID: string(r.ID), Following: r.Following, FollowedBy: r.FollowedBy, Requested: r.Requested,
				Blocking: r.Blocking, Muting: r.Muting, DomainBlocking: r.DomainBlocking,
			})
		}
	}
	return out, nil
}

// Instance is the instance's description of itself.
type Instance struct {
	Title   string
	Domain  string // the local domain: the one in handles. May hold a port
	Version string
}

// Instance asks the instance for its description. No token is needed.
func (c *Client) Instance(ctx context.Context) (Instance, error) {
	cl := &call{op: "instance"}
	raw, err := c.api("").GetInstance(cl.in(ctx))
	if err := cl.finish(ctx, err); err != nil && !errors.Is(err, ErrNotFound) {
		return Instance{}, err
	} else if err == nil && raw.URI != "" {
		return Instance{Title: line(raw.Title), Domain: strings.ToLower(bareHost(raw.URI)), Version: line(raw.Version)}, nil
	}
	cl = &call{op: "instance"}
	if err := c.get(ctx, cl, "/api/v2/instance"); err != nil {
		return Instance{}, err
	}
	var v2 struct{ Title, Domain, Version string }
	if json.Unmarshal(cl.body, &v2) != nil || v2.Domain == "" {
		return Instance{}, cl.oddShape()
	}
	return Instance{Title: line(v2.Title), Domain: strings.ToLower(bareHost(v2.Domain)), Version: line(v2.Version)}, nil
}

// bareHost is a domain where some servers give a URL.
func bareHost(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s, _, _ = strings.Cut(rest, "/")
	}
	return line(s)
}
