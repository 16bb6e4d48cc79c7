package main

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// rover is a client with XEP-0198 that plays ball with a partner for as long as
// it is told to, and comes back whenever its WebSocket ends, for whatever reason.
type rover struct {
	name, address string // address is what it is seen as coming from
	url           string
	password      func(ctx context.Context, name string) (string, error)
	partner       *rover
	http          *http.Client

	bound   chan struct{} // closed when the session is there
	mu      sync.Mutex
	conn    *websocket.Conn // nil while there is none
	jid     string
	previd  string
	got     uint32 // stanzas, since <enabled/>
	acked   uint32 // of those sent
	unacked []string
	sent    int // messages to the partner
	seen    int // messages of the partner, in their order
	quiet   bool
	resumed int
	last    error // why it is not online, or was not the last time
	err     error // the first thing that must not happen
}

// throw is how long a ball is held. Each pair has one, and a throw is two
// messages.
const throw = 2 * time.Second

// frame is what a rover needs to know of one.
type roverFrame struct {
	XMLName xml.Name
	Type    string    `xml:"type,attr"`
	ID      string    `xml:"id,attr"`
	H       uint32    `xml:"h,attr"`
	JID     string    `xml:"bind>jid"`
	Body    string    `xml:"body"`
	Inside  string    `xml:",innerxml"`
	Error   *struct{} `xml:"error"`
}

// run lives until ctx ends. Only so many come online for the first time at
// once as turns has room for; those who come back wait a while of their own
// choice, and longer after each failure.
func (r *rover) run(ctx context.Context, turns chan struct{}) {
	wait := backoff
	for ctx.Err() == nil {
		if r.isNew() {
			turns <- struct{}{}
			go func() { // its turn is over when it is online, or soon
				select {
				case <-r.bound:
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				<-turns
			}()
		}
		before := r.times()
		err := r.session(ctx)
		if r.isLost(err) {
			return
		}
		if wait = min(2*wait, 16*backoff); r.times() > before {
			wait = backoff
		}
		select {
		case <-time.After(rand.N(wait)):
		case <-ctx.Done():
		}
	}
}

// backoff is the longest wait before the first try to come back.
const backoff = 500 * time.Millisecond

func (r *rover) isNew() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.previd == ""
}

// times is how often it has been online.
func (r *rover) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.previd == "" {
		return 0
	}
	return 1 + r.resumed
}

// isLost notes that there is no WebSocket, and why, and reports a failure.
func (r *rover) isLost(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn, r.last = nil, err
	return r.err != nil
}

// fail keeps the first thing that must not happen. It expects r.mu to be held.
func (r *rover) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: "+format, append([]any{r.name}, args...)...)
	}
}

// session is one WebSocket, from the handshake to its end.
func (r *rover) session(ctx context.Context) error {
	conn, _, err := websocket.Dial(ctx, r.url, &websocket.DialOptions{
		Subprotocols: []string{"xmpp"}, HTTPClient: r.http,
		HTTPHeader: http.Header{"Origin": {"http://127.0.0.1:8080"}, "X-Client": {r.address}},
	})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	secret, err := r.password(ctx, r.name)
	if err != nil {
		return err
	}
	auth := "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
		base64.StdEncoding.EncodeToString([]byte("\x00"+r.name+"\x00"+secret)) + "</auth>"
	for _, step := range []struct{ say, await string }{{openFrame, "features"}, {auth, "success"}, {openFrame, "features"}} {
		if _, err := r.ask(ctx, conn, step.say, step.await); err != nil {
			return err
		}
	}
	if r.previd == "" {
		err = r.begin(ctx, conn)
	} else {
		err = r.resume(ctx, conn)
	}
	for err == nil {
		err = r.listen(ctx, conn)
	}
	return err
}

