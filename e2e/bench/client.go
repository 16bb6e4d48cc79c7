package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// patience bounds each step: something is broken when it takes longer.
const patience = 30 * time.Second

// client is an RFC 7395 client that has logged in.
type client struct {
	conn *websocket.Conn
	jid  string
}

const opening = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='` + domain + `' version='1.0'/>`

// login opens a stream and returns when a resource is bound, with the time it took.
func (s *setup) login(ctx context.Context, way, name string) (*client, time.Duration, error) {
	password, _, err := s.tokens.IssueTemporary(ctx, name, "bench")
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	conn, _, err := websocket.Dial(ctx, way, &websocket.DialOptions{
		Subprotocols: []string{"xmpp"}, HTTPHeader: http.Header{"Origin": {s.origin}},
	})
	if err != nil {
		return nil, 0, err
	}
	conn.SetReadLimit(1 << 20)
	c := &client{conn: conn, jid: name + "@" + domain}
	auth := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + password))
	for _, step := range []struct{ send, expect string }{
		{opening, "mechanisms"},
		{`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + auth + `</auth>`, "<success"},
		{opening, "xmpp-bind"},
		{`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`, "<jid>"},
	} {
		if err := c.send(ctx, step.send); err != nil {
			return nil, 0, err
		}
		if _, err := c.expect(ctx, step.expect); err != nil {
			return nil, 0, fmt.Errorf("%s: login of %s: %w", way, name, err)
		}
	}
	took := time.Since(began)
	// Available, so that messages to the bare address arrive here.
	return c, took, c.send(ctx, `<presence xmlns='jabber:client'/>`)
}

func (c *client) send(ctx context.Context, frame string) error {
	return c.conn.Write(ctx, websocket.MessageText, []byte(frame))
}

// expect reads frames until one holds text.
func (c *client) expect(ctx context.Context, text string) ([]byte, error) {
	for {
		_, frame, err := c.conn.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("waiting for %q: %w", text, err)
		}
		if bytes.Contains(frame, []byte(text)) {
			return frame, nil
		}
	}
}

func (c *client) say(ctx context.Context, to *client, body string) error {
	return c.send(ctx, fmt.Sprintf(`<message xmlns='jabber:client' to='%s' type='chat'><body>%s</body></message>`, to.jid, body))
}

// end closes the stream properly, so that the server keeps nothing of it.
func (c *client) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if c.send(ctx, `<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`) == nil {
		_, _ = c.expect(ctx, "<close") // it may be cut off instead, which ends it too
	}
	c.conn.CloseNow()
}

// trip is a message and its answer.
func trip(ctx context.Context, a, b *client) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	if err := a.say(ctx, b, "ping"); err != nil {
		return 0, err
	}
	if _, err := b.expect(ctx, "<body>ping</body>"); err != nil {
		return 0, err
	}
	if err := b.say(ctx, a, "pong"); err != nil {
		return 0, err
	}
	if _, err := a.expect(ctx, "<body>pong</body>"); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// throughput sends n messages without waiting, and counts them at the other end.
func throughput(ctx context.Context, a, b *client, n int) (perSecond float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	sent := make(chan error, 1)
	go func() { // ends with the loop below, or with ctx
		for i := range n {
			if err := a.say(ctx, b, fmt.Sprint("message ", i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range n {
		// In order and complete: a message that is lost makes this wait in vain.
		if _, err := b.expect(ctx, fmt.Sprintf("<body>message %d</body>", i)); err != nil {
			cancel()
			<-sent
			return 0, err
		}
	}
	took := time.Since(began)
	return float64(n) / took.Seconds(), <-sent
}
