package stack

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
)

// Native logs a person in straight at the XMPP server, as an app on their phone
// would, with a credential of their own. Nothing of it runs through the gateway,
// so it sees what others can see. The person must have logged in once.
func (s *Stack) Native(ctx context.Context, username string) (*Native, error) {
	password, err := s.Password(ctx, username)
	if err != nil {
		return nil, err
	}
	return s.NativeWith(ctx, username, password)
}

// NativeWith does so with a password that the person has.
func (s *Stack) NativeWith(ctx context.Context, username, password string) (*Native, error) {
	raw, err := integration.Dial(ctx, s.Server.Addr(), s.Server.Domain())
	if err != nil {
		return nil, err
	}
	if err := raw.Login(ctx, username, password); err != nil {
		raw.Close()
		return nil, err
	}
	if err := raw.Bind(ctx, "phone"); err != nil {
		raw.Close()
		return nil, err
	}
	// Only who has asked for the roster hears of subscriptions (RFC 6121 section 2.2).
	if _, err := raw.Ask(ctx, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"); err != nil {
		raw.Close()
		return nil, err
	}
	if err := raw.Send(ctx, "<presence/>"); err != nil {
		raw.Close()
		return nil, err
	}
	n := &Native{raw: raw}
	n.wg.Go(n.read)
	return n, nil
}

// TryLogin asks the XMPP server whether it takes a password. The answer is ""
// or the SASL condition of the refusal; nobody is logged in afterwards.
func (s *Stack) TryLogin(ctx context.Context, username, password string) (condition string, err error) {
	raw, err := integration.Dial(ctx, s.Server.Addr(), s.Server.Domain())
	if err != nil {
		return "", err
	}
	defer raw.Close()
	err = raw.Login(ctx, username, password)
	var refused *integration.SASLError
	if errors.As(err, &refused) {
		return refused.Condition, nil
	}
	return "", err
}

// Age makes every pending login, every credential and Mastodon's word on everybody
// older by d: for them it is as if the clock had gone on.
func (s *Stack) Age(ctx context.Context, d time.Duration) error {
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(s.dir, "trunkline.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range []string{
		"UPDATE pending_logins SET created_at = created_at - $1",
		"UPDATE credentials SET created_at = created_at - $1, expires_at = expires_at - $1, first_used_at = first_used_at - $1",
		"UPDATE accounts SET standing_at = standing_at - $1, trusted_until = trusted_until - $1",
	} {
		if _, err := db.ExecContext(ctx, statement, d.Milliseconds()); err != nil {
			return fmt.Errorf("stack: age: %w", err)
		}
	}
	return nil
}

// Webhook lets Mastodon tell Trunkline of a person, as it does when a moderator has
// changed their account.
func (s *Stack) Webhook(ctx context.Context, username string) error {
	if s.Mastodon == nil {
		return errors.New("stack: a real server sends its own webhooks")
	}
	status, err := s.Mastodon.SendWebhook(ctx, s.Chat+"/hooks/mastodon", s.secrets.Webhook, "account.updated", username)
	if err == nil && status != http.StatusNoContent {
		err = fmt.Errorf("stack: the webhook was answered with %d", status)
	}
	return err
}

// Password issues a credential for a person from the running instance's
// database, beside the service and with its keys.
func (s *Stack) Password(ctx context.Context, username string) (string, error) {
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(s.dir, "trunkline.db"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	key, err := base64.RawURLEncoding.DecodeString(s.secrets.Token)
	if err != nil {
		return "", fmt.Errorf("stack: token key: %w", err)
	}
	service, err := tokens.New(tokens.Config{DB: db, Key: key})
	if err != nil {
		return "", err
	}
	var account string
	err = db.QueryRowContext(ctx, "SELECT id FROM accounts WHERE username = $1", username).Scan(&account)
	if err != nil {
		return "", fmt.Errorf("stack: account %s: %w", username, err)
	}
	_, secret, err := service.IssueInternal(ctx, account)
	return secret, err
}

// Native is a person's session at the XMPP server itself. It records what it
// sees. Any goroutine may call its methods.
type Native struct {
	raw *integration.Raw
	wg  sync.WaitGroup

	mu    sync.Mutex
	seen  []Seen
	ended time.Time
}

// Seen is one stanza with the time at which it came.
type Seen struct {
	At  time.Time `json:"at"`
	XML string    `json:"xml"`
}

func (n *Native) read() {
	for {
		e, err := n.raw.Next(context.Background()) // ended by Close
		if err != nil {
			n.mu.Lock()
			n.ended = time.Now()
			n.mu.Unlock()
			return
		}
		n.mu.Lock()
		n.seen = append(n.seen, Seen{At: time.Now(), XML: e.XML})
		n.mu.Unlock()
	}
}

// Send sends a stanza as it is.
func (n *Native) Send(ctx context.Context, xml string) error { return n.raw.Send(ctx, xml) }

// Seen returns all stanzas so far.
func (n *Native) Seen() []Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Seen{}, n.seen...)
}

// Ended returns when the session was ended, the zero time while it lives.
func (n *Native) Ended() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended
}

// Close cuts the connection.
func (n *Native) Close() {
	n.raw.Close()
	n.wg.Wait()
}
