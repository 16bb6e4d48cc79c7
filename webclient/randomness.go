package webclient

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// randomText is n random bytes in base64url.
func (s *Server) randomText(n int) (string, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(s.cfg.Rand, raw); err != nil {
		return "", fmt.Errorf("webclient: randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// fingerprint is what the database keeps of a random text.
func fingerprint(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
