package gateway

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// banning is a server behind guesses, with the memory of ejabberd's mod_fail2ban.
type banning struct {
	t       *testing.T
	g       *guesses
	now     time.Duration
	refuses func(account string) bool

	asked, row int
	last       time.Duration
	most       int
}

func newBanning(t *testing.T, refuses func(account string) bool) *banning {
	b := &banning{t: t, refuses: refuses}
	b.g = newGuesses(func() int64 { return int64(time.Hour + b.now) }, 5*time.Second)
	return b
}

// login tries one and says whether it came to a success.
func (b *banning) login(account string) bool {
	_, ok := b.g.ask(account)
	if !ok {
		return false
	}
	defer b.g.answered(account)
	b.asked++
	if !b.refuses(account) {
		b.g.right(account, "a", account)
		b.row = 0
		return true
	}
	if b.now-b.last > time.Hour+10*time.Minute {
		b.row = 0
	}
	b.row, b.last = b.row+1, b.now
	b.most = max(b.most, b.row)
	b.g.refused(account)
	return false
}

func everybody(string) bool { return true }

func crowd(n int) (names []string) {
	for i := range n {
		names = append(names, "id-"+strconv.Itoa(i))
	}
	return names
}

// TestAServerThatRefusesIsNotAskedAllTheTime has a few people who are refused try
// every second of a day: they are not locked, others are let in, and the server
// never counts to twenty.
func TestAServerThatRefusesIsNotAskedAllTheTime(t *testing.T) {
	for n := 1; n < rowOfAccounts; n++ {
		for _, othersLogIn := range []bool{false, true} {
			b := newBanning(t, func(account string) bool { return account != "id-bob" })
			for ; b.now < 24*time.Hour; b.now += time.Second {
				for _, name := range crowd(n) {
					b.login(name)
				}
				if othersLogIn && b.now%(30*time.Minute) == 0 {
					b.login("id-bob")
				}
			}
			require.Less(t, b.most, rowOfBan, "%d accounts", n)
			require.Greater(t, b.asked, 50, "not locked either")
			waited := time.Duration(0)
			for ; !b.login("id-bob"); b.now += time.Second {
				waited += time.Second
			}
			require.LessOrEqual(t, waited, longestTrial)
			require.True(t, b.login("id-bob"))
		}
	}
}

// TestManyWhoAreRefusedGetNobodyBanned is with so many accounts that two refusals
// of each would be enough for a ban. In an hour it does not come to that, and who
// is let in by the server does not wait for longer than the row has lasted.
func TestManyWhoAreRefusedGetNobodyBanned(t *testing.T) {
	for _, n := range []int{rowOfAccounts, 10} {
		for _, comes := range []time.Duration{time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour} {
			b := newBanning(t, func(account string) bool { return account != "id-bob" })
			for ; b.now < comes; b.now += time.Second {
				for _, name := range crowd(n) {
					b.login(name)
				}
			}
			require.Less(t, b.most, rowOfBan, "%d accounts", n)
			for waited := time.Duration(0); !b.login("id-bob"); waited += time.Second {
				require.LessOrEqual(t, waited, min(comes, longestTrial), "%d accounts, after %v", n, comes)
				b.now += time.Second
				for _, name := range crowd(n) {
					b.login(name)
				}
			}
			require.Less(t, b.most, rowOfBan)
			require.True(t, b.login("id-bob"), "the row is over")
		}
	}
}

// TestAServerThatRecoversIsFound has a server refuse everybody for a while. They
// try again and again; when it has recovered the first is let in after about as
// long as it was out of order, and then all.
func TestAServerThatRecoversIsFound(t *testing.T) {
	for _, n := range []int{rowOfAccounts, 100} {
		for _, outage := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, 5 * time.Hour} {
			broken := true
			b := newBanning(t, func(string) bool { return broken })
			names := crowd(n)
			for ; b.now < outage; b.now += time.Second {
				for _, name := range names {
					b.login(name)
				}
			}
			if outage < 30*time.Minute {
				require.Less(t, b.most, rowOfBan, "%d people, %v", n, outage)
			}
			broken = false
			most := min(outage+2*firstTrial, 2*longestTrial)
			for in := false; !in; b.now += time.Second {
				require.LessOrEqual(t, b.now-outage, most, "%d people, %v", n, outage)
				for _, name := range names {
					in = in || b.login(name)
				}
			}
			b.now += longestPause
			for _, name := range names {
				require.True(t, b.login(name), "%d people, %v", n, outage)
			}
		}
	}
}

// TestLoginsUnderWayCount: nobody can have a server refuse twenty before it has
// answered the first.
func TestLoginsUnderWayCount(t *testing.T) {
	b := newBanning(t, everybody)
	for range freeRefusals {
		_, ok := b.g.ask("id-a")
		require.True(t, ok)
	}
	wait, ok := b.g.ask("id-a")
	require.False(t, ok)
	require.Zero(t, wait, "it is enough to wait for an answer")
	b.g.answered("id-a")
	_, ok = b.g.ask("id-a")
	require.True(t, ok)

	// As long as nobody is refused all are let through.
	for _, name := range crowd(40) {
		_, ok := b.g.ask(name)
		require.True(t, ok)
	}
	for _, name := range crowd(40)[:30] {
		b.g.answered(name)
	}
	// 3 and 10 are with the server. One of these is refused: then 6 more may come.
	b.g.refused("id-39")
	b.g.answered("id-39")
	for i := range 6 {
		_, ok := b.g.ask("id-new" + strconv.Itoa(i))
		require.True(t, ok, "%d", i)
	}
	wait, ok = b.g.ask("id-one-too-many")
	require.False(t, ok)
	require.Zero(t, wait)
	b.g.answered("id-38")
	_, ok = b.g.ask("id-one-too-many")
	require.True(t, ok)
	b.g.right("somebody", "a", "id-37")
	_, ok = b.g.ask("id-and-another")
	require.True(t, ok, "a success ends the row")
	for _, name := range []string{"id-a", "id-a", "id-a", "id-one-too-many", "id-and-another"} {
		b.g.answered(name)
	}
	for i := range 6 {
		b.g.answered("id-new" + strconv.Itoa(i))
	}
	for _, name := range crowd(38)[30:] {
		b.g.answered(name)
	}
	require.Empty(t, b.g.asking.of, "nothing stays")
	require.Zero(t, b.g.asking.all)
}
