package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestResumptions(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	r := &resumptions{db: sqldbtest.New(t), now: func() time.Time { return now }}
	key, other := []byte{0, 1, 255}, []byte("other")
	load := func(key []byte) []byte {
		state, err := r.LoadResumption(t.Context(), key)
		require.NoError(t, err)
		return state
	}
	assert.Nil(t, load(key))
	require.NoError(t, r.SaveResumption(t.Context(), key, "1", []byte("first"), now.Add(time.Minute)))
	require.NoError(t, r.SaveResumption(t.Context(), other, "1", []byte("other"), now.Add(2*time.Minute)))
	assert.Equal(t, "first", string(load(key)))
	require.NoError(t, r.SaveResumption(t.Context(), key, "1", []byte("second"), now.Add(time.Minute)))
	assert.Equal(t, "second", string(load(key)))

	now = now.Add(time.Minute)
	assert.Nil(t, load(key), "its time is over")
	require.NoError(t, r.sweep(t.Context()))
	var n int
	require.NoError(t, r.db.QueryRowContext(t.Context(), `SELECT count(*) FROM resumptions`).Scan(&n))
	assert.Equal(t, 1, n)
	assert.Equal(t, "other", string(load(other)))

	require.NoError(t, r.DeleteResumption(t.Context(), other))
	require.NoError(t, r.DeleteResumption(t.Context(), other), "gone already")
	assert.Nil(t, load(other))
}
