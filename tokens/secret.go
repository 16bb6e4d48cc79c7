package tokens

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Purposes as the database spells them.
const (
	purposeTemporary = "temporary"
	purposeInternal  = "internal"
	purposeDevice    = "device"
)

// A secret is a prefix that says what it is for, so that a leaked one is
// recognised, and random bits in lower-case base32: 160, for a device that
// people type 120 in groups of four.
const (
	prefixTemporary = "tlt_"
	prefixInternal  = "tli_"
	prefixDevice    = "tld-"
	prefixAccess    = "tla_"
	prefixJWT       = "eyJ" // {" in base64: what every JSON Web Token begins with

	secretBytes = 20
	deviceBytes = 15
	deviceGroup = 4
	idBytes     = 16
	phoneLength = 5
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

var base32Lower = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// errNotASecret means that s was never issued by anyone.
var errNotASecret = errors.New("tokens: not a secret of ours")

// newSecret draws a secret.
func newSecret(random io.Reader, prefix string) (string, error) {
	return draw(random, prefix, secretBytes)
}

// newDeviceSecret draws a secret that is made to be typed.
func newDeviceSecret(random io.Reader) (string, error) {
	body, err := draw(random, "", deviceBytes)
	return grouped(body), err
}

// grouped spells the secret of a device.
func grouped(body string) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(prefixDevice, "-"))
	for len(body) > 0 {
		n := min(deviceGroup, len(body))
		b.WriteByte('-')
		b.WriteString(body[:n])
		body = body[n:]
	}
	return b.String()
}

// newID draws the name of a credential.
func newID(random io.Reader) (string, error) {
	return draw(random, "", idBytes)
}

// newAuthName draws the name that a SIP phone of this person signs in with.
func newAuthName(random io.Reader, username string) (string, error) {
	tail, err := draw(random, "", idBytes)
	if err != nil {
		return "", err
	}
	return username + "-" + tail[:phoneLength], nil
}

func draw(random io.Reader, prefix string, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("tokens: no randomness: %w", err)
	}
	return prefix + base32Lower.EncodeToString(b), nil
}

// parseSecret says what a well-formed secret is for, and how it was spelt when
// it was issued: people may type a device's without hyphens, with spaces, or in
// capitals. Everything else, whatever its length or bytes, is errNotASecret; it
// never needs the database.
func parseSecret(s string) (purpose, spelt string, err error) {
	if len(s) > MaxSecretBytes || len(s) < len(prefixTemporary) {
		return "", "", errNotASecret
	}
	switch {
	case strings.HasPrefix(s, prefixTemporary):
		return parseBody(s, purposeTemporary, prefixTemporary)
	case strings.HasPrefix(s, prefixInternal):
		return parseBody(s, purposeInternal, prefixInternal)
	case strings.HasPrefix(s, prefixJWT):
		return parseJWT(s)
	}
	return parseTyped(s)
}

func parseBody(s, kind, prefix string) (purpose, spelt string, err error) {
	body := s[len(prefix):]
	if len(body) != base32Lower.EncodedLen(secretBytes) || strings.ContainsFunc(body, foreign) {
		return "", "", errNotASecret
	}
	return kind, s, nil
}

// parseTyped reads the secret of a device as a person may have typed it.
func parseTyped(s string) (purpose, spelt string, err error) {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r == ' ', r == '\u00a0', unicode.Is(unicode.Pd, r): // spaces and dashes of any width
			return -1
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
	body, ok := strings.CutPrefix(plain, strings.TrimSuffix(prefixDevice, "-"))
	if !ok || len(body) != base32Lower.EncodedLen(deviceBytes) || strings.ContainsFunc(body, foreign) {
		return "", "", errNotASecret
	}
	return purposeDevice, grouped(body), nil
}

// foreign says whether r is never in a secret. (The base32 decoder is no judge of
// that: it skips line ends and takes 0xff for padding.)
func foreign(r rune) bool { return !strings.ContainsRune(alphabet, r) }

// drawNumber draws a number that is more than zero.
func drawNumber(random io.Reader) (int64, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("tokens: no randomness: %w", err)
	}
	return int64(binary.BigEndian.Uint64(b[:])>>1) | 1, nil
}
