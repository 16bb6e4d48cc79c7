package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/wsframe"
)

// errCut comes with the beginning of a message that was over the limit.
var errCut = errors.New("gateway: the message was over the limit")

// browser is one WebSocket after its handshake. One goroutine calls read and
// discard; any goroutine the rest.
type browser struct {
	sock  *socket
	in    wsframe.Reader
	queue queue
	heard atomic.Int64 // when bytes came last, in Unix nanoseconds
	left  latch        // nothing more is read

	closing sync.Once

	// The reader's alone.
	pong   []byte // the answer that is due to a ping
	pinged bool
	got    int  // bytes since the stream last counted them
	begun  bool // begin has been called
	roused bool // a rest has ended, and no message has come since
	fed    bool // bytes came since begin
}

// newBrowser takes a connection after the handshake, and what came behind the
// request. The queue is the caller's to set up.
func newBrowser(sock *socket, early []byte) *browser {
	b := &browser{sock: sock, got: len(early)}
	b.heard.Store(time.Now().UnixNano())
	for r := bytes.NewReader(early); r.Len() > 0; {
		_, _ = b.in.Fill(r) // such a reader has no errors
	}
	return b
}

// closed is the end of a WebSocket by a close frame of the browser.
type closed int

func (c closed) Error() string {
	return fmt.Sprintf("gateway: the browser closed with code %d", int(c))
}

// begin is for a goroutine that goes on reading, after the first.
func (b *browser) begin() { b.roused, b.fed = b.begun, false; b.begun = true }

// read returns the next message of at most limit bytes, as many as that is when it
// begins to come in; it may be overwritten, and lives until the next call. Before it
// waits it calls before. Errors:
// wsframe.ErrTooBig for one that is over the limit, and then errCut with its
// beginning when it has gone by; framing.ErrBinary, errRest, closed, a
// *wsframe.Error, or that of a connection that has ended.
func (b *browser) read(limit func() int, before func()) ([]byte, error) {
	for {
		m, err := b.in.Next(limit())
		if errors.Is(err, wsframe.ErrNeedMore) {
			b.answerPing()
			before()
			if b.roused && b.fed { // a pong, as it seems
				b.in.Release()
				return nil, errRest
			}
			if err := b.fill(); err != nil {
				return nil, err
			}
			b.fed = true
			continue
		}
		if err != nil {
			return nil, err
		}
		switch m.Kind {
		case wsframe.Text:
			b.roused = false
			if m.Cut {
				return m.Data, errCut
			}
			return m.Data, nil
		case wsframe.Binary:
			return nil, framing.ErrBinary
		case wsframe.Ping:
			b.pong, b.pinged = append(b.pong[:0], m.Data...), true
		case wsframe.Close:
			b.close(m.Code, "")
			return nil, closed(m.Code)
		}
	}
}

// fill waits for bytes.
func (b *browser) fill() error {
	n, err := b.sock.fill(&b.in)
	b.got += n
	if n > 0 {
		b.heard.Store(time.Now().UnixNano())
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// answerPing answers the last ping that was read (RFC 6455 section 5.5.3).
func (b *browser) answerPing() {
	if b.pinged {
		b.pinged = false
		b.control(wsframe.Pong, b.pong)
	}
}

// discard reads on after the stream is over until the connection ends. It
// calls closed when the browser's <close/> comes in.
func (b *browser) discard(limit int, closed func()) {
	for {
		frame, err := b.read(func() int { return limit }, func() { _ = b.queue.flush() })
		switch {
		case err == nil:
			if e, err := framing.ParseFrame(frame, framing.ClientLimits); err == nil && framing.IsClose(e) {
				closed()
			}
		case errors.Is(err, errRest):
			b.roused = false
		case errors.Is(err, wsframe.ErrTooBig), errors.Is(err, errCut), errors.Is(err, framing.ErrBinary):
		default:
			return
		}
	}
}

// put hands a frame over as one message, for the next flush. It waits for room
// in the queue; false: it is too late for frames.
func (b *browser) put(ctx context.Context, frame []byte) bool {
	if !b.queue.room(ctx, len(frame)) {
		return false
	}
	var header [wsframe.MaxHeader]byte
	return b.queue.add(wsframe.AppendHeader(header[:0], wsframe.Text, len(frame)), frame)
}

// finish hands over the last frames; whatever else is put is dropped from now on.
func (b *browser) finish(frames ...[]byte) {
	var all bytes.Buffer
	for _, f := range frames {
		all.Write(wsframe.AppendHeader(nil, wsframe.Text, len(f)))
		all.Write(f)
	}
	b.queue.finish(all.Bytes())
	_ = b.queue.flush()
}

// control sends a control frame.
func (b *browser) control(kind wsframe.Kind, payload []byte) {
	var header [wsframe.MaxHeader]byte
	b.queue.add(wsframe.AppendHeader(header[:0], kind, len(payload)), payload)
	_ = b.queue.flush()
}

// close sends the close frame, unless that has been done.
func (b *browser) close(code int, reason string) {
	b.closing.Do(func() {
		b.queue.finish()
		b.queue.overtime(wsframe.AppendClose(nil, code, reason))
		_ = b.queue.flush()
	})
}

// silence is how long nothing was heard from the browser.
func (b *browser) silence() time.Duration { return time.Since(time.Unix(0, b.heard.Load())) }

// ping asks the browser for a sign of life, unless more is on its way there
// already; then it reports false. The answer is noticed by fill, whenever it
// comes.
func (b *browser) ping() bool {
	if !b.queue.isEmpty() {
		return false
	}
	b.control(wsframe.Ping, nil)
	return true
}
