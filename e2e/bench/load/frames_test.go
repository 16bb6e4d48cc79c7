package load

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serverFrame is a frame as a server sends it.
func serverFrame(op byte, final bool, payload []byte) []byte {
	b := []byte{op}
	if final {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func TestNextFrame(t *testing.T) {
	s := &Stream{step: stepReady, blocks: true, random: 1}
	frame := append(serverFrame(opText, false, []byte("<a>")), serverFrame(opPing, true, []byte("ping"))...)
	frame = append(frame, serverFrame(opContinue, true, []byte("</a>"))...)
	var items []string
	for len(frame) > 0 {
		n, item, err := s.nextFrame(frame)
		require.NoError(t, err)
		require.Positive(t, n)
		if item != nil {
			items = append(items, string(item))
		}
		frame = frame[n:]
	}
	assert.Equal(t, []string{"<a></a>"}, items)
	op, pong := unmask(t, s.out)
	assert.EqualValues(t, opPong, op)
	assert.Equal(t, "ping", string(pong))

	long := bytes.Repeat([]byte("long "), 20_000)
	n, item, err := s.nextFrame(serverFrame(opText, true, long))
	require.NoError(t, err)
	assert.Equal(t, len(long)+10, n)
	assert.Equal(t, string(long), string(item))
	_, got := unmask(t, s.appendFrame(nil, opText, long))
	assert.Equal(t, string(long), string(got))

	for _, bad := range [][]byte{{0x81, 0x80, 0, 0, 0, 0}, {0xc1, 0}, {0x82, 0}, serverFrame(opClose, true, []byte{3, 232})} {
		_, _, err := s.nextFrame(bad)
		assert.Error(t, err, "%x", bad)
	}
}

// unmask reads one frame of a client as a server does.
func unmask(t *testing.T, b []byte) (op byte, payload []byte) {
	require.NotZero(t, b[1]&0x80, "a client's frame is masked")
	require.EqualValues(t, 0x80, b[0]&0xf0)
	length, at := int(b[1]&0x7f), 2
	switch length {
	case 126:
		length, at = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		length, at = int(binary.BigEndian.Uint64(b[2:])), 10
	}
	key := b[at : at+4]
	payload = bytes.Clone(b[at+4:])
	require.Len(t, payload, length)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return b[0] & 0x0f, payload
}

// A message survives either direction, however it is cut, and what is cut off is waited for.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("<message/>"), 3)
	f.Add(bytes.Repeat([]byte("x"), 200), 126)
	f.Fuzz(func(t *testing.T, payload []byte, cut int) {
		s := &Stream{step: stepReady, blocks: true, random: 7}
		op, got := unmask(t, s.appendFrame(nil, opText, payload))
		require.EqualValues(t, opText, op)
		require.True(t, bytes.Equal(payload, got))

		frame := serverFrame(opText, true, payload)
		n, _, err := s.nextFrame(frame[:min(max(cut, 0), len(frame)-1)])
		require.NoError(t, err)
		require.Zero(t, n)
		n, item, err := s.nextFrame(frame)
		require.NoError(t, err)
		require.Equal(t, len(frame), n)
		require.True(t, bytes.Equal(payload, item))
		_, _, _ = s.nextFrame(payload) // anything else must not panic
	})
}
