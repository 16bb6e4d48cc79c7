package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/wsframe"
)

const limit = 1 << 20

// frame is one as a client writes it, with a length in its shortest form.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// outcome is what a Reader made of some bytes, in words. It watches over the
// Reader's memory.
func outcome(t *testing.T, src io.Reader, limit int) string {
	t.Helper()
	var r wsframe.Reader
	var out strings.Builder
	for {
		m, err := r.Next(limit)
		switch {
		case errors.Is(err, wsframe.ErrNeedMore):
			r.Release()
			_, err := r.Fill(src)
			require.LessOrEqual(t, r.Size(), wsframe.MaxSize(limit), "the buffer")
			if err != nil {
				fmt.Fprintf(&out, "and %d bytes", r.Buffered())
				return out.String()
			}
		case errors.Is(err, wsframe.ErrTooBig):
			out.WriteString("too big; ")
		case err != nil:
			out.WriteString(err.Error())
			return out.String()
		default:
			if m.Cut {
				out.WriteString("beginning of ")
			}
			fmt.Fprintf(&out, "%d %q %d; ", m.Kind, m.Data, m.Code)
			clear(m.Data)
		}
	}
}

func of(t *testing.T, frames ...[]byte) string {
	t.Helper()
	return outcome(t, bytes.NewReader(bytes.Join(frames, nil)), limit)
}

// The examples of RFC 6455 section 5.7, masked.
func TestExamplesOfTheStandard(t *testing.T) {
	require.Equal(t, `1 "Hello" 0; and 0 bytes`, of(t, []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}))
	require.Equal(t, `1 "Hello" 0; and 0 bytes`, of(t, frame(0x01, "Hel"), frame(0x80, "lo")))
	require.Equal(t, `10 "Hello" 0; and 0 bytes`, of(t, frame(0x8a, "Hello")))
	for _, n := range []int{256, 65536} {
		text := strings.Repeat("x", n)
		require.Equal(t, fmt.Sprintf(`2 %q 0; and 0 bytes`, text), of(t, frame(0x82, text)))
	}
}

func TestMessages(t *testing.T) {
	long := strings.Repeat("long ", 20_000)
	for name, c := range map[string]struct {
		frames [][]byte
		want   string
	}{
		"nothing":                   {nil, `and 0 bytes`},
		"several in one read":       {[][]byte{frame(0x81, "a"), frame(0x81, ""), frame(0x82, "c")}, `1 "a" 0; 1 "" 0; 2 "c" 0; and 0 bytes`},
		"half a frame":              {[][]byte{frame(0x81, "abc")[:6]}, `and 0 bytes`},
		"half a header":             {[][]byte{frame(0x81, "abc")[:3]}, `and 3 bytes`},
		"fragments, one empty":      {[][]byte{frame(0x01, "a"), frame(0x00, ""), frame(0x80, "b"), frame(0x81, "c")}, `1 "ab" 0; 1 "c" 0; and 0 bytes`},
		"control between fragments": {[][]byte{frame(0x01, "ab"), frame(0x89, "ping"), frame(0x00, "cd"), frame(0x8a, ""), frame(0x80, "ef")}, `9 "ping" 0; 10 "" 0; 1 "abcdef" 0; and 0 bytes`},
		"a long one in fragments":   {[][]byte{frame(0x01, long), frame(0x89, "p"), frame(0x80, long)}, fmt.Sprintf(`9 "p" 0; 1 %q 0; and 0 bytes`, long+long)},
		"a close without a code":    {[][]byte{frame(0x88, "")}, `8 "" 1005; EOF`},
		"a close with a reason":     {[][]byte{frame(0x88, "\x03\xe8bye"), frame(0x81, "after")}, `8 "bye" 1000; EOF`},
		"a close inside a message":  {[][]byte{frame(0x01, "a"), frame(0x88, "\x0b\xb8")}, `8 "" 3000; EOF`},
	} {
		require.Equal(t, c.want, of(t, c.frames...), name)
	}
}

