package gateway

import (
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucketGivesABurstAndThenItsRate(t *testing.T) {
	r := newRate(10, 1, 2*time.Second)
	var b bucket
	now := int64(1000)
	for range 20 {
		require.Zero(t, b.take(r, now, 1), "two seconds' worth")
	}
	require.Equal(t, 100*time.Millisecond, b.take(r, now, 1))
	require.Equal(t, 200*time.Millisecond, b.take(r, now, 1), "who waits stands in line")
	b.give(r, 2)
	require.Equal(t, 100*time.Millisecond, b.take(r, now, 1))
	now += int64(100 * time.Millisecond)
	require.Equal(t, 100*time.Millisecond, b.take(r, now, 1))
	now += int64(time.Hour)
	require.Zero(t, b.take(r, now, 20))
	require.Equal(t, 100*time.Millisecond, b.take(r, now, 1), "no more than the burst is saved up")
}

func TestBucketTakesOneOfTheLargestSize(t *testing.T) {
	r := newRate(1000, 50_000, time.Second)
	var b bucket
	require.Zero(t, b.take(r, 0, 50_000))
	require.Equal(t, time.Second, b.take(r, 0, 1000))
}

func TestNoRateIsNoLimit(t *testing.T) {
	var b bucket
	for _, r := range []rate{{}, newRate(-1, 1, time.Second), newRate(0, 1, time.Second)} {
		require.Zero(t, b.take(r, 0, math.MaxInt32))
	}
}

func TestBucketIsSharedWithoutLosses(t *testing.T) {
	r := newRate(1000, 1, time.Second)
	var b bucket
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b.take(r, 0, 1)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 7*time.Second, b.take(r, 0, 0), "8,000 were taken, 1,000 were there")
}

// FuzzBucket holds that no order of takes gives more than burst and rate allow
// to somebody who waits as long as told.
func FuzzBucket(f *testing.F) {
	f.Add(uint16(10), []byte{1, 2, 3, 200, 0, 9})
	f.Add(uint16(65535), []byte{255, 255, 255})
	f.Fuzz(func(t *testing.T, perSecond uint16, steps []byte) {
		r := newRate(int(perSecond), 1, time.Second)
		if r.each == 0 {
			return
		}
		var b bucket
		now, taken := int64(0), 0
		for i, n := range steps {
			if i%2 == 1 { // some time passes
				now += int64(n) * int64(time.Millisecond)
				continue
			}
			now += int64(b.take(r, now, int(n)))
			taken += int(n)
			allowed := float64(time.Duration(now)+r.depth)/r.each + 1
			require.LessOrEqual(t, float64(taken), allowed)
		}
	})
}

func TestTableIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	table := newTable[int](100)
	*table.at("kept", "x") = 7
	*table.at("lost") = 8
	for i := range 10_000 {
		table.at(strconv.Itoa(i))
		require.Equal(t, 7, *table.at("kept", "x"))
		require.LessOrEqual(t, table.len(), 100)
	}
	require.Nil(t, table.find("lost"))
	require.Equal(t, 7, *table.find("kept", "x"))
	require.Nil(t, table.find("keptx"), "parts are kept apart")
	require.Nil(t, table.find("kep", "tx"))
}

func TestMeterHoldsBackAndThenRefuses(t *testing.T) {
	now := int64(1)
	l := Limits{Stream: Pace{Stanzas: 10, Bytes: -1}, Account: Pace{Stanzas: 15, Bytes: -1}, Burst: time.Second, Patience: time.Second}.complete()
	p := newPaces(l, func() int64 { return now })
	one, two := p.meter("a"), p.meter("b")
	one.account, two.account = p.accounts.at("alice"), p.accounts.at("alice")
	held := 0
	for range 20 {
		wait, scope, refused := one.stanza()
		require.False(t, refused)
		if wait > 0 {
			held++
			require.Equal(t, "stream", scope)
		}
	}
	require.Equal(t, 10, held)
	wait, _, refused := one.stanza()
	require.True(t, refused)
	require.Equal(t, time.Second, wait)
	// 20 of the account's are taken: five too many.
	wait, scope, refused := two.stanza()
	require.False(t, refused)
	require.Equal(t, "account", scope)
	require.InDelta(t, 6*time.Second/15, wait, float64(time.Millisecond), "what was refused does not count")
	now += int64(10 * time.Second)
	wait, _, refused = one.stanza()
	require.Zero(t, wait)
	require.False(t, refused)
}

func TestMeterPaysForBytesLater(t *testing.T) {
	now := int64(1)
	l := Limits{Stream: Pace{Bytes: 1000}, Burst: time.Nanosecond, Patience: 3 * time.Second}
	l.Frame.MaxBytes = 500 // hence a burst of 1,000
	p := newPaces(l.complete(), func() int64 { return now })
	m := p.meter("a")
	m.read(1000)
	require.Zero(t, m.due())
	m.read(1000)
	require.Equal(t, time.Second, m.due())
	require.Zero(t, m.due(), "it has been waited for")
	m.read(1 << 20)
	require.Equal(t, 3*time.Second, m.due(), "never longer than the patience")
}
