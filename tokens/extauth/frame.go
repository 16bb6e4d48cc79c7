package extauth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"
)

// MaxFrame is the longest request that the protocol can carry: its length is
// two bytes.
const MaxFrame = 1<<16 - 1

// Request is one question of ejabberd.
type Request struct {
	Op     string // "auth", "isuser", "setpass", …
	User   string
	Host   string
	Secret string // "" for the operations without one
}

// LogValue leaves the secret out.
func (q Request) LogValue() slog.Value {
	return slog.GroupValue(slog.String("op", q.Op), slog.String("user", q.User), slog.String("host", q.Host))
}

// String leaves the secret out.
func (q Request) String() string { return q.Op + ":" + q.User + ":" + q.Host }

// GoString leaves the secret out.
func (q Request) GoString() string { return q.String() }

// ReadFrame reads one request: two bytes of length, big-endian, and as many
// bytes. The frame is valid until buf, which has room for MaxFrame bytes, is used
// again. The error is io.EOF at the end between two frames, and
// io.ErrUnexpectedEOF within one.
func ReadFrame(r io.Reader, buf []byte) ([]byte, error) {
	head := buf[:2]
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := buf[:binary.BigEndian.Uint16(head)]
	if _, err := io.ReadFull(r, frame); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return frame, nil
}

// secrets says which operations ejabberd sends, and which of them with a secret.
var secrets = map[string]bool{
	"auth": true, "setpass": true, "tryregister": true, "removeuser3": true,
	"isuser": false, "removeuser": false, "certauth": false,
}

// errMalformed does not quote the request: there may be a password in it.
var errMalformed = errors.New("extauth: not a request that ejabberd makes")

// ParseRequest takes a request apart: OP:USER:HOST, and :SECRET for the
// operations that have one. The secret may have colons in it. Its errors do not
// quote the request.
func ParseRequest(frame []byte) (Request, error) {
	parts := bytes.SplitN(frame, []byte(":"), 4)
	hasSecret, known := secrets[string(parts[0])]
	switch {
	case !known:
		return Request{}, fmt.Errorf("%w: unknown operation", errMalformed)
	case hasSecret && len(parts) != 4, !hasSecret && len(parts) != 3:
		return Request{}, fmt.Errorf("%w: another number of fields", errMalformed)
	case len(parts[1]) == 0, len(parts[2]) == 0:
		return Request{}, fmt.Errorf("%w: empty field", errMalformed)
	case !utf8.Valid(frame):
		return Request{}, fmt.Errorf("%w: not UTF-8", errMalformed)
	}
	q := Request{Op: string(parts[0]), User: string(parts[1]), Host: string(parts[2])}
	if hasSecret {
		q.Secret = string(parts[3])
	}
	return q, nil
}

// answers are the two words of the protocol, each with its length before it.
var answers = map[bool][]byte{true: {0, 2, 0, 1}, false: {0, 2, 0, 0}}
