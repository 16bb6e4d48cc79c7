package backend_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// Trunkline was away for so long that the list has a gap: nobody can tell who
// should be gone, so all sign in again.
func TestAGapInTheListEndsAllSessions(t *testing.T) {
	s := newStack(t, quick)
	phone := s.device("alice")
	sessions := []*integration.Client{s.with("alice", phone.secret, "phone"), s.connect("bob")}
	waiting := s.open("alice", phone.secret)
	var away struct {
		After *int64
		Away  *float64
	}
	seen := make(chan []byte, 1000)
	var gap atomic.Bool
	gap.Store(true)
	s.front.setFault(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/verify" {
			s.front.backend.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		seen <- body
		if gap.Swap(false) {
			body = []byte(`{"after":7,"away":90000}`)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.front.backend.ServeHTTP(w, r)
	})
	for _, c := range sessions {
		condition, text := ends(t, c)
		require.Equal(t, "reset", condition)
		require.Contains(t, text, "Please sign in again.")
	}
	_, err := waiting.Await(patience(t), func(e integration.Element) bool { return e.Name.Local == "error" })
	require.NoError(t, err)
	require.Contains(t, s.prosody.Log(), "ended all 3 sessions")
	require.NoError(t, json.Unmarshal(<-seen, &away))
	require.NotNil(t, away.After)
	require.NotNil(t, away.Away, "Prosody says how long ago it heard the last")
	require.Less(t, *away.Away, integration.RawTimeout.Seconds())

	again := s.with("alice", phone.secret, "phone")
	s.heard()
	require.Empty(t, again.Sync(), "once")
	s.revoke("alice", phone)
	ends(t, again)
}
