package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// errFrameTooBig is what read returns for a message over its limit.
var errFrameTooBig = errors.New("gateway: the message is over the limit")

// browser is one WebSocket. One goroutine calls read, one calls write; any
// goroutine may put.
type browser struct {
	ws    *websocket.Conn
	conn  *browserConn
	queue *queue
	done  chan struct{} // closed when write has returned
	rest  io.Reader     // of a message that was too big
}

// accept upgrades a request that has been checked.
func accept(w http.ResponseWriter, r *http.Request, l Limits) (*browser, error) {
	conn := &browserConn{stall: l.Stall}
	conn.heard.Store(time.Now().UnixNano())
	// The origin has been checked against the configured list; the library
	// would also let in pages from the host itself.
	ws, err := websocket.Accept(&hijacker{w, conn}, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, InsecureSkipVerify: true,
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1) // read has its own, so that a stream error can go first
	return &browser{ws: ws, conn: conn, queue: newQueue(l.Queue), done: make(chan struct{})}, nil
}

// read returns the next message of at most limit bytes. Errors:
// errFrameTooBig, framing.ErrBinary, or that of a connection that has ended.
func (b *browser) read(limit int) ([]byte, error) {
	kind, r, err := b.ws.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	frame, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(frame) > limit:
		b.rest = r
		return nil, errFrameTooBig
	case kind != websocket.MessageText:
		return nil, framing.ErrBinary
	}
	return frame, nil
}

// discard reads on after the stream is over until the connection ends. It
// calls closed when the browser's <close/> comes in.
func (b *browser) discard(limit int, closed func()) {
	if b.rest != nil {
		if _, err := io.Copy(io.Discard, b.rest); err != nil {
			return
		}
	}
	for {
		_, r, err := b.ws.Reader(context.Background())
		if err != nil {
			return
		}
		frame, err := io.ReadAll(io.LimitReader(r, int64(limit)))
		if err != nil {
			return
		}
		if e, err := framing.ParseFrame(frame, framing.ClientLimits); err == nil && framing.IsClose(e) {
			closed()
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

// write sends what is queued until the queue is finished or a write fails.
func (b *browser) write() error {
	defer close(b.done)
	for range b.queue.ready {
		for {
			frames, open := b.queue.take(flushAt)
			if len(frames) == 0 {
				if !open {
					return nil
				}
				break
			}
			if err := b.send(frames); err != nil {
				return err
			}
			b.queue.written(frames)
		}
	}
	return nil
}

// send writes frames as one message each, in one write to the network.
func (b *browser) send(frames [][]byte) error {
	b.conn.cork()
	for _, f := range frames {
		if err := b.ws.Write(context.Background(), websocket.MessageText, f); err != nil {
			return errors.Join(err, b.conn.uncork())
		}
	}
	return b.conn.uncork()
}

// ping asks the browser for a sign of life and waits for it a little. The
// answer is noticed by read, whenever it comes.
func (b *browser) ping(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = b.ws.Ping(ctx) // silence is what counts
}
