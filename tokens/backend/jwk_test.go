package backend

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The key of RFC 7515 appendix A.1.1 in its base64url form.
func TestJWK(t *testing.T) {
	text, err := JWK([]byte{
		3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40, 230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191,
		211, 251, 90, 146, 210, 6, 71, 239, 150, 138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245, 103, 208, 128, 163,
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"kty":"oct","use":"sig","alg":"HS256",
		"k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`, string(text))
	_, err = JWK(bytes.Repeat([]byte{1}, 31))
	require.Error(t, err)
}
