package main

import (
	"errors"
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

	each := func() (got []string) {
		require.NoError(t, r.EachResumption(t.Context(), func(account string, state []byte, expires time.Time) error {
			got = append(got, account+" "+string(state)+" "+expires.Sub(time.UnixMilli(1_000_000)).String())
			return r.DeleteResumption(t.Context(), []byte("none")) // the database may be asked meanwhile
		}))
		return got
	}
	assert.ElementsMatch(t, []string{"1 second 1m0s", "1 other 2m0s"}, each())
	stop := errors.New("enough")
	require.ErrorIs(t, r.EachResumption(t.Context(), func(string, []byte, time.Time) error { return stop }), stop)

	now = now.Add(time.Minute)
	assert.Equal(t, []string{"1 other 2m0s"}, each())
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
