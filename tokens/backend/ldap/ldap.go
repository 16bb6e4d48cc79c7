package ldap

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/trunkline-chat/trunkline/tokens/backend"
)

// Core knows the truth about people and their passwords, and answers in time.
type Core interface {
	Auth(ctx context.Context, q backend.Question) backend.Result
	Exists(ctx context.Context, q backend.Question) backend.Answer
	Record(e backend.Event)
}

var _ Core = (*backend.Core)(nil)

const (
	// maxMessage bounds the bytes of one message. The longest that is useful, a
	// bind with a password of 1,000 bytes, has less than 2,000.
	maxMessage = 16 << 10
	// maxNesting bounds the elements within elements of a message. What servers
	// send has less than ten.
	maxNesting = 32
	// maxConns bounds the connections of a Server, over all its listeners.
	maxConns = 256
	// maxOperations bounds what a connection may ask that was never bound as the
	// service account.
	maxOperations = 1000

	// messageTime is how long a message may take from its first byte to its last,
	// and an answer, and a TLS handshake.
	messageTime = 10 * time.Second
	// strangerIdle and serviceIdle are how long a connection may be silent that
	// nobody, or the service account, was bound on.
	strangerIdle = 30 * time.Second
	serviceIdle  = time.Hour
	// personTime is how long a person's bind lasts.
	personTime = time.Minute

	// minServiceSecret keeps the service account's password from being guessed.
	minServiceSecret = 16
)

// The decoder's own bound is 1,000 deep, and it copies what is inside once for
// each level.
func init() { ber.MaxNestingDepth = maxNesting }

// Config is what a Server needs. Core, Base, ServiceDN and
// ServiceSecret are required.
type Config struct {
	Core Core

	// Base is the DN above all people, such as "ou=people,dc=example,dc=org".
	// ServiceDN is the account that may search, which is no person, and
	// ServiceSecret its password, at least 16 bytes.
	Base, ServiceDN string
	ServiceSecret   []byte

	// TLS has the certificate for StartTLS and LDAPS; nil means that neither is
	// offered. With RequireTLS nothing but the root DSE is told, and no password
	// taken, before TLS protects the connection (confidentialityRequired).
	TLS        *tls.Config
	RequireTLS bool

	Now func() time.Time // time.Now if nil
	Log *slog.Logger     // nothing is logged if nil
}

// Server answers LDAP clients. Any goroutine may call any method.
type Server struct {
	core        Core
	baseText    string
	serviceText string
	base        *goldap.DN
	serviceDN   *goldap.DN
	secret      [sha256.Size]byte
	tls         *tls.Config
	requireTLS  bool
	now         func() time.Time
	log         *slog.Logger

	panics atomic.Int64 // recovered; anything but zero is a bug

	mu    sync.Mutex
	conns []*conn // open, oldest first
}

// New checks the configuration and returns a Server.
func New(c Config) (*Server, error) {
	if c.Core == nil {
		return nil, errors.New("ldap: no core given")
	}
	base, err := parseDN(c.Base)
	if err != nil || len(base.RDNs) == 0 {
		return nil, fmt.Errorf("ldap: the base %q is not a distinguished name such as ou=people,dc=example,dc=org", c.Base)
	}
	service, err := parseDN(c.ServiceDN)
	if err != nil || len(service.RDNs) == 0 {
		return nil, fmt.Errorf("ldap: the service account %q is not a distinguished name such as cn=service,dc=example,dc=org", c.ServiceDN)
	}
	s := &Server{
		core: c.Core, baseText: c.Base, base: base, serviceText: c.ServiceDN, serviceDN: service,
		secret: sha256.Sum256(c.ServiceSecret), requireTLS: c.RequireTLS, now: c.Now, log: c.Log,
	}
	_, person := s.person(service)
	switch {
	case person:
		return nil, fmt.Errorf("ldap: the service account %q has the name of a person", c.ServiceDN)
	case len(c.ServiceSecret) < minServiceSecret:
		return nil, fmt.Errorf("ldap: the service account's secret has %d bytes, it needs at least %d", len(c.ServiceSecret), minServiceSecret)
	case c.RequireTLS && c.TLS == nil:
		return nil, errors.New("ldap: TLS is required, and there is no certificate for it")
	}
	if c.TLS != nil {
		s.tls = c.TLS.Clone()
		s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// isServiceSecret compares in constant time.
func (s *Server) isServiceSecret(password string) bool {
	got := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(got[:], s.secret[:]) == 1
}