func TestViolations(t *testing.T) {
	unmasked := []byte{0x81, 0x01, 'a'}
	longLength := append([]byte{0x81, 0x80 | 126, 0, 125, 1, 2, 3, 4}, make([]byte, 125)...)
	longerLength := append([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, make([]byte, 65535)...)
	negative := []byte{0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}
	for name, frames := range map[string][][]byte{
		"not masked":                {unmasked},
		"reserved bit 1":            {frame(0xc1, "a")},
		"reserved bit 2":            {frame(0xa1, "a")},
		"reserved bit 3":            {frame(0x91, "a")},
		"opcode 3":                  {frame(0x83, "a")},
		"opcode 7":                  {frame(0x87, "a")},
		"opcode 11":                 {frame(0x8b, "a")},
		"opcode 15":                 {frame(0x8f, "a")},
		"a fragment of nothing":     {frame(0x80, "a")},
		"a message inside":          {frame(0x01, "a"), frame(0x81, "b")},
		"a binary one inside":       {frame(0x01, "a"), frame(0x02, "b")},
		"a ping in fragments":       {frame(0x09, "a")},
		"a ping of 126":             {frame(0x89, strings.Repeat("x", 126))},
		"a close of 126":            {frame(0x88, "\x03\xe8"+strings.Repeat("x", 124))},
		"a length of 16 bits":       {longLength},
		"a length of 64 bits":       {longerLength},
		"a length beyond 63 bits":   {negative},
		"half a close code":         {frame(0x88, "\x03")},
		"close code 999":            {frame(0x88, "\x03\xe7")},
		"close code 1004":           {frame(0x88, "\x03\xec")},
		"close code 1005":           {frame(0x88, "\x03\xed")},
		"close code 1006":           {frame(0x88, "\x03\xee")},
		"close code 1015":           {frame(0x88, "\x03\xf7")},
		"close code 2999":           {frame(0x88, "\x0b\xb7")},
		"close code 5000":           {frame(0x88, "\x13\x88")},
		"a close reason not UTF-8":  {frame(0x88, "\x03\xe8\xff")},
		"violation after a message": {frame(0x81, "a"), unmasked},
	} {
		var r wsframe.Reader
		src := bytes.NewReader(bytes.Join(frames, nil))
		var bad *wsframe.Error
		for {
			_, err := r.Next(limit)
			if errors.As(err, &bad) {
				break
			}
			if errors.Is(err, wsframe.ErrNeedMore) {
				_, err = r.Fill(src)
				require.NoError(t, err, name)
			}
		}
		want := wsframe.ProtocolError
		if name == "a close reason not UTF-8" {
			want = wsframe.InvalidData
		}
		require.Equal(t, want, bad.Code, name)
		_, again := r.Next(limit)
		require.Equal(t, error(bad), again, "%s: it is repeated", name)
	}
}

func TestTooBigIsSaidOnceAndItsBeginningAfterIt(t *testing.T) {
	big := strings.Repeat("x", 100)
	huge := strings.Repeat("0123456789", 10_000)
	for name, c := range map[string]struct {
		frames [][]byte
		kept   string
	}{
		"one frame":         {[][]byte{frame(0x81, big)}, big},
		"fragments":         {[][]byte{frame(0x01, "12345678"), frame(0x00, big), frame(0x80, big)}, "12345678" + big + big},
		"many fragments":    {[][]byte{frame(0x01, "12345678"), frame(0x00, "12"), frame(0x00, "3"), frame(0x80, "")}, "12345678123"},
		"a large frame":     {[][]byte{frame(0x81, huge)}, huge[:4096]},
		"large fragments":   {[][]byte{frame(0x01, huge[:4000]), frame(0x00, huge[4000:]), frame(0x80, huge)}, huge[:4096]},
		"a binary message":  {[][]byte{frame(0x02, big), frame(0x80, big)}, big + big},
		"a ping in between": {[][]byte{frame(0x01, big), frame(0x8a, ""), frame(0x80, big)}, big + big},
	} {
		all := bytes.Join(append(c.frames, frame(0x81, "next"), frame(0x81, "1234567890")), nil)
		want := fmt.Sprintf(`too big; beginning of %d %q 0; 1 "next" 0; 1 "1234567890" 0; and 0 bytes`, c.frames[0][0]&0xf, c.kept)
		if name == "a ping in between" {
			want = strings.Replace(want, "beginning", `10 "" 0; beginning`, 1)
		}
		require.Equal(t, want, outcome(t, bytes.NewReader(all), 10), name)
		require.Equal(t, want, outcome(t, iotest.OneByteReader(bytes.NewReader(all)), 10), name)
	}
	endless := append([]byte{0x81, 0x80 | 127, 0x7f}, make([]byte, 11)...)
	require.Equal(t, `too big; and 0 bytes`, outcome(t, bytes.NewReader(endless), 10), "larger than any memory")
	require.Equal(t, `too big; beginning of 1 "a" 0; and 0 bytes`, outcome(t, bytes.NewReader(frame(0x81, "a")), -1))
}

// TestWhatIsPassedOverTakesNoMemory reads a message of a gigabyte.
func TestWhatIsPassedOverTakesNoMemory(t *testing.T) {
	header := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, 1<<30)
	src := io.MultiReader(bytes.NewReader(append(header, 1, 2, 3, 4)), io.LimitReader(zeros{}, 1<<30))
	var r wsframe.Reader
	before := testing.AllocsPerRun(1, func() {})
	allocs := testing.AllocsPerRun(1, func() {
		for range 1000 {
			if _, err := r.Next(10); err != nil && !errors.Is(err, wsframe.ErrTooBig) {
				_, err = r.Fill(src)
				require.NoError(t, err)
			}
		}
	})
	require.Less(t, allocs-before, 50.0)
	require.Greater(t, r.Left(), uint64(1<<29), "and says how much is to come")
}

