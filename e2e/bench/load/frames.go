package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes (RFC 6455 section 5.2).
const (
	opContinue = 0x0
	opText     = 0x1
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

var errFrame = errors.New("not a frame of a WebSocket server")

// frameHeader reads a server's frame header: its length, its opcode with the
// final bit, and the length of what follows. n is 0 if it is not complete.
func frameHeader(b []byte) (n int, op byte, final bool, length int, err error) {
	if len(b) < 2 {
		return 0, 0, false, 0, nil
	}
	op, final, length, n = b[0]&0x0f, b[0]&0x80 != 0, int(b[1]), 2
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 { // extensions, masked
		return 0, 0, false, 0, errFrame
	}
	switch length {
	case 126:
		if n = 4; len(b) < n {
			return 0, 0, false, 0, nil
		}
		length = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if n = 10; len(b) < n {
			return 0, 0, false, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > 16<<20 {
			return 0, 0, false, 0, errFrame
		}
		length = int(long)
	}
	return n, op, final, length, nil
}

// nextFrame takes one frame off b: n is its length, 0 if it is not complete,
// and item the message that it ended, nil if it did not.
func (s *Stream) nextFrame(b []byte) (n int, item []byte, err error) {
	head, op, final, length, err := frameHeader(b)
	if err != nil || head == 0 || len(b) < head+length {
		return 0, nil, err
	}
	n = head + length
	payload := b[head:n]
	switch op {
	case opText, opContinue:
		if final && len(s.part) == 0 {
			return n, payload, nil
		}
		s.part = append(s.part, payload...)
		if final {
			item, s.part = s.part, nil
		}
		return n, item, nil
	case opPing:
		s.out = s.appendFrame(s.out, opPong, payload)
		return n, nil, s.flush()
	case opPong:
		return n, nil, nil
	case opClose:
		if s.step == stepClosing {
			s.cut()
			return n, nil, nil
		}
		return 0, nil, fmt.Errorf("closed by the other side: %q", payload)
	}
	return 0, nil, errFrame
}

// appendFrame appends a masked frame.
func (s *Stream) appendFrame(to []byte, op byte, payload []byte) []byte {
	to = append(to, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		to = append(to, 0x80|byte(n))
	case n <= 0xffff:
		to = binary.BigEndian.AppendUint16(append(to, 0x80|126), uint16(n))
	default:
		to = binary.BigEndian.AppendUint64(append(to, 0x80|127), uint64(n))
	}
	// xorshift: a key that differs from frame to frame is enough for a measurement.
	s.random ^= s.random << 13
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	key := uint32(s.random)
	to = binary.LittleEndian.AppendUint32(to, key)
	at := len(to)
	to = append(to, payload...)
	mask(to[at:], key)
	return to
}

func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i % 4)))
	}
}
