package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestResumptions(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	r := &resumptions{db: sqldbtest.New(t), now: func() time.Time { return now }, most: 80}
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

// TestResumptionsOfOneAccountAreBounded: the state that is over first makes room for
// a new one, whatever the order in which they came, and nobody else's does.
func TestResumptionsOfOneAccountAreBounded(t *testing.T) {
	start := time.UnixMilli(1_000_000)
	r := &resumptions{db: sqldbtest.New(t), now: func() time.Time { return start }, most: 4}
	save := func(account, key string, minutes int) {
		t.Helper()
		require.NoError(t, r.SaveResumption(t.Context(), []byte(key), account, []byte(key), start.Add(time.Duration(minutes)*time.Minute)))
	}
	left := func(account string) (keys []string) {
		t.Helper()
		require.NoError(t, r.EachResumption(t.Context(), func(of string, state []byte, _ time.Time) error {
			if of == account {
				keys = append(keys, string(state))
			}
			return nil
		}))
		return keys
	}
	save("bob", "z", 1)
	for i, key := range []string{"d", "b", "c", "a"} {
		save("alice", key, 10-i)
	}
	assert.Equal(t, []string{"a", "b", "c", "d"}, left("alice"))
	save("alice", "a", 20) // known already
	assert.Equal(t, []string{"a", "b", "c", "d"}, left("alice"))
	save("alice", "e", 30)
	assert.Equal(t, []string{"a", "b", "d", "e"}, left("alice"))
	save("alice", "f", 2) // the first to be over, but it is this one that somebody wants to keep
	assert.Equal(t, []string{"a", "d", "e", "f"}, left("alice"))
	save("alice", "g", 2)
	assert.Equal(t, []string{"a", "d", "e", "g"}, left("alice"))
	assert.Equal(t, []string{"z"}, left("bob"))
}

// TestResumptionsAreReadInPages hands over each state once, however many there are.
func TestResumptionsAreReadInPages(t *testing.T) {
	for _, n := range []int{eachAtOnce - 1, eachAtOnce, 2*eachAtOnce + 1} {
		now := time.UnixMilli(1_000_000)
		r := &resumptions{db: sqldbtest.New(t), now: func() time.Time { return now }, most: n}
		var want []string
		for i := range n {
			key := fmt.Sprintf("%04d", i)
			require.NoError(t, r.SaveResumption(t.Context(), []byte(key), "1", []byte(key), now.Add(time.Minute)))
			want = append(want, key)
		}
		var got []string
		require.NoError(t, r.EachResumption(t.Context(), func(_ string, state []byte, _ time.Time) error {
			got = append(got, string(state))
			return r.DeleteResumption(t.Context(), state) // what was read is gone; the rest still comes
		}))
		assert.Equal(t, want, got)
		page, err := r.page(t.Context(), []byte{})
		require.NoError(t, err)
		assert.Empty(t, page)
	}
}

// TestAPageOfResumptionsIsBounded: a start does not read them all into memory.
func TestAPageOfResumptionsIsBounded(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	r := &resumptions{db: sqldbtest.New(t), now: func() time.Time { return now }, most: 2 * eachAtOnce}
	for i := range eachAtOnce + 1 {
		require.NoError(t, r.SaveResumption(t.Context(), fmt.Appendf(nil, "%04d", i), "1", []byte("x"), now.Add(time.Minute)))
	}
	page, err := r.page(t.Context(), []byte{})
	require.NoError(t, err)
	assert.Len(t, page, eachAtOnce)
}
