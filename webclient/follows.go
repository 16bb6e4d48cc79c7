package webclient

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// How somebody can be reached.
const (
	reachLocal   = "local"   // on the same instance, hence at our domain
	reachAddress = "address" // their profile shows a chat address
	reachNone    = "none"
)

type followJSON struct {
	ID          string  `json:"id"`
	Acct        string  `json:"acct"`
	DisplayName string  `json:"display_name"`
	Avatar      string  `json:"avatar"`
	URL         string  `json:"url"`
	JID         *string `json:"jid"`
	Reach       string  `json:"reach"`
}

type followsJSON struct {
	People []followJSON `json:"people"`
	Next   *string      `json:"next"`
}

// listFollows is GET /api/v1/follows?cursor=: one page of Mastodon's, newest
// follow first. A page may be empty although there is a next one.
func (s *Server) listFollows(w http.ResponseWriter, r *http.Request, l login) error {
	ctx := s.withClientAddr(r)
	cursor, err := s.openCursor(l.account, r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	token, err := s.token(ctx, l.account)
	if err != nil {
		return err
	}
	page, err := s.cfg.Mastodon.Following(ctx, token, l.account, cursor)
	if errors.Is(err, mastodon.ErrBadCursor) {
		return errCursor
	}
	if err != nil {
		return s.followsError(ctx, l.account, err)
	}
	out := followsJSON{People: make([]followJSON, 0, len(page.People))}
	for _, person := range page.People {
		out.People = append(out.People, s.follow(person))
	}
	if err := s.storeFollows(ctx, l.account, page.People); err != nil {
		return err
	}
	if page.Next != "" {
		next, err := s.sealCursor(l.account, page.Next)
		if err != nil {
			return err
		}
		out.Next = &next
	}
	s.answer(w, r, http.StatusOK, out)
	return nil
}

// followsError maps what went wrong at Mastodon. A no to the person or their token
// is acted upon at once.
func (s *Server) followsError(ctx context.Context, account string, err error) error {
	switch {
	case errors.Is(err, mastodon.ErrTokenInvalid), errors.Is(err, mastodon.ErrAccountDisabled),
		errors.Is(err, mastodon.ErrAccountSuspended), errors.Is(err, mastodon.ErrAccountMoved),
		errors.Is(err, mastodon.ErrUnconfirmed):
		if standing := s.refusal(s.examine(ctx, account, question{person: true})); standing != nil {
			return standing
		}
		return errLoginAgain
	}
	return mastodonAPIError(err)
}

var errCursor = badRequest("This place in the list is not known. Start from the beginning.")

// sealCursor makes the client's cursor of Mastodon's: unreadable, and good for
// nobody else. What comes back is used in a request with the person's token.
func (s *Server) sealCursor(account, next string) (string, error) {
	sealed, err := s.keys.seal("cursor:"+account, []byte(next))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Server) openCursor(account, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || strings.ContainsAny(cursor, "\r\n") { // the decoder passes over these
		return "", errCursor
	}
	next, _, err := s.keys.open("cursor:"+account, sealed)
	if err != nil || len(next) == 0 {
		return "", errCursor
	}
	return string(next), nil
}

// follow is what is known of somebody's chat address.
func (s *Server) follow(person mastodon.Account) followJSON {
	out := followJSON{ID: person.ID, Acct: person.Acct, DisplayName: person.DisplayName,
		Avatar: person.Avatar, URL: person.URL, Reach: reachNone}
	if jid, reach := s.reach(person); reach != reachNone {
		out.JID, out.Reach = &jid, reach
	}
	return out
}

// reach finds the address: local people have theirs at our domain, others only if
// their profile says so. Who is suspended or has moved is not reached: nobody would
// read it.
func (s *Server) reach(person mastodon.Account) (jid, reach string) {
	if person.Suspended || person.Moved {
		return "", reachNone
	}
	_, domain, remote := strings.Cut(person.Acct, "@")
	if !remote || strings.EqualFold(domain, s.cfg.LocalDomain) {
		username := strings.ToLower(person.Username)
		if !localName.MatchString(username) {
			return "", reachNone
		}
		return s.jid(username), reachLocal
	}
	jid, ok := mastodon.XMPPAddress(person.Fields)
	if !ok || strings.HasSuffix(jid, "@"+s.cfg.XMPPDomain) {
		// An address at our domain is a local person's. A profile elsewhere may
		// claim it; who wants that person finds them under their own name.
		return "", reachNone
	}
	return jid, reachAddress
}

// storeFollows keeps what Mastodon told, for imports to pick from.
func (s *Server) storeFollows(ctx context.Context, account string, people []mastodon.Account) error {
	now := s.now()
	err := s.cfg.DB.Update(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT INTO follows
			(account_id, id, acct, username, display_name, avatar_url, profile_url, jid, seen_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (account_id, id) DO UPDATE SET
			acct = excluded.acct, username = excluded.username, display_name = excluded.display_name,
			avatar_url = excluded.avatar_url, profile_url = excluded.profile_url, jid = excluded.jid,
			seen_at = excluded.seen_at`)
		if err != nil {
			return err
		}
		defer put.Close() //nolint:errcheck // the transaction ends it
		for _, person := range people {
			var jid sql.NullString
			if address, reach := s.reach(person); reach != reachNone {
				jid = sql.NullString{String: address, Valid: true}
			}
			if _, err := put.ExecContext(ctx, account, person.ID, person.Acct, person.Username, person.DisplayName,
				person.Avatar, person.URL, jid, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("webclient: follows: %w", err)
	}
	return nil
}
