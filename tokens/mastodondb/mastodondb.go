package mastodondb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

// The reasons that Check gives. A standing has the word that it has elsewhere in
// Trunkline.
const (
	ReasonOK            = "ok"
	ReasonUnknownUser   = "unknown_user"
	ReasonWrongPassword = "wrong_password"
	ReasonNoPassword    = "no_password"   // signs in elsewhere (LDAP, SAML, OpenID Connect)
	ReasonSecondFactor  = "second_factor" // has one, or must have one
	ReasonRefused       = "refused"       // by Config.Refused
	ReasonUnconfirmed   = "unconfirmed"   // or not approved yet
	ReasonDisabled      = "disabled"      // or memorial
	ReasonSuspended     = "suspended"
	ReasonMoved         = "moved"
	ReasonDeleted       = "deleted" // on its way
)

const (
	// atOnce bounds the comparisons that run beside one another.
	atOnce = 2

	// deadline bounds one Check; a comparison that has begun is not interrupted.
	deadline = 1200 * time.Millisecond

	// maxUsername and maxPassword are what Mastodon allows, in characters.
	maxUsername, maxPassword = 30, 72

	// usualCost is Mastodon's, for as long as it has no user with a password.
	// Beyond maxCost a comparison takes longer than anybody waits.
	usualCost, maxCost = 10, 14
)

// ErrBusy means that there was no turn within the deadline.
var ErrBusy = errors.New("mastodondb: too many passwords are being compared")

// Config is what a Checker needs; only URL is required.
type Config struct {
	// URL is a postgres:// address of Mastodon's database, with the user that
	// RoleSQL makes. PgBouncer in between is fine.
	URL string

	// Refused says whether Trunkline refuses what Mastodon would let in: the name,
	// in lower case, with the id of its account. A name that was given away and
	// came back is another account's, and the chat of that name is not theirs. nil:
	// nobody is refused.
	Refused func(ctx context.Context, username, id string) (bool, error)
}

// Checker asks Mastodon's database. Any goroutine may call any method.
type Checker struct {
	db      *sql.DB
	refused func(ctx context.Context, username, id string) (bool, error)
	turns   chan struct{}
	compare func(hash, password []byte) error
}

// New reads the URL. It does not connect: Mastodon's database may be away when
// Trunkline starts. Errors do not contain the password.
func New(cfg Config) (*Checker, error) {
	db, err := sqldb.Foreign(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("mastodondb: %w", err)
	}
	db.SetMaxOpenConns(atOnce)
	db.SetMaxIdleConns(atOnce)
	if cfg.Refused == nil {
		cfg.Refused = func(context.Context, string, string) (bool, error) { return false, nil }
	}
	return &Checker{
		db: db, refused: cfg.Refused, turns: make(chan struct{}, atOnce), compare: bcrypt.CompareHashAndPassword,
	}, nil
}

// Close closes the connections.
func (c *Checker) Close() error { return c.db.Close() }

// Check says whether this is the Mastodon password of a local person who may use
// it here. The username is the JID's localpart, compared without case; an e-mail
// address is nobody's. reason is one of the words above, for a record and not for
// the one who asks. An error means that it cannot be told now.
func (c *Checker) Check(ctx context.Context, username, password string) (ok bool, reason string, err error) {
	username = strings.ToLower(username)
	if !possibleName(username) {
		return false, ReasonUnknownUser, nil
	}
	if n := utf8.RuneCountInString(password); n == 0 || n > maxPassword || strings.ContainsRune(password, 0) {
		return false, ReasonWrongPassword, nil
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return false, "", fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	p, err := c.find(ctx, username)
	if err != nil {
		return false, "", fmt.Errorf("mastodondb: %w", err)
	}
	reason, err = c.decide(p, password)
	if err != nil || reason != ReasonOK {
		return false, reason, err
	}
	refused, err := c.refused(ctx, username, p.id)
	switch {
	case err != nil:
		return false, "", fmt.Errorf("mastodondb: %w", err)
	case refused:
		return false, ReasonRefused, nil
	}
	return true, ReasonOK, nil
}

// decide compares once, whatever is known of the person, and tells of anything
// else only who knew the password.
func (c *Checker) decide(p person, password string) (reason string, err error) {
	hash, refused := p.hash, ReasonWrongPassword
	switch {
	case !p.exists:
		hash, refused = nobodysHash(p.cost), ReasonUnknownUser
	case hash == "":
		hash, refused = nobodysHash(p.cost), ReasonNoPassword
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || cost > maxCost {
		return "", errors.New("mastodondb: the stored password is of a kind that cannot be compared")
	}
	err = c.compare([]byte(hash), []byte(password))
	switch {
	case err == nil && refused == ReasonWrongPassword:
		return p.standing, nil
	case err == nil || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return refused, nil
	}
	return "", errors.New("mastodondb: the stored password is of a kind that cannot be compared")
}

// nobodysHash costs as much to compare as a real one, and no password is known
// for it.
func nobodysHash(cost int) string {
	return fmt.Sprintf("$2a$%02d$", cost) + "abcdefghijklmnopqrstuu" + strings.Repeat(".", 31)
}

// possibleName says whether a local account can be called this.
func possibleName(name string) bool {
	return name != "" && len(name) <= maxUsername && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
