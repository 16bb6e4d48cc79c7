package extauth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// framed is a request as ejabberd writes it.
func framed(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func TestRequests(t *testing.T) {
	for text, want := range map[string]Request{
		"auth:alice:social.example:pw":       {"auth", "alice", "social.example", "pw"},
		"auth:alice:social.example:a:b::c":   {"auth", "alice", "social.example", "a:b::c"},
		"auth:alice:social.example:":         {"auth", "alice", "social.example", ""},
		"isuser:älice:social.example":        {"isuser", "älice", "social.example", ""},
		"setpass:alice:social.example:pw":    {"setpass", "alice", "social.example", "pw"},
		"tryregister:alice:s.example:pw":     {"tryregister", "alice", "s.example", "pw"},
		"removeuser:alice:social.example":    {"removeuser", "alice", "social.example", ""},
		"removeuser3:alice:social.example:p": {"removeuser3", "alice", "social.example", "p"},
		"certauth:alice:social.example":      {"certauth", "alice", "social.example", ""},
	} {
		got, err := ParseRequest([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", ":", "auth", "auth:alice", "auth:alice:host", "isuser:alice", "isuser:alice:host:", "isuser:alice:host:pw",
		"auth::host:pw", "auth:alice::pw", "AUTH:alice:host:pw", "auth:alice:host:\xff", "auth:\xff:host:pw", "delete:alice:host",
	} {
		_, err := ParseRequest([]byte(text))
		require.ErrorIs(t, err, errMalformed, text)
		require.NotContains(t, err.Error(), "pw")
	}
}

func TestRequestShowsNoSecret(t *testing.T) {
	q := Request{"auth", "alice", "social.example", "the-secret"}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "request", q, "again", &q)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&b, format, q)
	}
	assert.Contains(t, b.String(), "alice")
	assert.NotContains(t, b.String(), "the-secret")
}

func TestFrames(t *testing.T) {
	buf := make([]byte, MaxFrame)
	long := strings.Repeat("x", MaxFrame)
	r := bytes.NewReader(append(append(framed("one"), framed("")...), framed(long)...))
	for _, want := range []string{"one", "", long} {
		got, err := ReadFrame(r, buf)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err := ReadFrame(r, buf)
	require.ErrorIs(t, err, io.EOF)
	for _, cut := range []string{"\x00", "\x00\x05", "\x00\x05four"} {
		_, err := ReadFrame(strings.NewReader(cut), buf)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", cut)
	}
}

// What was parsed is what was sent.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{"auth:alice:social.example:a:b", "isuser:alice:h", "setpass:a:b:", "auth:::", "certauth:a:b", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		q, err := ParseRequest(frame)
		if err != nil {
			require.Zero(t, q)
			return
		}
		text := q.Op + ":" + q.User + ":" + q.Host
		if secrets[q.Op] {
			text += ":" + q.Secret
		}
		require.Equal(t, string(frame), text)
		require.NotContains(t, q.User+q.Host, ":")
	})
}

// However the bytes are cut, the same frames come out, and nothing but the end
// ends them.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x03one\x00\x00\x00\x05cut"), 2)
	f.Add([]byte{0xff, 0xff, 0}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		buf := make([]byte, MaxFrame)
		var whole []byte
		r := io.Reader(&stepper{bytes.NewReader(stream), max(1, step%7)})
		for {
			frame, err := ReadFrame(r, buf)
			if err != nil {
				require.True(t, err == io.EOF || err == io.ErrUnexpectedEOF, "%v", err)
				require.Equal(t, err == io.EOF, len(whole) == len(stream))
				return
			}
			whole = append(whole, framed(string(frame))...)
			require.True(t, bytes.HasPrefix(stream, whole))
		}
	})
}

// stepper reads a few bytes at a time.
type stepper struct {
	r io.Reader
	n int
}

func (s *stepper) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }
