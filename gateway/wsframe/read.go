package wsframe

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"unicode/utf8"
)

// Kind is the opcode of a message (RFC 6455 section 5.2).
type Kind byte

// The kinds of message.
const (
	Text   Kind = 0x1
	Binary Kind = 0x2
	Close  Kind = 0x8
	Ping   Kind = 0x9
	Pong   Kind = 0xA

	continuation Kind = 0x0
)

// Close codes (RFC 6455 section 7.4.1) that the package itself knows.
const (
	ProtocolError = 1002
	NoStatus      = 1005 // a close frame without a code
	InvalidData   = 1007
)

// Bits and lengths of a frame header.
const (
	finalBit     = 0x80
	reservedBits = 0x70
	opcodeBits   = 0x0F
	maskBit      = 0x80
	lengthBits   = 0x7F
	length16     = 126
	length64     = 127
	maxControl   = 125
)

// Message is one message of the client.
type Message struct {
	Kind Kind
	// Data may be overwritten, and lives until the next call of the Reader. Of
	// a Close it is the reason.
	Data []byte
	Code int // Close: the code, NoStatus if there was none
	// Cut says that the message was over the limit, and that Data is only its
	// beginning, at most cutAt bytes.
	Cut bool
}

// Errors of Next besides *Error.
var (
	// ErrNeedMore: the bytes so far hold no further message.
	ErrNeedMore = errors.New("wsframe: need more bytes")
	// ErrTooBig: a message is over the limit. It is said once; Next then passes
	// over the message, and returns its beginning when it has ended.
	ErrTooBig = errors.New("wsframe: the message is over the limit")
)

// Error is a violation of RFC 6455, for which the connection has to end.
type Error struct {
	Code int    // for the close frame
	Text string // plain words; holds nothing of the input
}

func (e *Error) Error() string { return "wsframe: " + e.Text }

func violation(text string) error { return &Error{ProtocolError, text} }

// bufferSize is what a Reader takes from the pool to read into.
const bufferSize = 16 << 10

// cutAt is how much is kept of a message that is over the limit.
const cutAt = 4 << 10

// leastFree is how much room a read should find.
const leastFree = 2 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Reader reads the messages of a client. The zero value is ready.
type Reader struct {
	buf      []byte // buf[pos:end] has not been looked at
	pos, end int
	high     int               // greatest end since buf was taken
	pooled   *[bufferSize]byte // what buf lies in, nil if it had to grow

	kind       Kind // of the message under way, 0 if there is none
	msg, upTo  int  // its unmasked bytes are buf[msg:upTo], below pos
	inFrame    bool // its frame goes on at pos
	final      bool // and is its last
	left       uint64
	key        [4]byte // turned so that it begins at pos
	skips      bool    // it is too big and passed over
	err        error
	afterClose bool
}

// Fill reads once from src. Data of earlier messages is gone after it. It
// returns what src's Read returns.
func (r *Reader) Fill(src io.Reader) (int, error) {
	r.makeRoom()
	n, err := src.Read(r.buf[r.end:])
	r.end += n
	r.high = max(r.high, r.end)
	return n, err
}

// makeRoom finds place for a read: at the end, by moving what is kept to the
// front, or in a larger buffer.
func (r *Reader) makeRoom() {
	if r.buf == nil {
		r.pooled = buffers.Get().(*[bufferSize]byte)
		r.buf = r.pooled[:]
	}
	keep := r.pos
	if r.kind != 0 {
		r.closeUp()
		keep = r.msg
	}
	if keep == r.end || (keep > 0 && len(r.buf)-r.end < leastFree) {
		r.moveTo(r.buf, keep)
		keep = 0
	}
	if len(r.buf)-r.end >= leastFree {
		return
	}
	old, pooled, high := r.buf, r.pooled, r.high
	r.moveTo(make([]byte, 2*len(r.buf)), keep)
	r.high, r.pooled = r.end, nil
	giveBack(old, pooled, high)
}

// closeUp drops what lies between the message under way and what has not been
// looked at: headers of fragments, and control frames. They do not count towards
// a limit, and must not take memory.
func (r *Reader) closeUp() {
	if r.upTo < r.pos {
		n := copy(r.buf[r.upTo:], r.buf[r.pos:r.end])
		r.pos, r.end = r.upTo, r.upTo+n
	}
}

// moveTo copies what is kept to the front of buf.
func (r *Reader) moveTo(buf []byte, keep int) {
	copy(buf, r.buf[keep:r.end])
	r.buf, r.pos, r.end = buf, r.pos-keep, r.end-keep
	r.msg, r.upTo = r.msg-keep, r.upTo-keep
}

// Release gives the buffer back if nothing is in it.
func (r *Reader) Release() {
	if r.buf == nil || r.pos != r.end || r.kind != 0 {
		return
	}
	giveBack(r.buf, r.pooled, r.high)
	r.buf, r.pooled, r.pos, r.end, r.high = nil, nil, 0, 0, 0
}

// IsIdle reports whether the Reader holds no memory.
func (r *Reader) IsIdle() bool { return r.buf == nil }

// giveBack overwrites what was read: a secret may have been in it.
func giveBack(buf []byte, pooled *[bufferSize]byte, high int) {
	clear(buf[:high])
	if pooled != nil {
		buffers.Put(pooled)
	}
}

// Buffered is how many bytes wait that are not yet part of a message.
func (r *Reader) Buffered() int { return r.end - r.pos }

// Left is how many bytes of the frame under way have not come yet.
func (r *Reader) Left() uint64 {
	if !r.inFrame {
		return 0
	}
	return r.left
}

// Next returns the next message. A text or binary message has at most limit
// bytes; control frames come as they are met, between fragments too. Errors:
// ErrNeedMore, ErrTooBig, io.EOF after a close frame, or an *Error that every
// later call repeats.
func (r *Reader) Next(limit int) (Message, error) {
	for r.err == nil {
		if r.afterClose {
			return Message{}, io.EOF
		}
		if r.inFrame {
			whole, more := r.payload()
			switch {
			case whole:
				m := Message{Kind: r.kind, Data: r.buf[r.msg:r.upTo:r.upTo], Cut: r.skips}
				r.kind, r.skips = 0, false
				return m, nil
			case more:
				return Message{}, ErrNeedMore
			}
		}
		m, err := r.header(limit)
		if err != nil && !errors.Is(err, ErrNeedMore) && !errors.Is(err, ErrTooBig) {
			r.err = err
		}
		if err != nil || m.Kind != 0 {
			return m, err
		}
	}
	return Message{}, r.err
}

// payload takes in what has come of the frame under way. whole: that was the
// message's end; more: the frame goes on.
func (r *Reader) payload() (whole, more bool) {
	n := int(min(r.left, uint64(r.end-r.pos)))
	if n > 0 && (!r.skips || r.upTo-r.msg < cutAt) {
		chunk := r.buf[r.pos : r.pos+n]
		if r.skips {
			chunk = chunk[:min(n, cutAt-(r.upTo-r.msg))]
		}
		r.key = unmask(chunk, r.key)
		if r.upTo != r.pos {
			copy(r.buf[r.upTo:], chunk)
		}
		r.upTo += len(chunk)
	}
	r.pos += n
	if r.skips && r.pos == r.end { // what was passed over makes room
		r.pos, r.end = r.upTo, r.upTo
	}
	if r.left -= uint64(n); r.left > 0 {
		return false, true
	}
	r.inFrame = false
	return r.final, false
}