// TestWhatIsNoPayloadTakesNoMemory has a million frames inside a message that
// add nothing to it.
func TestWhatIsNoPayloadTakesNoMemory(t *testing.T) {
	const million = 1_000_000
	for name, c := range map[string]struct {
		start, one []byte
		found      wsframe.Kind // how each is reported, 0 if it is not
		tooBig     bool
	}{
		"empty fragments":                {frame(0x01, "ab"), frame(0x00, ""), 0, false},
		"empty fragments of nothing":     {frame(0x01, ""), frame(0x00, ""), 0, false},
		"pings":                          {frame(0x01, "ab"), frame(0x89, "p"), wsframe.Ping, false},
		"pongs that are empty":           {frame(0x01, "ab"), frame(0x8a, ""), wsframe.Pong, false},
		"fragments of what is too big":   {frame(0x01, strings.Repeat("x", 2000)), frame(0x00, "y"), 0, true},
		"pings inside what is too big":   {frame(0x01, strings.Repeat("x", 2000)), frame(0x89, "p"), wsframe.Ping, true},
		"long pings that fill the reads": {frame(0x01, "ab"), frame(0x89, strings.Repeat("p", 125)), wsframe.Ping, false},
	} {
		frames := million
		if len(c.one) > 100 {
			frames = million / 20
		}
		src := io.MultiReader(bytes.NewReader(c.start), &repeated{one: c.one, left: frames}, bytes.NewReader(frame(0x80, "c")))
		var r wsframe.Reader
		controls, tooBig := 0, false
		for {
			m, err := r.Next(1000)
			if errors.Is(err, wsframe.ErrNeedMore) {
				_, err = r.Fill(src)
				require.NoError(t, err, name)
				require.LessOrEqual(t, r.Size(), 16<<10, name)
				continue
			}
			if errors.Is(err, wsframe.ErrTooBig) {
				tooBig = true
				continue
			}
			require.NoError(t, err, name)
			if m.Kind != wsframe.Text {
				require.Equal(t, c.found, m.Kind, name)
				controls++
				continue
			}
			require.Equal(t, c.tooBig, m.Cut, name)
			if !m.Cut {
				require.Equal(t, strings.Repeat("ab", len(c.start)/8)+"c", string(m.Data), name)
			}
			break
		}
		require.Equal(t, c.tooBig, tooBig, name)
		if c.found != 0 {
			require.Equal(t, frames, controls, name)
		}
	}
}

