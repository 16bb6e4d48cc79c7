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

// TestAServerThatRefusesIsNotAskedAllTheTime has somebody who is refused try
// every second of a day, before a server that bans after 20 failures, none of
// them an hour after the one before, with no success between.
func TestAServerThatRefusesIsNotAskedAllTheTime(t *testing.T) {
	for _, othersLogIn := range []bool{false, true} {
		g, pass := newTestGuesses()
		require.Zero(t, g.pause("id-alice"))
		asked, row, last := 0, 0, 0
		for second := range 24 * 3600 {
			if g.pause("id-alice") == 0 {
				g.refused("id-alice")
				if second-last > 3600 {
					row = 0
				}
				asked, row, last = asked+1, row+1, second
				require.Less(t, row, 20, "banned after %d s", second)
			}
			if othersLogIn && second%1800 == 0 {
				g.right("bob", "b", "id-bob")
				row = 0
			}
			pass(time.Second)
		}
		require.Greater(t, asked, 50, "not locked either")
		require.Zero(t, g.pause("id-bob"))
		g.right("alice", "a", "id-alice")
		require.Zero(t, g.pause("id-alice"))
	}
}

// TestAFaultOfTheServerLocksNobody has a server refuse many people for a while
// who try again and again: when it has recovered, all of them get in soon.
func TestAFaultOfTheServerLocksNobody(t *testing.T) {
	g, pass := newTestGuesses()
	names := []string{"alice", "bob", "carol", "dave", "eve", "frank"}
	for range 600 {
		for _, name := range names {
			if g.pause("id-"+name) == 0 {
				g.refused("id-" + name)
			}
		}
		pass(time.Second)
	}
	pass(longestPause)
	for _, name := range names {
		require.Zero(t, g.pause("id-"+name))
	}
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
