package mastodontest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a webhook says of each state is what Mastodon's serializer would.
func TestWebhook(t *testing.T) {
	s := New(Options{})
	for state, want := range map[State]struct{ suspended, disabled, confirmed any }{
		Active:      {false, false, true},
		Suspended:   {true, false, true},
		Disabled:    {false, true, true},
		Moved:       {false, false, true},
		Unconfirmed: {false, false, false},
		Deleted:     {true, nil, nil},
	} {
		s.SetState("bob", state)
		r, err := s.Webhook(t.Context(), "http://chat.example/hooks/mastodon", "secret", "account.updated", "bob")
		require.NoError(t, err)
		raw, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(raw)
		require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), r.Header.Get("X-Hub-Signature"))
		var body struct {
			Event  string
			Object map[string]any
		}
		require.NoError(t, json.Unmarshal(raw, &body))
		require.Equal(t, "account.updated", body.Event)
		require.Equal(t, want.suspended, body.Object["suspended"], state)
		require.Equal(t, want.disabled, body.Object["disabled"], state)
		require.Equal(t, want.confirmed, body.Object["confirmed"], state)
		require.Contains(t, body.Object, "domain")
		account, ok := body.Object["account"].(map[string]any)
		require.True(t, ok)
		require.Equal(t, state == Moved, account["moved"] != nil, state)
	}
	_, err := s.Webhook(t.Context(), "http://chat.example", "secret", "account.updated", "nobody")
	require.Error(t, err)
}
