package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsGivenBackAfterARush(t *testing.T) {
	now, freed := memoryUse{}, 0
	m := &memory{usage: func() memoryUse { return now }, free: func() { freed++; now.heap = 20 << 20; now.cycles++ }}
	look := func(u memoryUse) int {
		now, freed = u, 0
		m.look()
		return freed
	}
	const mega = 1 << 20
	require.Equal(t, 0, look(memoryUse{10, 5 * mega, 0}))
	require.Equal(t, 0, look(memoryUse{9000, 60 * mega, 7}), "the rush is on")
	require.Equal(t, 0, look(memoryUse{9500, 70 * mega, 7}), "goroutines still come")
	require.Equal(t, 0, look(memoryUse{4500, 70 * mega, 7}), "goroutines still end")
	require.Equal(t, 0, look(memoryUse{200, 70 * mega, 7}), "goroutines still end")
	require.Equal(t, 0, look(memoryUse{200, 70 * mega, 9}), "the collector works")
	require.Equal(t, 1, look(memoryUse{200, 72 * mega, 9}))
	require.Equal(t, 0, look(memoryUse{200, 22 * mega, 10}), "once")
	require.Equal(t, 0, look(memoryUse{300, 27 * mega, 10}), "not for so little")
	require.Equal(t, 1, look(memoryUse{250, 28 * mega, 10}), "garbage alone")
	require.Equal(t, 0, look(memoryUse{800, 20 * mega, 11}))
	require.Equal(t, 0, look(memoryUse{200, 21 * mega, 11}))
	require.Equal(t, 1, look(memoryUse{200, 21 * mega, 11}), "stacks alone")
}

func TestUsageIsRead(t *testing.T) {
	u := readUsage()
	require.NotZero(t, u.goroutines)
	require.NotZero(t, u.heap)
}
