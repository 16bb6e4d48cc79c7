package webclient

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// remember answers from memory while an answer is fresh, and while it is not yet
// stale where asking again fails.
func (r *Rooms) remember(ctx context.Context, key string, ask func(context.Context) (bool, error)) (bool, error) {
	known, found := r.recall(key)
	age := r.s.cfg.Now().Sub(known.at)
	if found && age < roomFresh {
		return known.yes, nil
	}
	yes, err := ask(ctx)
	if err == nil {
		r.keep(key, yes)
		return yes, nil
	}
	if found && age < roomStale {
		r.s.cfg.Log.InfoContext(ctx, "Mastodon did not say; its last answer counts for now", "question", key, "error", err)
		return known.yes, nil
	}
	return false, err
}

func (r *Rooms) recall(key string) (roomAnswer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.answers[key]
	return a, ok
}

func (r *Rooms) keep(key string, yes bool) {
	now := r.s.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) >= maxRoomAnswers {
		r.makeRoom(now)
	}
	r.answers[key] = roomAnswer{yes, now}
}

// makeRoom drops what is stale, or else the oldest tenth. r.mu is held.
func (r *Rooms) makeRoom(now time.Time) {
	ages := make([]time.Time, 0, len(r.answers))
	for key, a := range r.answers {
		if now.Sub(a.at) >= roomStale {
			delete(r.answers, key)
			continue
		}
		ages = append(ages, a.at)
	}
	if len(r.answers) < maxRoomAnswers {
		return
	}
	slices.SortFunc(ages, time.Time.Compare)
	limit, surplus := ages[len(ages)/10], len(ages)/10+1
	for key, a := range r.answers {
		if surplus > 0 && !a.at.After(limit) {
			delete(r.answers, key)
			surplus--
		}
	}
}

// acct is a name as the instance writes it: lower-case, and without a domain if it
// is a handle or a chat address of our own.
func (r *Rooms) acct(name string) string {
	name = strings.ToLower(name)
	local, domain, remote := strings.Cut(name, "@")
	if remote && (strings.EqualFold(domain, r.s.cfg.LocalDomain) || strings.EqualFold(domain, r.s.cfg.XMPPDomain)) {
		return local
	}
	return name
}

var errNoRoomToken = errors.New("nobody's token says it: who it is about has not signed in here of late, or without that scope")

// tokenOf is the stored token of a local person, or the extra token if it is theirs,
// that has scope.
func (r *Rooms) tokenOf(ctx context.Context, acct, scope string) (mastodon.Secret, error) {
	if strings.Contains(acct, "@") {
		return "", errNoRoomToken
	}
	var id, scopes string
	err := r.s.cfg.DB.QueryRowContext(ctx, `SELECT id, token_scopes FROM accounts
		WHERE username = $1 AND mastodon_token IS NOT NULL`, acct).Scan(&id, &scopes)
	if err == nil && hasScope(strings.Fields(scopes), scope) {
		if token, err := r.s.token(ctx, id); err == nil {
			return token, nil
		}
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("webclient: rooms: %w", err)
	}
	if r.extraOwner(ctx) == acct {
		return r.extra, nil
	}
	return "", fmt.Errorf("webclient: rooms: %s, %s: %w", acct, scope, errNoRoomToken)
}

func hasScope(granted []string, scope string) bool {
	broad, _, _ := strings.Cut(scope, ":")
	return slices.Contains(granted, scope) || slices.Contains(granted, broad)
}

// extraOwner is whose the extra token is, "" where there is none or it does not say.
func (r *Rooms) extraOwner(ctx context.Context) string {
	if r.extra == "" {
		return ""
	}
	now := r.s.cfg.Now()
	r.mu.Lock()
	owner, at := r.owner, r.ownerAt
	r.mu.Unlock()
	if owner != "" || !at.IsZero() && now.Sub(at) < roomStale {
		return owner
	}
	person, err := r.s.cfg.Mastodon.VerifyCredentials(ctx, r.extra)
	switch {
	case err == nil:
		owner = r.acct(person.Username)
	case !errors.Is(err, mastodon.ErrScope): // without read:accounts it is for lists alone
		r.s.cfg.Log.WarnContext(ctx, "the token for lists does not say whose it is", "error", err)
	}
	if ctx.Err() != nil {
		return owner
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owner, r.ownerAt = owner, now
	return owner
}

// id is the account id behind an acct.
func (r *Rooms) id(ctx context.Context, acct string, token mastodon.Secret) (string, error) {
	if !strings.Contains(acct, "@") {
		var id string
		err := r.s.cfg.DB.QueryRowContext(ctx, `SELECT id FROM accounts WHERE username = $1`, acct).Scan(&id)
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
	}
	person, err := r.resolve(ctx, acct, token)
	return person.ID, err
}

// resolve looks an acct up: as everybody may, or where the instance tells nothing to
// everybody, with token, if it is not empty.
func (r *Rooms) resolve(ctx context.Context, acct string, token mastodon.Secret) (mastodon.Account, error) {
	person, err := r.s.cfg.Mastodon.Resolve(ctx, "", acct)
	if errors.Is(err, mastodon.ErrTokenInvalid) && token != "" {
		person, err = r.s.cfg.Mastodon.Resolve(ctx, token, acct)
	}
	return person, err
}
