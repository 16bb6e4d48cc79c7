package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnAbandonedQueueKeepsNoSecret: what waited for a connection that is closed
// is overwritten like what was written.
func TestAnAbandonedQueueKeepsNoSecret(t *testing.T) {
	q, _, _ := piped(t, 100)
	require.True(t, q.add([]byte("<auth>a secret</auth>")))
	held := q.waiting.b
	q.abandon()
	require.Nil(t, q.waiting)
	require.NotContains(t, string(held), "secret")
	require.Zero(t, q.waits())
	require.False(t, q.add([]byte("x")))
}
