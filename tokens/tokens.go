package tokens

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

const (
	// Unused is how long a temporary credential waits for its first use.
	Unused = 2 * time.Minute
	// AfterUse is how long it lives on after its first success.
	AfterUse = 10 * time.Second

	// MaxSecretBytes bounds what is looked at as a secret: Prosody cuts at 1,023.
	MaxSecretBytes = 1000

	minKeyBytes = 32
)

var (
	// ErrUnknownAccount means that nobody with this account id has logged in.
	ErrUnknownAccount = errors.New("tokens: unknown account")
	// ErrSuspended means that the account is suspended and gets no credential.
	ErrSuspended = errors.New("tokens: the account is suspended")
	// ErrSessionEnded means that the session was revoked and gets no credential.
	ErrSessionEnded = errors.New("tokens: the session has ended")
)

// RateLimitError says that too many credentials were asked for.
type RateLimitError struct{ after time.Duration }

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("tokens: too many credentials asked for; try again in %s", e.after)
}

// RetryAfter is how long to wait, more than zero and a whole number of seconds.
func (e *RateLimitError) RetryAfter() time.Duration { return e.after }

// Config is what a Service needs. DB and Key are required.
type Config struct {
	DB *sqldb.DB

	// Key keys the hashes; at least 32 bytes, from the configuration. Under
	// another key all credentials are void.
	Key []byte

	// AccountLimit and SessionLimit bound IssueTemporary; the zero value is the
	// default of 60 at once and one more per second for each account, 20 at once
	// and one more in 3 seconds for each session.
	AccountLimit, SessionLimit Limit

	// DeviceLimit bounds IssueDevice for each account; the zero value is 60 at
	// once and one more in 10 seconds.
	DeviceLimit Limit

	// OnRevoked is called by Run, one call at a time, for each revocation in the
	// order of the feed. kind is "credential", "session" or "account", subject
	// its id. It should return quickly.
	OnRevoked func(kind, subject, reason string)

	// Realm is the SIP realm and domain; "" means that SIP is not offered.
	Realm string

	// Recheck asks Mastodon now how an account stands, and writes it into the
	// database; nil means that nobody can be asked.
	Recheck func(ctx context.Context, account string) error

	// LookupName asks Mastodon whether it has a person of this name; nil means
	// that only those exist who logged in.
	LookupName func(ctx context.Context, username string) (exists bool, err error)

	// JWTKey, if given, makes temporary credentials JWTs of people at JWTDomain,
	// which an XMPP server with the same key can verify by itself; at least 32
	// bytes.
	JWTKey    []byte
	JWTDomain string

	// Recorder, if given, is told what was done to whom: op is "issue", "revoke",
	// "suspend" or "restore". It must not block.
	Recorder func(op, username, account, credential, outcome, reason string)

	Now  func() time.Time // time.Now if nil
	Rand io.Reader        // crypto/rand if nil
	Log  *slog.Logger     // nothing is logged if nil
}

// Service issues, verifies and revokes. Any goroutine may call any method.
type Service struct {
	db       *sqldb.DB
	key      []byte
	now      func() time.Time
	rand     io.Reader
	log      *slog.Logger
	revoked  func(kind, subject, reason string)
	accounts *limiter
	sessions *limiter
	devices  *limiter
	wake     chan struct{} // a token: the feed has something new

	realm, jwtDomain string
	jwtKey           []byte
	recorder         func(op, username, account, credential, outcome, reason string)
	rechecks         *rechecks
	uses             *uses
	errands          errands
	known            *known
}

// New checks the configuration and returns a Service. It touches neither the
// database nor the clock.
func New(c Config) (*Service, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.OnRevoked == nil {
		c.OnRevoked = func(string, string, string) {}
	}
	accounts, err := newLimiter(c.AccountLimit, Limit{Burst: 60, Every: time.Second})
	if err != nil {
		return nil, err
	}
	sessions, err := newLimiter(c.SessionLimit, Limit{Burst: 20, Every: 3 * time.Second})
	if err != nil {
		return nil, err
	}
	devices, err := newLimiter(c.DeviceLimit, Limit{Burst: 60, Every: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	left := make(errands, maxErrands)
	return &Service{
		db: c.DB, key: slices.Clone(c.Key), now: c.Now, rand: c.Rand, log: c.Log,
		revoked: c.OnRevoked, accounts: accounts, sessions: sessions, devices: devices, wake: make(chan struct{}, 1),
		realm: c.Realm, jwtKey: slices.Clone(c.JWTKey), jwtDomain: c.JWTDomain, recorder: c.Recorder,
		rechecks: newRechecks(c.Recheck, left), uses: &uses{pending: map[string]use{}},
		errands: left, known: newKnown(c.LookupName, left),
	}, nil
}

// check says what is wrong with the configuration.
func (c *Config) check() error {
	switch {
	case c.DB == nil:
		return errors.New("tokens: no database given")
	case len(c.Key) < minKeyBytes:
		return fmt.Errorf("tokens: the key has %d bytes, it needs at least %d", len(c.Key), minKeyBytes)
	case len(c.JWTKey) > 0 && len(c.JWTKey) < minKeyBytes: // RFC 7518 section 3.2
		return fmt.Errorf("tokens: the key of the JWTs has %d bytes, it needs at least %d", len(c.JWTKey), minKeyBytes)
	case len(c.JWTKey) > 0 && c.JWTDomain == "":
		return errors.New("tokens: JWTs need the domain of the people in them")
	}
	return nil
}

// hash is what is stored of a secret.
func (s *Service) hash(secret string) []byte { return s.mac("trunkline credential 1\x00", secret) }

// hashAccess is what is stored of an access token: never the same as a
// credential's hash.
func (s *Service) hashAccess(token string) []byte { return s.mac("trunkline access 1\x00", token) }

func (s *Service) mac(what, secret string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(what))
	mac.Write([]byte(secret))
	return mac.Sum(nil)
}
