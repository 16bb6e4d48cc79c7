package gateway

import (
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dormitory is a hibernation with a clock that the test moves.
func dormitory(most, streams int) (h *hibernation, now *time.Time) {
	at := time.Unix(1_000_000, 0)
	now = &at
	h = newHibernation(func() time.Time { return *now }, slog.New(slog.DiscardHandler), streams)
	h.most = most
	return h, now
}

func as(shown, doomed bool) func() (bool, bool) { return func() (bool, bool) { return shown, doomed } }

// ids are the SM ids of what h knows, sorted.
func (h *hibernation) ids() (list []string) {
	for id := range h.known.byID {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// TestOneAccountPushesOutNobodyElse: who lets session after session be cut loses
// the own ones that the server ends first, whichever way they come in.
func TestOneAccountPushesOutNobodyElse(t *testing.T) {
	h, now := dormitory(100, 5)
	h.add(sleeper{binding: binding{account: "bob"}, previd: "bob", expires: now.Add(time.Second)}, as(true, false))
	for i := range 500 {
		h.add(sleeper{binding: binding{account: "mallory"}, previd: "m" + strconv.Itoa(1000+i), expires: now.Add(time.Duration(i) * time.Minute)}, as(true, false))
	}
	ids := h.ids()
	require.Len(t, ids, 1+5*sleepersPerLive)
	require.Equal(t, []string{"bob", "m1480"}, ids[:2])
	h.recalled([]sleeper{{binding: binding{account: "mallory"}, previd: "early", expires: now.Add(time.Second)}})
	require.Equal(t, ids, h.ids(), "it is over before all others of the account")
	h.retry(sleeper{binding: binding{account: "mallory"}, previd: "late", expires: now.Add(1000 * time.Minute)})
	h.condemn(sleeper{binding: binding{account: "mallory"}, previd: "later", expires: now.Add(1000 * time.Minute)})
	ids = h.ids()
	require.Len(t, ids, 1+5*sleepersPerLive)
	require.Equal(t, []string{"bob", "late", "later", "m1482"}, ids[:4])
}

// TestTooManyInAllLoseTheOldest: of all accounts together.
func TestTooManyInAllLoseTheOldest(t *testing.T) {
	h, now := dormitory(10, 5)
	for i := range 15 {
		n := strconv.Itoa(100 + i)
		h.add(sleeper{binding: binding{account: n}, previd: n, expires: now.Add(time.Duration(15-i) * time.Minute)}, as(true, false))
	}
	require.Equal(t, []string{"100", "101", "102", "103", "104", "105", "106", "107", "108", "109"}, h.ids(), "the server ends these last")
	require.Equal(t, 10, h.count())
	h.wake("100")
	h.wake("nobody")
	require.Equal(t, 9, h.count())
}

// TestRowsOfSleepersStayTrue compares what hibernation hands over, whatever
// happened before, with what a look at every session would find.
func TestRowsOfSleepersStayTrue(t *testing.T) {
	dice := mathrand.New(mathrand.NewPCG(3, 4))
	h, now := dormitory(60, 2)
	handed := 0
	for range 4000 {
		id, account := strconv.Itoa(dice.IntN(100)), strconv.Itoa(dice.IntN(12))
		s := sleeper{
			binding: binding{account: account}, previd: id, hidden: dice.IntN(3) == 0,
			end: now.Add(time.Duration(dice.IntN(50)) * time.Second), expires: now.Add(time.Duration(dice.IntN(90)) * time.Second),
		}
		switch dice.IntN(6) {
		case 0:
			h.wake(id)
		case 1:
			h.revoke(func(s *sleeper) bool { return s.account == account })
		case 2:
			*now = now.Add(time.Duration(dice.IntN(5)) * time.Second)
		case 3:
			h.retry(s)
		default:
			h.add(s, as(true, dice.IntN(5) == 0))
		}
		if dice.IntN(4) > 0 {
			continue
		}
		var want []string
		next, stay := expiryMargin, map[string]sleeper{}
		for id, e := range h.known.byID {
			switch {
			case now.After(e.expires):
			case e.due() && !e.end.After(*now):
				want = append(want, id)
			case e.due():
				next = min(next, e.end.Sub(*now))
				stay[id] = e.sleeper
			default:
				stay[id] = e.sleeper
			}
		}
		due, wait := h.take()
		var got []string
		for _, s := range due {
			got = append(got, s.previd)
		}
		require.ElementsMatch(t, want, got)
		require.Equal(t, next, wait)
		handed += len(due)
		left := map[string]sleeper{}
		for id, e := range h.known.byID {
			left[id] = e.sleeper
			require.Contains(t, h.known.of[e.account], e)
		}
		require.Equal(t, stay, left)
		for _, list := range h.known.of {
			require.LessOrEqual(t, len(list), 2*sleepersPerLive)
		}
	}
	require.Positive(t, handed)
}
