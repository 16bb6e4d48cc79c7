package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// How long an answer of Mastodon's counts: as it is, and while Mastodon cannot be
// asked again. Both bound how long somebody who was let go may still join.
const (
	roomFresh = time.Minute
	roomStale = 10 * time.Minute

	// maxRoomAnswers bounds the memory; the oldest tenth goes first.
	maxRoomAnswers = 10_000

	// maxPublicPages bounds how far a public list is read, 80 people a page.
	maxPublicPages = 10
)

// Rooms knows how people of the instance stand to one another, for who may join a
// room. An error means that it cannot be told now. Nothing is written, neither here
// nor at Mastodon. Any goroutine may call any method.
type Rooms struct {
	s     *Server
	extra mastodon.Secret

	mu      sync.Mutex
	answers map[string]roomAnswer
	owner   string    // of extra, a username; "" where it is not known
	ownerAt time.Time // when extra was last asked whose it is
}

type roomAnswer struct {
	yes bool
	at  time.Time
}

// NewRooms makes Rooms over a Server. listToken, which may be empty, is an access
// token that a list's owner has made at the instance: with the scope read:lists for
// lists, and with read:accounts and read:follows too for who follows that person.
func NewRooms(s *Server, listToken string) *Rooms {
	return &Rooms{s: s, extra: mastodon.Secret(listToken), answers: map[string]roomAnswer{}}
}

// Local says whether username is a person of the instance in good standing: neither
// suspended, moved nor blocked here. Who has never signed in here is looked up.
func (r *Rooms) Local(ctx context.Context, username string) (bool, error) {
	username = strings.ToLower(username)
	if !localName.MatchString(username) {
		return false, nil
	}
	var refused bool
	err := r.s.cfg.DB.QueryRowContext(ctx, `SELECT suspended_at IS NOT NULL OR blocked_at IS NOT NULL
		FROM accounts WHERE username = $1`, username).Scan(&refused)
	switch {
	case err == nil:
		return !refused, nil
	case !errors.Is(err, sql.ErrNoRows):
		return false, fmt.Errorf("webclient: rooms: %w", err)
	}
	return r.remember(ctx, "local "+username, func(ctx context.Context) (bool, error) {
		person, err := r.resolve(ctx, username, r.extra)
		if errors.Is(err, mastodon.ErrNotFound) {
			return false, nil
		}
		return err == nil && person.Local() && !person.Suspended && !person.Moved, err
	})
}

// Follows says whether who follows whom; each is "alice" or "alice@other.example".
// It asks with who's stored token or whom's, else with the extra token if it is
// either's, else it looks who's public list through, up to 800 people.
func (r *Rooms) Follows(ctx context.Context, who, whom string) (bool, error) {
	who, whom = r.acct(who), r.acct(whom)
	return r.remember(ctx, "follows "+who+" "+whom, func(ctx context.Context) (bool, error) {
		return r.askFollows(ctx, who, whom)
	})
}

func (r *Rooms) askFollows(ctx context.Context, who, whom string) (bool, error) {
	var causes []error
	for _, way := range []struct {
		token, other string
		read         func(mastodon.Relationship) bool
	}{
		{who, whom, func(rel mastodon.Relationship) bool { return rel.Following }},
		{whom, who, func(rel mastodon.Relationship) bool { return rel.FollowedBy }},
	} {
		yes, err := r.relation(ctx, way.token, way.other, way.read)
		switch {
		case err == nil:
			return yes, nil
		case errors.Is(err, mastodon.ErrNotFound): // gone or suspended: follows nobody, is followed by nobody
			return false, nil
		case ctx.Err() != nil || errors.Is(err, mastodon.ErrDown):
			return false, err
		}
		causes = append(causes, err)
	}
	yes, err := r.publicFollows(ctx, who, whom)
	switch {
	case errors.Is(err, mastodon.ErrNotFound):
		return false, nil
	case err != nil:
		return false, errors.Join(append(causes, err)...)
	}
	return yes, nil
}

// relation asks with the token of one person how they stand to another.
func (r *Rooms) relation(ctx context.Context, owner, other string, read func(mastodon.Relationship) bool) (bool, error) {
	token, err := r.tokenOf(ctx, owner, "read:follows")
	if err != nil {
		return false, err
	}
	id, err := r.id(ctx, other, token)
	if err != nil {
		return false, err
	}
	rel, err := r.s.cfg.Mastodon.RelationshipWith(ctx, token, id)
	return err == nil && read(rel), err
}

// publicFollows looks who's list through, as everybody may.
func (r *Rooms) publicFollows(ctx context.Context, who, whom string) (bool, error) {
	if strings.Contains(who, "@") {
		return false, errors.New("webclient: rooms: whom people of other servers follow is not known here")
	}
	from, err := r.id(ctx, who, r.extra)
	if err != nil {
		return false, err
	}
	to, err := r.id(ctx, whom, r.extra)
	if err != nil {
		return false, err
	}
	cursor, people := "", 0
	for range maxPublicPages {
		page, err := r.s.cfg.Mastodon.Following(ctx, "", from, cursor)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(page.People, func(a mastodon.Account) bool { return a.ID == to }) {
			return true, nil
		}
		people += len(page.People)
		if cursor = page.Next; cursor == "" {
			return false, r.unlessHidden(ctx, from, people)
		}
	}
	return false, fmt.Errorf("webclient: rooms: %s follows more than %d people, and has not signed in here of late", who, people)
}

// unlessHidden is an error where a list only looks empty.
func (r *Rooms) unlessHidden(ctx context.Context, id string, people int) error {
	if people > 0 {
		return nil
	}
	hidden, err := r.s.cfg.Mastodon.HidesFollows(ctx, id)
	if err == nil && hidden {
		err = errors.New("webclient: rooms: the list of follows is hidden, and its owner has not signed in here of late")
	}
	return err
}

// InList says whether username is in the list of owner's that has this id. It asks
// with owner's stored token where that may read lists, else with the extra token.
func (r *Rooms) InList(ctx context.Context, list, owner, username string) (bool, error) {
	owner, username = r.acct(owner), r.acct(username)
	return r.remember(ctx, "list "+list+" "+owner+" "+username, func(ctx context.Context) (bool, error) {
		token, err := r.tokenOf(ctx, owner, "read:lists")
		if err != nil && r.extra != "" { // list ids say by themselves whose they are
			token, err = r.extra, nil
		}
		if err != nil {
			return false, err
		}
		id, err := r.id(ctx, username, token)
		if errors.Is(err, mastodon.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		lists, err := r.s.cfg.Mastodon.ListsWith(ctx, token, id)
		if errors.Is(err, mastodon.ErrNotFound) {
			return false, nil
		}
		return slices.Contains(lists, list), err
	})
}

// Moderator says whether username may manage reports or users at the instance.
// Mastodon tells that to the person alone, so it needs their stored token.
func (r *Rooms) Moderator(ctx context.Context, username string) (bool, error) {
	username = r.acct(username)
	return r.remember(ctx, "moderator "+username, func(ctx context.Context) (bool, error) {
		token, err := r.tokenOf(ctx, username, "read:accounts")
		if err != nil {
			return false, err
		}
		role, err := r.s.cfg.Mastodon.Role(ctx, token)
		return err == nil && role.Moderates(), err
	})
}
