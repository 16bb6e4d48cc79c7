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

// TestDebtIsBounded: many streams of one address, each of which reads on when its
// patience is over, leave those who come later no longer line than that.
func TestDebtIsBounded(t *testing.T) {
	now := int64(1)
	l := Limits{Stream: Pace{Bytes: -1}, Address: Pace{Bytes: 1000}, Burst: 2 * time.Second, Patience: 5 * time.Second}
	l.Frame.MaxBytes = 500
	p := newPaces(l.complete(), func() int64 { return now })
	meters := make([]meter, 100)
	for i := range meters {
		meters[i] = p.meter("a")
	}
	for range 100 {
		for i := range meters {
			meters[i].read(1000)
			require.LessOrEqual(t, meters[i].due(), 5*time.Second)
		}
		now += int64(5 * time.Second)
	}
	now -= int64(5 * time.Second)
	late := p.meter("a")
	late.read(1)
	require.Equal(t, 5*time.Second, late.due())
	now += int64(5*time.Second + 500*time.Millisecond)
	late.read(1000)
	require.Equal(t, 500*time.Millisecond, late.due())
	now += int64(2*time.Second + 500*time.Millisecond)
	late.read(2000)
	require.Zero(t, late.due(), "all is forgotten when the patience and a burst are over")
}

// TestChargeAndTakeShareABucket: who took more than may be charged still owes it.
func TestChargeAndTakeShareABucket(t *testing.T) {
	r := newRate(10, 1, time.Second)
	var b bucket
	require.Equal(t, 9*time.Second, b.take(r, 0, 100))
	require.Equal(t, 9*time.Second, b.charge(r, 0, 100, 5*time.Second))
	require.Equal(t, 9*time.Second, b.take(r, 0, 0))
	b.give(r, 100)
	require.Zero(t, b.charge(r, 0, 10, 5*time.Second))
	require.Equal(t, time.Second, b.charge(r, 0, 10, 5*time.Second))
	require.Equal(t, 5*time.Second, b.charge(r, 0, 1000, 5*time.Second))
	require.Zero(t, b.charge(rate{}, 0, 1000, 5*time.Second))
}

// TestNobodyIsForgivenForOthersSake: a key that is pushed out of the table by
// others keeps what it owes, as long as it owes something; and the table keeps its
// bounds when all of them do.
func TestNobodyIsForgivenForOthersSake(t *testing.T) {
	now := int64(1)
	p := newPaces(Limits{Handshakes: 1, Burst: 10 * time.Second}.complete(), func() int64 { return now })
	open := func(address string) (wait time.Duration) {
		wait, _ = p.open(&p.addresses.at(address).opened, p.handshakes)
		return wait
	}
	others := func(use bool) {
		for i := range 3 * tableSize {
			other := "other" + strconv.Itoa(int(now)) + "-" + strconv.Itoa(i)
			if use {
				open(other)
			} else {
				p.addresses.at(other)
			}
		}
		require.LessOrEqual(t, p.addresses.len(), tableSize)
	}
	for range 10 {
		require.Zero(t, open("mallory"))
	}
	others(false)
	require.Equal(t, time.Second, open("mallory"), "no second allowance")
	now += int64(11 * time.Second)
	others(false)
	require.Nil(t, p.addresses.find("mallory"), "nothing is owed any more")
	open("mallory")
	others(true)
	others(true)
	others(false)
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