// ask says something and passes over what comes until the element of that name.
func (r *rover) ask(ctx context.Context, conn *websocket.Conn, say, await string) (roverFrame, error) {
	if err := conn.Write(ctx, websocket.MessageText, []byte(say)); err != nil {
		return roverFrame{}, err
	}
	for {
		f, err := read(ctx, conn)
		if err != nil || f.XMLName.Local == await {
			return f, err
		}
		if f.XMLName.Local == "failure" || f.XMLName.Local == "failed" || f.XMLName.Local == "error" {
			return f, fmt.Errorf("<%s/> in place of <%s/>: %s", f.XMLName.Local, await, f.Inside)
		}
	}
}

func read(ctx context.Context, conn *websocket.Conn) (f roverFrame, err error) {
	_, b, err := conn.Read(ctx)
	if err == nil {
		err = xml.Unmarshal(b, &f)
	}
	return f, err
}

// begin binds and enables stream management.
func (r *rover) begin(ctx context.Context, conn *websocket.Conn) error {
	f, err := r.ask(ctx, conn, "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "iq")
	if err != nil || f.JID == "" {
		return fmt.Errorf("not bound: %w", err)
	}
	r.jid = f.JID
	enabled, err := r.ask(ctx, conn, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "enabled")
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.previd, r.conn = enabled.ID, conn
	close(r.bound)
	return nil
}

// resume takes the session up again and says once more what did not arrive. A
// session that is gone is a failure.
func (r *rover) resume(ctx context.Context, conn *websocket.Conn) error {
	r.mu.Lock()
	request := fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", r.previd, r.got)
	r.mu.Unlock()
	f, err := r.ask(ctx, conn, request, "resumed")
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.XMLName.Local == "failed" {
		r.fail("the session is lost")
	}
	if err != nil {
		return err
	}
	r.resumed++
	r.ack(f.H)
	r.conn = conn
	for _, stanza := range r.unacked {
		r.write(stanza)
	}
	return nil
}

// listen handles one frame.
func (r *rover) listen(ctx context.Context, conn *websocket.Conn) error {
	f, err := read(ctx, conn)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f.XMLName.Local {
	case "r":
		r.write(fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", r.got))
	case "a":
		r.ack(f.H)
	case "message", "iq", "presence":
		r.got++
		r.take(f)
	}
	return nil
}

// take handles a stanza: the partner's messages come in their order, each once.
func (r *rover) take(f roverFrame) {
	n, found := strings.CutPrefix(f.Body, "ball ")
	switch number, err := strconv.Atoi(n); {
	case f.Type == "error":
		r.fail("a stanza came back: %+v", f)
	case !found:
	case err != nil || number != r.seen+1:
		r.fail("message %q after %d", f.Body, r.seen)
	default:
		r.seen = number
		if number%2 == 0 { // each throw is two messages
			time.AfterFunc(throw, r.throw)
		}
	}
}

// throw sends the partner the next two messages.
func (r *rover) throw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet {
		return
	}
	for range 2 {
		r.sent++
		stanza := fmt.Sprintf("<message xmlns='jabber:client' type='chat' id='%d' to='%s'><body>ball %d</body></message>", r.sent, r.partner.jid, r.sent)
		r.unacked = append(r.unacked, stanza)
		r.write(stanza)
	}
	r.write("<r xmlns='urn:xmpp:sm:3'/>")
}

// ack forgets what the server has. It expects r.mu to be held.
func (r *rover) ack(h uint32) {
	n := h - r.acked
	if int(n) > len(r.unacked) {
		r.fail("the server counts %d of %d", h, r.acked+uint32(len(r.unacked)))
		return
	}
	r.unacked, r.acked = r.unacked[n:], h
}

// write says something if there is somebody to say it to; what is lost is in
// unacked. It expects r.mu to be held.
func (r *rover) write(s string) {
	if r.conn != nil {
		_ = r.conn.Write(context.Background(), websocket.MessageText, []byte(s))
	}
}

// rest has it throw nothing any more.
func (r *rover) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quiet = true
}

// state is what a test asks for.
func (r *rover) state() (sent, seen, resumed int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent, r.seen, r.resumed, r.err
}