// repeated gives one thing again and again, cut as it comes.
type repeated struct {
	one, rest []byte
	left      int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			if r.left == 0 {
				break
			}
			r.rest = r.one
			r.left--
		}
		k := copy(p[n:], r.rest)
		r.rest, n = r.rest[k:], n+k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSecretsAreOverwritten: a buffer that goes back holds nothing of what was
// read, wherever in it that lay.
func TestSecretsAreOverwritten(t *testing.T) {
	var r wsframe.Reader
	src := bytes.NewReader(append(frame(0x01, "sec"), frame(0x80, "ret")...))
	_, err := r.Fill(src)
	require.NoError(t, err)
	m, err := r.Next(limit)
	require.NoError(t, err)
	require.Equal(t, "secret", string(m.Data))
	whole := m.Data[:6:6]
	r.Release()
	require.Equal(t, make([]byte, 6), whole)
}

func TestWrittenFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		b := wsframe.AppendHeader(nil, wsframe.Text, n)
		require.LessOrEqual(t, len(b), wsframe.MaxHeader)
		require.Equal(t, byte(0x81), b[0])
		switch {
		case n < 126:
			require.Equal(t, []byte{byte(n)}, b[1:])
		case n < 65536:
			require.Equal(t, binary.BigEndian.AppendUint16([]byte{126}, uint16(n)), b[1:])
		default:
			require.Equal(t, binary.BigEndian.AppendUint64([]byte{127}, uint64(n)), b[1:])
		}
	}
	require.Equal(t, []byte{0x88, 0}, wsframe.AppendClose(nil, wsframe.NoStatus, "not said"))
	require.Equal(t, []byte("\x88\x05\x03\xe8bye"), wsframe.AppendClose(nil, 1000, "bye"))
	require.Len(t, wsframe.AppendClose(nil, 1000, strings.Repeat("x", 200)), 2+125)
}

// FuzzReader: however the bytes are cut into reads, the same comes out, no
// message is over the limit, and the memory is bounded by it. What is written as frames is read as it was.
func FuzzReader(f *testing.F) {
	f.Add([]byte("hello"), []byte{}, 10, uint8(1))
	f.Add(bytes.Join([][]byte{frame(0x01, "ab"), frame(0x89, "p"), frame(0x80, "cd"), frame(0x88, "\x03\xe8")}, nil), []byte("<message/>"), 100, uint8(3))
	f.Add(frame(0x82, strings.Repeat("x", 300)), []byte("x"), 200, uint8(0))
	f.Add(append(frame(0x01, "ab"), bytes.Repeat(frame(0x00, ""), 5000)...), []byte("x"), 10, uint8(0))
	f.Fuzz(func(t *testing.T, raw, text []byte, limit int, cut uint8) {
		limit = min(max(limit, 0), 1<<16)
		whole := outcome(t, bytes.NewReader(raw), limit)
		require.Equal(t, whole, outcome(t, iotest.OneByteReader(bytes.NewReader(raw)), limit))
		require.Equal(t, whole, outcome(t, iotest.HalfReader(bytes.NewReader(raw)), limit))

		n := min(int(cut), len(text))
		frames := [][]byte{frame(0x01, string(text[:n])), frame(0x89, "ping"), frame(0x80, string(text[n:]))}
		got := outcome(t, iotest.HalfReader(bytes.NewReader(bytes.Join(frames, nil))), len(text))
		require.Equal(t, fmt.Sprintf("9 %q 0; 1 %q 0; and 0 bytes", "ping", text), got)
	})
}

func BenchmarkReader(b *testing.B) {
	one := frame(0x81, strings.Repeat("x", 540))
	stream := bytes.Repeat(one, 16)
	var r wsframe.Reader
	src := bytes.NewReader(stream)
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	for b.Loop() {
		for {
			if _, err := r.Next(limit); err == nil {
				break
			}
			r.Release()
			if src.Len() == 0 {
				src.Reset(stream)
			}
			if _, err := r.Fill(src); err != nil {
				b.Fatal(err)
			}
		}
	}
}