// header reads the header of a frame; of a control frame all of it, which it
// returns.
func (r *Reader) header(limit int) (Message, error) {
	b := r.buf[r.pos:r.end]
	if len(b) < 2 {
		return Message{}, ErrNeedMore
	}
	kind, final := Kind(b[0]&opcodeBits), b[0]&finalBit != 0
	if err := r.checkStart(kind, final, b[0], b[1]); err != nil {
		return Message{}, err
	}
	length, size, err := payloadLength(b)
	if err != nil {
		return Message{}, err
	}
	if len(b) < size+4 {
		return Message{}, ErrNeedMore
	}
	key := [4]byte(b[size:])
	size += 4
	if kind >= Close {
		return r.control(kind, b, size, int(length), key)
	}
	r.pos += size
	r.inFrame, r.final, r.left, r.key = true, final, length, key
	if kind != continuation {
		r.kind, r.msg, r.upTo = kind, r.pos, r.pos
	}
	if !r.skips && length > uint64(max(limit-(r.upTo-r.msg), 0)) {
		r.skips, r.upTo = true, min(r.upTo, r.msg+cutAt)
		return Message{}, ErrTooBig
	}
	return Message{}, nil
}

// checkStart judges the first two bytes of a frame.
func (r *Reader) checkStart(kind Kind, final bool, first, second byte) error {
	switch {
	case first&reservedBits != 0:
		return violation("a reserved bit is set")
	case second&maskBit == 0:
		return violation("a frame of a client that is not masked")
	case kind == continuation && r.kind == 0:
		return violation("a fragment of no message")
	case (kind == Text || kind == Binary) && r.kind != 0:
		return violation("a message inside a message")
	case kind > Binary && kind < Close || kind > Pong:
		return violation("an unknown opcode")
	case kind >= Close && (!final || second&lengthBits > maxControl):
		return violation("a control frame that is long or in fragments")
	}
	return nil
}

// payloadLength reads the length of a frame's payload, and the size of the
// header up to there.
func payloadLength(b []byte) (length uint64, size int, err error) {
	switch short := b[1] & lengthBits; short {
	case length16:
		if len(b) < 4 {
			return 0, 0, ErrNeedMore
		}
		length, size = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if length < length16 {
			return 0, 0, violation("a length that is not in its shortest form")
		}
	case length64:
		if len(b) < 10 {
			return 0, 0, ErrNeedMore
		}
		length, size = binary.BigEndian.Uint64(b[2:]), 10
		if length <= 0xFFFF || length > 1<<63-1 {
			return 0, 0, violation("a length that is not in its shortest form")
		}
	default:
		length, size = uint64(short), 2
	}
	return length, size, nil
}

func (r *Reader) control(kind Kind, b []byte, size, length int, key [4]byte) (Message, error) {
	if len(b) < size+length {
		return Message{}, ErrNeedMore
	}
	data := b[size : size+length : size+length]
	unmask(data, key)
	r.pos += size + length
	m := Message{Kind: kind, Data: data}
	if kind != Close {
		return m, nil
	}
	r.afterClose = true
	m.Code = NoStatus
	if length == 0 {
		return m, nil
	}
	if length < 2 {
		return Message{}, violation("half a close code")
	}
	m.Code, m.Data = int(binary.BigEndian.Uint16(data)), data[2:]
	switch {
	case !maySend(m.Code):
		return Message{}, violation("a close code that nobody may send")
	case !utf8.Valid(m.Data):
		return Message{}, &Error{InvalidData, "a close reason that is not UTF-8"}
	}
	return m, nil
}

// maySend holds RFC 6455 section 7.4, with the codes registered since.
func maySend(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != 1005 && code != 1006
	}
	return false
}

// unmask undoes the masking of b in place (RFC 6455 section 5.3), and returns
// the key as what follows b needs it.
func unmask(b []byte, key [4]byte) [4]byte {
	word := uint64(binary.LittleEndian.Uint32(key[:]))
	word |= word << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
	n := len(b) & 3
	return [4]byte{key[n], key[(n+1)&3], key[(n+2)&3], key[(n+3)&3]}
}
