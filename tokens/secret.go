package tokens

import (
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Purposes as the database spells them.
const (
	purposeTemporary = "temporary"
	purposeInternal  = "internal"
)

// A secret is a prefix that says what it is for, so that a leaked one is
// recognised, and 160 random bits in lower-case base32.
const (
	prefixTemporary = "tlt_"
	prefixInternal  = "tli_"
	secretBytes     = 20
	idBytes         = 16
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

var base32Lower = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// errNotASecret means that s was never issued by anyone.
var errNotASecret = errors.New("tokens: not a secret of ours")

// newSecret draws a secret.
func newSecret(random io.Reader, prefix string) (string, error) {
	return draw(random, prefix, secretBytes)
}

// newID draws the name of a credential.
func newID(random io.Reader) (string, error) {
	return draw(random, "", idBytes)
}

func draw(random io.Reader, prefix string, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("tokens: no randomness: %w", err)
	}
	return prefix + base32Lower.EncodeToString(b), nil
}

// parseSecret says what a well-formed secret is for. Everything else, whatever
// its length or bytes, is errNotASecret; it never needs the database.
func parseSecret(s string) (purpose string, err error) {
	if len(s) > MaxSecretBytes || len(s) < len(prefixTemporary) {
		return "", errNotASecret
	}
	switch s[:len(prefixTemporary)] {
	case prefixTemporary:
		purpose = purposeTemporary
	case prefixInternal:
		purpose = purposeInternal
	default:
		return "", errNotASecret
	}
	body := s[len(prefixTemporary):]
	if len(body) != base32Lower.EncodedLen(secretBytes) || strings.ContainsFunc(body, foreign) {
		return "", errNotASecret
	}
	return purpose, nil
}

// foreign says whether r is never in a secret. (The base32 decoder is no judge of
// that: it skips line ends and takes 0xff for padding.)
func foreign(r rune) bool { return !strings.ContainsRune(alphabet, r) }
