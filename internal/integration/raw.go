package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Element is one direct child of the stream, as it was on the wire.
type Element struct {
	XML   string // the bytes, prefixes and all
	Name  xml.Name
	Attrs map[string]string // by local name
	Child string            // the first child element's local name, if any
}

// Has says whether the element's text contains s.
func (e Element) Has(s string) bool { return strings.Contains(e.XML, s) }

// IsReply says whether the element is the iq result or error for this id.
func (e Element) IsReply(id string) bool {
	return e.Name.Local == "iq" && e.Attrs["id"] == id &&
		(e.Attrs["type"] == "result" || e.Attrs["type"] == "error")
}

// SASLError is the server's refusal of a login (RFC 6120 section 6.5).
type SASLError struct{ Condition string }

func (e *SASLError) Error() string { return "integration: login refused: " + e.Condition }

// ErrStreamEnded means that the server closed the stream or the connection.
var ErrStreamEnded = errors.New("integration: the stream ended")

// Raw is an XMPP client that knows nothing: what it sends and sees is what is
// on the wire. One goroutine may send while another receives.
type Raw struct {
	JID string // full, after Bind

	conn   net.Conn
	domain string
	in     chan Element
	done   chan struct{} // closed when the reader has ended
	quit   chan struct{} // closed by Close
}

// Dial connects and waits for the stream features.
func Dial(ctx context.Context, addr, domain string) (*Raw, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	return start(ctx, conn, domain)
}

// DialTLS is Dial with TLS from the first byte (XEP-0368). The server's
// certificate must be for the domain.
func DialTLS(ctx context.Context, addr, domain string, roots *x509.CertPool) (*Raw, error) {
	d := tls.Dialer{Config: &tls.Config{ServerName: domain, RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("integration: %w", err)
	}
	return start(ctx, conn, domain)
}

func start(ctx context.Context, conn net.Conn, domain string) (*Raw, error) {
	r := &Raw{
		conn: conn, domain: domain,
		in: make(chan Element, 1024), done: make(chan struct{}), quit: make(chan struct{}),
	}
	go r.read()
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// open sends a stream header and waits for the features.
func (r *Raw) open(ctx context.Context) error {
	if err := r.Send(ctx, streamHeader(r.domain)); err != nil {
		return err
	}
	_, err := r.Await(ctx, func(e Element) bool { return e.Name.Local == "features" })
	return err
}

// streamHeader opens a client's stream (RFC 6120 section 4.2).
func streamHeader(domain string) string {
	return "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
		"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + domain + "'>"
}

// Login authenticates with PLAIN and opens the new stream. A refusal is a
// *SASLError, after which another try is possible.
func (r *Raw) Login(ctx context.Context, user, password string) error {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	err := r.Send(ctx, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+plain+"</auth>")
	if err != nil {
		return err
	}
	answer, err := r.Await(ctx, func(e Element) bool { return e.Name.Space == "urn:ietf:params:xml:ns:xmpp-sasl" })
	if err != nil {
		return err
	}
	if answer.Name.Local != "success" {
		return &SASLError{Condition: answer.Child}
	}
	return r.open(ctx)
}

// Bind binds the resource and sets JID.
func (r *Raw) Bind(ctx context.Context, resource string) error {
	answer, err := r.Ask(ctx, "<iq type='set' id='raw-bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"+
		"<resource>"+resource+"</resource></bind></iq>")
	if err != nil {
		return err
	}
	var reply struct {
		JID string `xml:"bind>jid"`
	}
	if err := xml.Unmarshal([]byte(answer.XML), &reply); err != nil || reply.JID == "" {
		return fmt.Errorf("integration: bind refused: %s", answer.XML)
	}
	r.JID = reply.JID
	return nil
}

// Send writes s as it is.
func (r *Raw) Send(ctx context.Context, s string) error {
	deadline, _ := ctx.Deadline()
	if err := r.conn.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	if _, err := io.WriteString(r.conn, s); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	return nil
}

// Ask sends an iq and returns its result or error.
func (r *Raw) Ask(ctx context.Context, iq string) (Element, error) {
	var head struct {
		ID string `xml:"id,attr"`
	}
	if err := xml.Unmarshal([]byte(iq), &head); err != nil || head.ID == "" {
		return Element{}, fmt.Errorf("integration: not an iq with an id: %s", iq)
	}
	if err := r.Send(ctx, iq); err != nil {
		return Element{}, err
	}
	return r.Await(ctx, func(e Element) bool { return e.IsReply(head.ID) })
}

// Next is the next element from the server.
func (r *Raw) Next(ctx context.Context) (Element, error) {
	select {
	case e := <-r.in:
		return e, nil
	default:
	}
	select {
	case e := <-r.in:
		return e, nil
	case <-r.done:
		select {
		case e := <-r.in: // came in before the end
			return e, nil
		default:
			return Element{}, ErrStreamEnded
		}
	case <-ctx.Done():
		return Element{}, fmt.Errorf("integration: waiting for the server: %w", ctx.Err())
	}
}

// Await drops elements until one matches.
func (r *Raw) Await(ctx context.Context, match func(Element) bool) (Element, error) {
	for {
		e, err := r.Next(ctx)
		if err != nil || match(e) {
			return e, err
		}
	}
}

// Close cuts the connection without a word and waits for the reader's end.
func (r *Raw) Close() error {
	select {
	case <-r.quit:
		return nil
	default:
		close(r.quit)
	}
	err := r.conn.Close()
	<-r.done
	return err
}

// read hands on the elements of the connection's streams until it ends.
func (r *Raw) read() {
	defer close(r.done)
	for {
		restart, err := r.readStream()
		if err != nil || !restart {
			return
		}
	}
}

// readStream reads one XML stream; restart says that SASL succeeded and a new
// one follows.
func (r *Raw) readStream() (restart bool, err error) {
	var seen bytes.Buffer // what the decoder has read, from offset base on
	base := int64(0)
	d := xml.NewDecoder(io.TeeReader(r.conn, &seen))
	if err := skipHeader(d); err != nil {
		return false, err
	}
	for {
		start := d.InputOffset()
		tok, err := d.Token()
		if err != nil {
			return false, err
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			return false, nil
		case xml.StartElement:
			e := Element{Name: tok.Name, Attrs: make(map[string]string, len(tok.Attr))}
			for _, a := range tok.Attr {
				e.Attrs[a.Name.Local] = a.Value
			}
			if e.Child, err = skip(d); err != nil {
				return false, err
			}
			seen.Next(int(start - base))
			base = d.InputOffset()
			e.XML = string(seen.Next(int(base - start)))
			select {
			case r.in <- e:
			case <-r.quit:
				return false, net.ErrClosed
			}
			if e.Name.Local == "success" && strings.HasSuffix(e.Name.Space, ":xmpp-sasl") {
				return true, nil
			}
		}
	}
}

// skipHeader reads up to and with the stream's start tag.
func skipHeader(d *xml.Decoder) error {
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		if _, ok := tok.(xml.StartElement); ok {
			return nil
		}
	}
}

// skip reads to the end of the element whose start was just read, and names
// its first child.
func skip(d *xml.Decoder) (child string, err error) {
	for depth := 1; depth > 0; {
		tok, err := d.Token()
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if child == "" {
				child = tok.Name.Local
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return child, nil
}

// RawTimeout bounds each step of the helpers for tests.
const RawTimeout = 30 * time.Second
