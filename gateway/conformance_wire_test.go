package gateway_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// wire is a WebSocket client of which a test sees and sets every bit. It
// answers nothing by itself.
type wire struct {
	t        *testing.T
	conn     net.Conn
	in       *bufio.Reader
	response *http.Response
}

// wsFrame is one frame of RFC 6455 section 5.2.
type wsFrame struct {
	last     bool // FIN
	reserved byte // RSV1 to RSV3
	opcode   byte
	unmasked bool // as a client must not send it
	payload  []byte
}

// wsKey is the example of RFC 6455 section 1.3.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// knock sends an opening handshake and returns what came of it, whatever it is.
func knock(t *testing.T, url string, headers ...string) *wire {
	t.Helper()
	address := strings.TrimPrefix(url, "ws://")
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*waitLimit)))
	w := &wire{t: t, conn: conn, in: bufio.NewReader(conn)}
	_, err = io.WriteString(conn, "GET /xmpp-websocket HTTP/1.1\r\nHost: "+address+"\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n")
	require.NoError(t, err)
	w.response, err = http.ReadResponse(w.in, &http.Request{Method: http.MethodGet})
	require.NoError(t, err)
	return w
}

// handshake is a complete one (RFC 6455 section 4.1, RFC 7395 section 3.1).
var handshake = []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: " + wsKey, "Sec-WebSocket-Protocol: xmpp", "Origin: " + pageURL}

// without is the handshake but for one header.
func without(name string) []string {
	var list []string
	for _, h := range handshake {
		if !strings.HasPrefix(h, name+":") {
			list = append(list, h)
		}
	}
	return list
}

// dialWire is knock for those who expect to be let in.
func dialWire(t *testing.T, url string, headers ...string) *wire {
	t.Helper()
	w := knock(t, url, append(handshake, headers...)...)
	require.Equal(t, http.StatusSwitchingProtocols, w.response.StatusCode)
	return w
}

// bytes are a frame on the wire. The mask is not zero, so that one who forgets
// to take it off is noticed.
func (f wsFrame) bytes() []byte {
	b := []byte{f.reserved<<4 | f.opcode, 0}
	if f.last {
		b[0] |= 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	b[1] |= 0x80
	mask := [4]byte{0xA5, 0x01, 0xFE, 0x7C}
	b = append(b, mask[:]...)
	for i, c := range f.payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// send writes frames in one go. That the gateway has closed already is for the
// reader to find.
func (w *wire) send(frames ...wsFrame) {
	w.t.Helper()
	var b []byte
	for _, f := range frames {
		b = append(b, f.bytes()...)
	}
	_, _ = w.conn.Write(b)
}

func text(s string) wsFrame { return wsFrame{last: true, opcode: opText, payload: []byte(s)} }

func control(opcode byte, payload string) wsFrame {
	return wsFrame{last: true, opcode: opcode, payload: []byte(payload)}
}

func closeWith(code uint16, reason string) wsFrame {
	return control(opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// say sends one text message.
func (w *wire) say(xml string) { w.t.Helper(); w.send(text(xml)) }

// receive is the next frame. What a server must never send fails the test.
func (w *wire) receive() (wsFrame, error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return wsFrame{}, err
	}
	f := wsFrame{last: head[0]&0x80 != 0, reserved: head[0] >> 4 & 7, opcode: head[0] & 0xF}
	require.Zero(w.t, f.reserved, "no extension was agreed on (RFC 6455 section 5.2)")
	require.Zero(w.t, head[1]&0x80, "a server does not mask (RFC 6455 section 5.1)")
	n := uint64(head[1] & 0x7F)
	long := map[uint64]int{126: 2, 127: 8}[n]
	if long > 0 {
		ext := make([]byte, 8)
		if _, err := io.ReadFull(w.in, ext[8-long:]); err != nil {
			return wsFrame{}, err
		}
		n = binary.BigEndian.Uint64(ext)
	}
	if f.opcode >= 8 {
		require.True(w.t, f.last && n < 126, "a control frame is one short frame (RFC 6455 section 5.5)")
	}
	f.payload = make([]byte, n)
	_, err := io.ReadFull(w.in, f.payload)
	return f, err
}

// message is the next text message. Pings are passed over.
func (w *wire) message() string {
	w.t.Helper()
	var whole []byte
	for {
		f, err := w.receive()
		require.NoError(w.t, err, "waiting for a message")
		switch f.opcode {
		case opPing:
			continue
		case opText, opContinuation:
			whole = append(whole, f.payload...)
		default:
			w.t.Fatalf("a frame with opcode %d came: %q", f.opcode, f.payload)
		}
		if f.last {
			return string(whole)
		}
	}
}

// element is the next message, which must be one whole element that declares
// what it needs (RFC 7395 section 3.3.3).
func (w *wire) element() *framing.Element {
	w.t.Helper()
	m := w.message()
	require.True(w.t, strings.HasPrefix(m, "<"), "%q", m)
	e, err := framing.ParseFrame([]byte(m), framing.Limits{MaxBytes: 8 << 20})
	require.NoError(w.t, err, m)
	require.Len(w.t, e.Raw, len(m), "nothing but the element: %q", m)
	return e
}

// closing is the code and the reason of the close frame that must come next.
func (w *wire) closing() (code int, reason string) {
	w.t.Helper()
	for {
		f, err := w.receive()
		require.NoError(w.t, err, "waiting for a close frame")
		if f.opcode == opPing {
			continue
		}
		require.EqualValues(w.t, opClose, f.opcode, "%q", f.payload)
		require.GreaterOrEqual(w.t, len(f.payload), 2, "a close frame of ours has a code")
		return int(binary.BigEndian.Uint16(f.payload)), string(f.payload[2:])
	}
}

// gone expects the connection's end, and nothing more on it.
func (w *wire) gone() {
	w.t.Helper()
	f, err := w.receive()
	var timeout net.Error
	require.Error(w.t, err, "%q came after the end", f.payload)
	require.False(w.t, errors.As(err, &timeout) && timeout.Timeout(), "the connection stays open")
}

// refused expects a stream error, <close/>, and a close frame with the code,
// each in its own message (RFC 7395 sections 3.5 and 3.6). It returns what the
// server, if there is one, hears until its stream ends.
func (w *wire) refused(f *far, condition string, code int) (heard string) {
	w.t.Helper()
	e := w.element()
	require.True(w.t, e.Is(framing.NSStream, "error"), "%s", e.Raw)
	require.Equal(w.t, condition, e.First().Name.Local, "%s", e.Raw)
	require.Equal(w.t, framing.NSStreams, e.First().Name.Space)
	return w.closed(f, code)
}

// closed expects <close/> and a close frame, and answers both.
func (w *wire) closed(f *far, code int) (heard string) {
	w.t.Helper()
	e := w.element()
	require.True(w.t, framing.IsClose(e), "%s", e.Raw)
	w.say(streamClose)
	if f != nil {
		heard = f.ended()
	}
	got, reason := w.closing()
	require.Equal(w.t, code, got, reason)
	w.send(closeWith(uint16(got), ""))
	w.gone()
	return heard
}

const streamClose = "<close xmlns='" + framing.NSFraming + "'/>"
