package gateway_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// far is an XMPP server of which a test says every word. It takes the gateway's
// connections one by one, and ends one when the gateway does.
type far struct {
	t        *testing.T
	listener *net.TCPListener
	conn     net.Conn
	ear      *farEar
}

// farEar is what came on one connection and is not yet expected.
type farEar struct {
	more chan struct{} // holds a token when there is news

	mu   sync.Mutex
	rest string
	over bool
}

func newFar(t *testing.T) *far {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &far{t: t, listener: l.(*net.TCPListener)}
	t.Cleanup(func() {
		_ = l.Close()
		if f.conn != nil {
			_ = f.conn.Close()
		}
	})
	return f
}

// accept waits for the gateway.
func (f *far) accept() {
	f.t.Helper()
	if f.conn != nil {
		_ = f.conn.Close()
	}
	require.NoError(f.t, f.listener.SetDeadline(time.Now().Add(2*waitLimit)))
	conn, err := f.listener.Accept()
	require.NoError(f.t, err)
	h := &farEar{more: make(chan struct{}, 1)}
	f.conn, f.ear = conn, h
	done := make(chan struct{})
	go func() { defer close(done); h.listen(conn) }()
	f.t.Cleanup(func() { _ = conn.Close(); <-done })
}

func (h *farEar) listen(conn net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		h.mu.Lock()
		h.rest += string(buf[:n])
		h.over = err != nil
		h.mu.Unlock()
		select {
		case h.more <- struct{}{}:
		default:
		}
		if err != nil {
			_ = conn.Close()
			return
		}
	}
}

// until waits for s, takes all up to its end, and reports whether it came before
// the connection ended.
func (f *far) until(s string) (seen string, came bool) {
	f.t.Helper()
	patience := time.After(2 * waitLimit)
	h := f.ear
	for {
		h.mu.Lock()
		i := strings.Index(h.rest, s)
		if i >= 0 {
			i += len(s)
			seen, h.rest = h.rest[:i], h.rest[i:]
		} else if h.over {
			seen, h.rest = h.rest, ""
		}
		rest, over := h.rest, h.over
		h.mu.Unlock()
		if i >= 0 || over {
			return seen, i >= 0
		}
		select {
		case <-h.more:
		case <-patience:
			f.t.Fatalf("waited for %q, there is %q", s, rest)
		}
	}
}

// expect reads until s has come and returns all up to its end.
func (f *far) expect(s string) string {
	f.t.Helper()
	seen, came := f.until(s)
	require.True(f.t, came, "%q came, and not %q", seen, s)
	return seen
}

// ended is all that comes until the gateway ends its stream, which the far end
// answers (RFC 6120 section 4.4), or the connection.
func (f *far) ended() string {
	f.t.Helper()
	seen, came := f.until("</stream:stream>")
	if came { // the gateway may not wait for it
		_, _ = io.WriteString(f.conn, "</stream:stream>")
		_ = f.conn.Close()
	}
	return seen
}

func (f *far) say(xml string) {
	f.t.Helper()
	_, err := io.WriteString(f.conn, xml)
	require.NoError(f.t, err)
}

const (
	farHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" + framing.NSStream +
		"' from='" + domain + "' id='%s' version='1.0' xml:lang='en'>"
	farMechanisms = "<stream:features><mechanisms xmlns='" + nsSASL + "'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	farBind       = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>" + blockingApart + "</stream:features>"
)

// greet answers a stream header with one of its own and features.
func (f *far) greet(id, features string) string {
	f.t.Helper()
	header := f.expect("<stream:stream") + f.expect(">")
	f.say(fmt.Sprintf(farHeader, id) + features)
	return header
}

// knows is a Credentials of one person.
type knows struct{}

func (knows) Lookup(_ context.Context, username, secret string) (account, session, credential string, ok bool, err error) {
	return "id-" + username, "s-" + username, "c-" + username, username == "alice" && secret == farSecret, nil
}

const farSecret = "tlt_on-the-wire"

// accepts is what a server answers to wsKey.
func accepts() string {
	sum := sha1.Sum([]byte(wsKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
