package extauth

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// maxReply bounds what is read of an answer.
const maxReply = 4 << 10

// line is a connection to the service. net/http's own client has two goroutines
// for each, which a program that asks one thing at a time pays for with each
// question, and twice the memory.
type line struct {
	conn net.Conn
	r    *bufio.Reader
}

// dial connects.
func (c *Client) dial(ctx context.Context) (*line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, c.network, c.address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	if c.crypto != nil {
		secured := tls.Client(conn, c.crypto)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("extauth: ask: %w", err)
		}
		conn = secured
	}
	return &line{conn, bufio.NewReaderSize(conn, maxReply)}, nil
}

// exchange sends the question and reads the answer (RFC 9112), over the connection
// that is there or a new one. After an error there is none.
func (c *Client) exchange(ctx context.Context, body []byte) (status int, text []byte, err error) {
	secret, err := c.currentSecret()
	if err != nil {
		return 0, nil, err
	}
	if c.line == nil {
		if c.line, err = c.dial(ctx); err != nil {
			return 0, nil, err
		}
	}
	keep := false
	defer func() {
		if !keep {
			c.Close()
		}
	}()
	deadline, _ := ctx.Deadline()
	if err := c.line.conn.SetDeadline(deadline); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errAway, err)
	}
	if _, err := c.line.conn.Write(c.request(secret, body)); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errAway, err)
	}
	answer, err := http.ReadResponse(c.line.r, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errAway, err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errAway, err)
	}
	keep = !answer.Close && len(text) < maxReply && c.line.r.Buffered() == 0
	return answer.StatusCode, text, nil
}

// request is the question as it goes over the wire. Nothing in it is from
// elsewhere but what was checked: path and host are from a URL that was parsed,
// and the secret has no spaces or line ends.
func (c *Client) request(secret string, body []byte) []byte {
	b := make([]byte, 0, 256+len(body))
	b = append(b, "POST "+c.path+" HTTP/1.1\r\nHost: "+c.host+"\r\nAuthorization: Bearer "+secret+
		"\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
