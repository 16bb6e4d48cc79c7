package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// upgrade has the WebSocket library check a request and answer the opening
// handshake (RFC 6455 section 4.2), and takes the connection for itself: the
// library's own end of it leads nowhere and is closed. early is what the
// browser sent behind its request.
func upgrade(w http.ResponseWriter, r *http.Request) (conn net.Conn, early []byte, err error) {
	h := &hijacker{ResponseWriter: w}
	// The origin has been checked against the configured list; the library
	// would also let in pages from the host itself.
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if h.conn != nil {
			err = errors.Join(err, h.conn.Close())
		}
		return nil, nil, err
	}
	_ = ws.CloseNow()
	return h.conn, h.early, nil
}

// hijacker keeps the connection that the WebSocket library asks for, and gives
// it one that leads nowhere.
type hijacker struct {
	http.ResponseWriter
	conn  net.Conn
	early []byte
}

// Hijack is http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: %w", err)
	}
	h.conn = conn
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err == nil {
		err = conn.SetDeadline(time.Time{}) // the HTTP server's deadlines are not the stream's
	}
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: %w", err)
	}
	h.early = bytes.Clone(early)
	tune(conn)
	return nowhere{}, bufio.NewReadWriter(bufio.NewReader(nowhere{}), bufio.NewWriter(nowhere{})), nil
}

// nowhere is a connection at its end.
type nowhere struct{ net.Conn }

func (nowhere) Read([]byte) (int, error)    { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }
