package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"mellium.im/xmpp/dial"
	"mellium.im/xmpp/jid"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const nsTLS = "urn:ietf:params:xml:ns:xmpp-tls"

// connect reaches the XMPP server and returns a connection that is as safe as
// the configuration says, no XMPP stream on it. The caller closes it.
func (g *Gateway) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, g.limits.Dial)
	defer cancel()
	conn, err := g.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("gateway: connecting to the XMPP server: %w", err)
	}
	tune(conn)
	if _, secure := conn.(*tls.Conn); secure || g.isPlain() {
		return conn, nil
	}
	secure, err := g.startTLS(ctx, conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: STARTTLS: %w", err), conn.Close())
	}
	return secure, nil
}

func (g *Gateway) isPlain() bool {
	return g.cfg.Upstream.TLS == TLSPlain || g.cfg.Upstream.TLS == TLSInsecurePlain
}

// dial opens the TCP connection, and TLS on it where it is direct.
func (g *Gateway) dial(ctx context.Context) (net.Conn, error) {
	up := g.cfg.Upstream
	tcp := net.Dialer{Resolver: net.DefaultResolver, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3,
	}}
	switch {
	case up.Address == "":
		address, err := jid.New("", g.cfg.Domain, "")
		if err != nil {
			return nil, err
		}
		d := dial.Dialer{Dialer: tcp, NoTLS: up.TLS == TLSStart, TLSConfig: g.tlsConfig(true)}
		return d.Dial(ctx, "tcp", address)
	case up.TLS == TLSDirect:
		d := tls.Dialer{NetDialer: &tcp, Config: g.tlsConfig(true)}
		return d.DialContext(ctx, "tcp", up.Address)
	default:
		return tcp.DialContext(ctx, "tcp", up.Address)
	}
}

// tlsConfig checks the certificate against the XMPP domain, whatever host the
// domain's server runs on (RFC 6120 section 13.7.2).
func (g *Gateway) tlsConfig(direct bool) *tls.Config {
	c := &tls.Config{ServerName: g.cfg.Domain, RootCAs: g.cfg.Upstream.RootCAs, MinVersion: tls.VersionTLS12}
	if direct {
		c.NextProtos = []string{"xmpp-client"} // XEP-0368
	}
	return c
}

// startTLS negotiates TLS on a plain connection (RFC 6120 section 5.4).
func (g *Gateway) startTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := newOwnServer(conn, g.limits.Dial)
	features, err := c.open(g.cfg.Domain)
	if err != nil {
		return nil, err
	}
	if features.Child(nsTLS, "starttls") == nil {
		return nil, errors.New("the server does not offer it")
	}
	c.queue([]byte("<starttls xmlns='" + nsTLS + "'/>"))
	answer, err := c.ask()
	if err != nil {
		return nil, err
	}
	if !answer.Is(nsTLS, "proceed") {
		return nil, errors.New("the server refused")
	}
	// What came before the handshake is nobody's: it could have been put there
	// by whoever sits between.
	if c.split.Buffered() > 0 {
		return nil, errors.New("the server spoke before the handshake")
	}
	secure := tls.Client(conn, g.tlsConfig(false))
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if !stop() {
		return nil, ctx.Err()
	}
	return secure, conn.SetDeadline(time.Time{})
}

// open starts a stream and waits for its features. Only for streams of the
// gateway itself.
func (c *server) open(domain string) (*framing.Element, error) {
	c.queue(framing.AppendStreamHeader(nil, framing.Header{To: domain, Version: "1.0"}))
	if err := c.flush(); err != nil {
		return nil, err
	}
	item, err := c.next(c.flushNow)
	if err == nil && item.Kind == framing.StreamStart {
		item, err = c.next(c.flushNow)
	}
	if err != nil {
		return nil, err
	}
	if item.Kind != framing.Stanza || !item.Element.Is(framing.NSStream, "features") {
		return nil, errors.New("the server sent no stream features")
	}
	return item.Element, nil
}

// ask flushes and waits for the next element.
func (c *server) ask() (*framing.Element, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	item, err := c.next(c.flushNow)
	if err != nil {
		return nil, err
	}
	if item.Kind != framing.Stanza {
		return nil, errors.New("the server ended the stream")
	}
	return item.Element, nil
}
