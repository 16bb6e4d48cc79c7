package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const nsTLS = "urn:ietf:params:xml:ns:xmpp-tls"

// Ways in which a server that talks XMPP cannot be used.
var (
	errNoStartTLS  = errors.New("the server does not offer STARTTLS")
	errRefusedTLS  = errors.New("the server refused STARTTLS")
	errEarlyWords  = errors.New("the server spoke before the handshake")
	errNoFeatures  = errors.New("the server sent no stream features")
	errStreamEnded = errors.New("the server ended the stream")
)

// streamErrored is the server's stream error in place of an answer. Its condition
// comes into logs.
type streamErrored struct{ condition string }

func (e *streamErrored) Error() string { return "the server ended the stream: " + e.condition }

// tlsConfig checks the certificate against the XMPP domain, whatever host the
// domain's server runs on (RFC 6120 section 13.7.2).
func (u *upstream) tlsConfig(direct bool) *tls.Config {
	c := &tls.Config{ServerName: u.host, RootCAs: u.cfg.RootCAs, MinVersion: tls.VersionTLS12, Time: u.now}
	if direct {
		c.NextProtos = []string{"xmpp-client"} // XEP-0368
	}
	return c
}

// handshake starts TLS.
func (u *upstream) handshake(ctx context.Context, conn net.Conn, direct bool) (net.Conn, error) {
	secure := tls.Client(conn, u.tlsConfig(direct))
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// startTLS negotiates TLS on a plain connection (RFC 6120 section 5.4).
func (u *upstream) startTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	release := bounded(ctx, conn)
	defer release()
	c := newOwnServer(conn, u.limits.Secure)
	features, err := c.open(u.domain)
	if err != nil {
		return nil, inTime(ctx, err)
	}
	if features.Child(nsTLS, "starttls") == nil {
		return nil, errNoStartTLS
	}
	c.queue([]byte("<starttls xmlns='" + nsTLS + "'/>"))
	answer, err := c.ask()
	if err != nil {
		return nil, inTime(ctx, err)
	}
	if !answer.Is(nsTLS, "proceed") {
		return nil, errRefusedTLS
	}
	// What came before the handshake is nobody's: it could have been put there
	// by whoever sits between.
	if c.split.Buffered() > 0 {
		return nil, errEarlyWords
	}
	if !release() {
		return nil, ctx.Err()
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	secure, err := u.handshake(ctx, conn, false)
	if err != nil {
		return nil, newFault(atTLS, "", err)
	}
	return secure, nil
}

// bounded ends the reads and writes of conn when ctx ends. release stops that,
// and reports false if ctx has ended already.
func bounded(ctx context.Context, conn net.Conn) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// inTime is err, or that of ctx if it was ctx that ended what failed.
func inTime(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
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
	switch {
	case err != nil:
		return nil, err
	case item.Kind == framing.Stanza && item.Element.Is(framing.NSStream, "error"):
		return nil, &streamErrored{string(conditionOfStream(item.Element))}
	case item.Kind != framing.Stanza || !item.Element.Is(framing.NSStream, "features"):
		return nil, errNoFeatures
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
		return nil, errStreamEnded
	}
	return item.Element, nil
}
