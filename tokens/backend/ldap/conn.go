package ldap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// noticeOfDisconnection is the name of the response that says why the server
// hangs up (RFC 4511 section 4.4.1).
const noticeOfDisconnection = "1.3.6.1.4.1.1466.20036"

var (
	errTooLong    = errors.New("ldap: a message is too long")
	errOperations = errors.New("ldap: too many operations on one connection")
	errBindEnded  = errors.New("ldap: a person's bind has ended; bind again")
)

// conn is one connection. All but trusted belongs to its goroutine.
type conn struct {
	server    *Server
	net       net.Conn // as accepted; closing it ends everything
	stream    net.Conn // net, or TLS over it
	reader    *bufio.Reader
	encrypted bool

	who        identity
	trusted    atomic.Bool // was bound as the service account, if only for a moment
	operations int
}

// identity is whom a connection is bound as.
type identity struct {
	service bool
	person  string    // "" for nobody
	until   time.Time // of a person: when the bind ends
}

func (i identity) stranger() bool { return !i.service && i.person == "" }

// from is the other end, without its port.
func (c *conn) from() string {
	addr := c.net.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// serve answers one message after another until either side ends it. A client
// whose message cannot be trusted is told and left.
func (c *conn) serve(ctx context.Context) error {
	c.reader = bufio.NewReaderSize(c.stream, 4096)
	for {
		packet, err := c.read()
		if err == nil {
			var r request
			if r, err = decode(packet); err == nil {
				var more bool
				if more, err = c.handle(ctx, r); err == nil && !more {
					return nil
				}
			}
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, errMalformed), errors.Is(err, errTooLong):
			c.hangUp(result{goldap.LDAPResultProtocolError, err.Error()})
		case errors.Is(err, errOperations), errors.Is(err, errBindEnded):
			c.hangUp(result{goldap.LDAPResultUnavailable, err.Error()})
		}
		return err
	}
}

// read waits for a message, as long as this client may be silent, and then for
// its end.
func (c *conn) read() (*ber.Packet, error) {
	if err := c.stream.SetReadDeadline(c.patience()); err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	if _, err := c.reader.Peek(1); err != nil {
		if endErr := c.endBind(); endErr != nil {
			return nil, endErr
		}
		return nil, fmt.Errorf("ldap: waiting for a message: %w", err)
	}
	if err := c.stream.SetReadDeadline(c.server.now().Add(messageTime)); err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	return readMessage(c.reader)
}

// readMessage decodes the next element, of which it reads no more than
// maxMessage bytes.
func readMessage(r io.Reader) (*ber.Packet, error) {
	limited := &io.LimitedReader{R: r, N: maxMessage}
	packet, err := ber.ReadPacket(limited)
	var timeout net.Error
	switch {
	case err == nil:
		return packet, nil
	case limited.N <= 0:
		return nil, errTooLong
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &timeout):
		return nil, fmt.Errorf("ldap: in the middle of a message: %w", err)
	default:
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
}

// patience is until when the connection may be silent.
func (c *conn) patience() time.Time {
	switch {
	case c.trusted.Load():
		return c.server.now().Add(serviceIdle)
	case c.who.person != "":
		return c.who.until
	default:
		return c.server.now().Add(strangerIdle)
	}
}

// endBind ends a person's bind whose time is up, and with it, by the error, the
// connection: the password may have been revoked since, and it is not kept to
// ask again. On a connection of the service account nobody is bound then.
func (c *conn) endBind() error {
	if c.who.person == "" || c.server.now().Before(c.who.until) {
		return nil
	}
	c.who = identity{}
	if c.trusted.Load() {
		return nil
	}
	return errBindEnded
}

// handle answers one request. more is false when the client has said goodbye.
func (c *conn) handle(ctx context.Context, r request) (more bool, err error) {
	if c.operations++; c.operations > maxOperations && !c.trusted.Load() {
		return false, errOperations
	}
	if r.op != goldap.ApplicationBindRequest {
		if err := c.endBind(); err != nil {
			return false, err
		}
	}
	switch r.op {
	case goldap.ApplicationUnbindRequest:
		return false, nil
	case goldap.ApplicationAbandonRequest: // section 4.11: what it names is done
		return true, nil
	}
	tag, known := answerTo(r.op)
	switch {
	case !known:
		return false, errMalformed
	case r.critical: // section 4.1.11
		return true, c.write(r.id, encodeResult(tag, result{goldap.LDAPResultUnavailableCriticalExtension, "no control is known here"}))
	case r.op == goldap.ApplicationBindRequest:
		return true, c.write(r.id, encodeResult(tag, c.bind(ctx, r.bind)))
	case r.op == goldap.ApplicationSearchRequest:
		return true, c.answerSearch(ctx, r)
	case r.op == goldap.ApplicationExtendedRequest:
		return true, c.extended(ctx, r)
	default:
		return true, c.write(r.id, encodeResult(tag, result{goldap.LDAPResultUnwillingToPerform, "this directory is read-only"}))
	}
}

func (c *conn) write(id int64, op *ber.Packet) error {
	if err := c.stream.SetWriteDeadline(c.server.now().Add(messageTime)); err != nil {
		return fmt.Errorf("ldap: %w", err)
	}
	if _, err := c.stream.Write(envelope(id, op)); err != nil {
		return fmt.Errorf("ldap: %w", err)
	}
	return nil
}

// hangUp says why the connection ends; whether that arrives does not matter.
func (c *conn) hangUp(r result) {
	_ = c.write(0, encodeExtended(r, noticeOfDisconnection, nil))
}
