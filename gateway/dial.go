package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

// errBusy means that too many connections to the XMPP server are being made.
var errBusy = errors.New("gateway: too many connections to the XMPP server are being made")

// shareOfTime is the least that one of several addresses is given.
const shareOfTime = 2 * time.Second

// upstream is the way to the XMPP server: it finds it, connects to it safely,
// and knows how it was last found (health). Any goroutine may call its methods.
type upstream struct {
	cfg     Upstream
	domain  string // as in addresses
	host    string // the domain as DNS and certificates spell it
	limits  Limits
	now     func() time.Time
	rand    io.Reader
	log     *slog.Logger
	names   *net.Resolver
	metrics dialMetrics
	slots   chan struct{} // a token for each connection that is being made
	health  health
}

func newUpstream(cfg Config) (*upstream, error) {
	host, err := idna.Lookup.ToASCII(cfg.Domain)
	if err != nil {
		return nil, fmt.Errorf("gateway: domain %q is no name of DNS: %w", cfg.Domain, err)
	}
	m, err := newDialMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	return &upstream{
		cfg: cfg.Upstream, domain: cfg.Domain, host: host, limits: cfg.Limits, now: cfg.Now, rand: cfg.Rand,
		log: cfg.Log, names: net.DefaultResolver, metrics: m, slots: make(chan struct{}, cfg.Limits.Dials), health: health{wake: make(chan struct{}, 1)},
	}, nil
}

// connect reaches the XMPP server and returns a connection that is as safe as
// the configuration says, no XMPP stream on it. The caller closes it. client is
// whom the server shall take it for (PROXY protocol), the zero value the gateway
// itself.
func (u *upstream) connect(ctx context.Context, client netip.AddrPort) (net.Conn, error) {
	conn, release, err := u.begin(ctx, client)
	if err != nil {
		return nil, err
	}
	release()
	return conn, nil
}

// begin is connect, but keeps its dial slot until release, so that no more than
// Limits.Dials connections wait for a greeting. release may be called more than
// once.
//
// While the server is known to be out of reach, nobody but one probe asks, and
// all share its answer. Errors: a *fault, errBusy, or that of ctx.
func (u *upstream) begin(ctx context.Context, client netip.AddrPort) (conn net.Conn, release func(), err error) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, u.limits.Dial)
	defer cancel()
	if err := u.turn(ctx); err != nil {
		if whole.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return nil, nil, errBusy
		}
		return nil, nil, err
	}
	conn, err = u.dial(ctx, client)
	if err == nil {
		return conn, sync.OnceFunc(func() { <-u.slots }), nil
	}
	<-u.slots
	if whole.Err() != nil {
		return nil, nil, whole.Err() // nobody waits any more, which is not the server's fault
	}
	u.suspect(whole, err)
	return nil, nil, err
}

// turn waits until a connection may be made and takes a slot for it.
func (u *upstream) turn(ctx context.Context) error {
	for {
		if err := u.answers(ctx); err != nil {
			return err
		}
		select {
		case u.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if u.health.fault() == nil {
			return nil
		}
		<-u.slots // it has gone while we waited
	}
}

// dial tries the server's addresses in their order. All steps count: an address
// whose certificate is wrong is no better than one that nobody listens at.
func (u *upstream) dial(ctx context.Context, client netip.AddrPort) (net.Conn, error) {
	list, err := u.targets(ctx)
	if err != nil {
		return nil, err
	}
	var faults []*fault
	for i, t := range list.targets {
		conn, err := u.attempt(ctx, t, client, len(list.targets)-i)
		if err == nil {
			return conn, nil
		}
		faults = append(faults, asFault(err, atConnect, t.String()))
		if ctx.Err() != nil {
			break
		}
	}
	if list.doubt != nil { // these are not the domain's own words
		faults = append([]*fault{list.doubt}, faults...)
	}
	return nil, joined(faults)
}

// attempt connects to one of left targets that have not been tried.
func (u *upstream) attempt(ctx context.Context, t target, client netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(deadline)/time.Duration(left), shareOfTime)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	conn, err := u.connectTCP(ctx, t)
	if err != nil {
		return nil, err
	}
	secure, err := u.prepare(ctx, conn, t, client)
	if err != nil {
		_ = conn.Close() // the first error counts
		return nil, err
	}
	return secure, nil
}

// connectTCP opens the TCP connection.
func (u *upstream) connectTCP(ctx context.Context, t target) (net.Conn, error) {
	lookup := func(ctx context.Context, network string) ([]netip.Addr, error) {
		ctx, cancel := context.WithTimeout(ctx, u.limits.Lookup)
		defer cancel()
		return u.addresses(ctx, network, t.host)
	}
	tcp := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3,
	}}
	conn, err := race(ctx, lookup, func(ctx context.Context, addr netip.Addr) (net.Conn, error) {
		if u.cfg.TLS == TLSPlain && !addr.IsLoopback() {
			return nil, newFault(atLookup, t.name(), errNotLoopback)
		}
		ctx, cancel := context.WithTimeout(ctx, u.limits.Connect)
		defer cancel()
		return tcp.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, t.port).String())
	})
	if err != nil {
		return nil, asFault(err, atConnect, t.String())
	}
	tune(conn)
	setUserTimeout(conn)
	return conn, nil
}

// prepare makes a TCP connection safe. It does not close it.
func (u *upstream) prepare(ctx context.Context, conn net.Conn, t target, client netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, u.limits.Secure)
	defer cancel()
	if u.cfg.ProxyProtocol {
		if err := u.introduce(ctx, conn, client); err != nil {
			return nil, asFault(err, atProxy, t.String())
		}
	}
	switch {
	case u.isPlain():
		return conn, nil
	case t.direct:
		secure, err := u.handshake(ctx, conn, true)
		if err != nil {
			return nil, asFault(err, atTLS, t.String())
		}
		return secure, nil
	default:
		secure, err := u.startTLS(ctx, conn)
		if err != nil {
			return nil, asFault(err, atStartTLS, t.String())
		}
		return secure, nil
	}
}

func (u *upstream) isPlain() bool { return u.cfg.TLS == TLSPlain || u.cfg.TLS == TLSInsecurePlain }

// addresses are those of a host of one kind: "ip4" or "ip6".
func (u *upstream) addresses(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(host, "."))
	if err != nil {
		return u.names.LookupNetIP(ctx, network, host)
	}
	if addr.Unmap().Is4() == (network == "ip4") {
		return []netip.Addr{addr.Unmap()}, nil
	}
	return nil, nil
}

// dice is a source of random numbers from the configured randomness.
func (u *upstream) dice() (*mathrand.Rand, error) {
	var seed [32]byte
	if _, err := io.ReadFull(u.rand, seed[:]); err != nil {
		return nil, fmt.Errorf("gateway: randomness: %w", err)
	}
	return mathrand.New(mathrand.NewChaCha8(seed)), nil
}
