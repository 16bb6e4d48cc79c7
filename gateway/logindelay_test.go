package gateway

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newTestGuesses() (g *guesses, pass func(time.Duration)) {
	now := int64(time.Hour)
	return newGuesses(func() int64 { return now }, 5*time.Second), func(d time.Duration) { now += int64(d) }
}

func TestWrongLoginsAreAnsweredLaterAndLater(t *testing.T) {
	g, pass := newTestGuesses()
	var delays []time.Duration
	for range 8 {
		delays = append(delays, g.wrong("alice", "a"))
	}
	ms := time.Millisecond
	require.Equal(t, []time.Duration{0, 250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 5000 * ms, 5000 * ms}, delays)
	pass(forgetting + 1)
	require.Zero(t, g.wrong("alice", "a"))
}

func TestWrongLoginsCountForNameAndAddress(t *testing.T) {
	g, _ := newTestGuesses()
	for i := range 40 { // one name from many addresses
		g.wrong("alice", "a"+strconv.Itoa(i))
	}
	require.Equal(t, 5*time.Second, g.wrong("alice", "elsewhere"))
	require.Zero(t, g.wrong("bob", "elsewhere"))
	for i := range 40 { // many names from one address
		g.wrong("n"+strconv.Itoa(i), "b")
	}
	require.Equal(t, 5*time.Second, g.wrong("carol", "b"))
	require.Zero(t, g.wrong("carol", "c"))
}

// What others do slows down the mistakes of nobody who is known at an address.
func TestOthersFailuresAreNotOnes(t *testing.T) {
	g, pass := newTestGuesses()
	g.right("alice", "a", "id-alice")
	for i := range 100 {
		g.wrong("alice", "x"+strconv.Itoa(i))
		g.wrong("n"+strconv.Itoa(i), "a")
	}
	require.Zero(t, g.wrong("alice", "a"))
	require.NotZero(t, g.wrong("alice", "a"), "their own are")
	g.right("alice", "a", "id-alice")
	require.Zero(t, g.wrong("alice", "a"), "until they succeed")
	// Somebody with an account cannot wipe out what they did under other names.
	g.right("mallory", "a", "id-mallory")
	require.Equal(t, 5*time.Second, g.wrong("bob", "a"))
	pass(knownFor + 1)
	for i := range 100 {
		g.wrong("alice", "x"+strconv.Itoa(i))
	}
	require.NotZero(t, g.wrong("alice", "a"), "not known any more")
}

func TestMemoryOfGuessesIsBounded(t *testing.T) {
	g, _ := newTestGuesses()
	for i := range 3 * tableSize {
		g.wrong("n"+strconv.Itoa(i), "a"+strconv.Itoa(i))
	}
	for _, n := range []int{g.pairs.len(), g.names.len(), g.addresses.len()} {
		require.LessOrEqual(t, n, tableSize)
	}
	require.Zero(t, g.known.len(), "who fails leaves no mark of a success")
	require.Zero(t, g.refusals.len())
}

func TestDelayCanBeSwitchedOff(t *testing.T) {
	g := newGuesses(func() int64 { return 0 }, -1)
	for range 100 {
		require.Zero(t, g.wrong("alice", "a"))
	}
}
