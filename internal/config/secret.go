package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeyBytes is the length of a key before it is encoded.
const KeyBytes = 32

const redacted = "***"

// Secret is a text that nothing prints. Formatting it with any verb, logging it
// and marshalling it give ***; only Reveal and Bytes give what is inside.
type Secret struct{ text string }

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text} }

// NewKey reads 32 bytes from random and returns them as a key in the encoding
// that the configuration takes: base64url without padding, 43 characters.
func NewKey(random io.Reader) (string, error) {
	var b [KeyBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", errors.New("config: no randomness for a new key: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Reveal returns the secret's text as it was written.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// Bytes decodes a key: 32 bytes in base64, either alphabet, padded or not.
func (s Secret) Bytes() ([]byte, error) {
	text := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s.text, "="))
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != KeyBytes {
		// The decoder's error quotes its input, so it is not passed on.
		return nil, errors.New("config: not a key of 32 bytes in base64")
	}
	return b, nil
}

// Format prints *** for every verb, also for those that would walk the struct.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns ***.
func (s Secret) String() string { return redacted }

// GoString returns ***, for %#v.
func (s Secret) GoString() string { return redacted }

// LogValue returns ***, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns ***, for JSON, TOML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

var (
	_ slog.LogValuer = Secret{}
	_ fmt.Formatter  = Secret{}
)
