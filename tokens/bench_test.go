package tokens

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

// benched is a service that runs, with many people who have ten devices each.
type benched struct {
	*Service
	people int
	names  []string
	keys   []string // the secret of names[i]
}

const (
	devicesEach = 10
	sampled     = 4096 // logins are of so many devices, spread over all
)

func newBenched(b *testing.B, devices int) *benched {
	b.Helper()
	s, err := New(Config{
		DB: sqldbtest.New(b), Key: testKey,
		AccountLimit: Limit{Burst: 1 << 30, Every: time.Nanosecond}, SessionLimit: Limit{Burst: 1 << 30, Every: time.Nanosecond},
		DeviceLimit: Limit{Burst: 1 << 30, Every: time.Nanosecond},
	})
	require.NoError(b, err)
	f := &benched{Service: s, people: max(1, devices/devicesEach)}
	f.fill(b, devices)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	b.Cleanup(func() { cancel(); wg.Wait() })
	return f
}

// fill writes people and devices past the API, which would take minutes.
func (f *benched) fill(b *testing.B, devices int) {
	b.Helper()
	require.NoError(b, f.db.Update(b.Context(), func(tx *sql.Tx) error {
		person, err := tx.PrepareContext(b.Context(), `INSERT INTO accounts
			(id, username, created_at, last_login_at, standing_at, trusted_until) VALUES ($1, $2, 0, 0, $3, $3)`)
		require.NoError(b, err)
		defer person.Close()
		for i := range f.people {
			_, err := person.ExecContext(b.Context(), fmt.Sprint(i), fmt.Sprint("person", i), farAway)
			require.NoError(b, err)
		}
		device, err := tx.PrepareContext(b.Context(), `INSERT INTO credentials
			(id, account_id, purpose, service, name, hash, created_at) VALUES ($1, $2, 'device', 'xmpp', 'Phone', $3, 0)`)
		require.NoError(b, err)
		defer device.Close()
		every := max(1, devices/sampled)
		for i := range devices {
			secret, err := newDeviceSecret(f.rand)
			require.NoError(b, err)
			id, err := newID(f.rand)
			require.NoError(b, err)
			owner := i % f.people
			_, err = device.ExecContext(b.Context(), id, fmt.Sprint(owner), f.hash(secret))
			require.NoError(b, err)
			if i%every == 0 {
				f.names, f.keys = append(f.names, fmt.Sprint("person", owner)), append(f.keys, secret)
			}
		}
		return nil
	}))
}

// login checks one of the devices.
func (f *benched) login(ctx context.Context, i int) error {
	i %= len(f.keys)
	v, err := f.Check(ctx, Attempt{ServiceXMPP, f.names[i], f.keys[i], "bench", "203.0.113.77"})
	if err == nil && !v.OK {
		err = fmt.Errorf("refused: %s", v.Reason)
	}
	return err
}

// warm logs every sampled device in once.
func (f *benched) warm(b *testing.B) {
	b.Helper()
	for i := range f.keys {
		require.NoError(b, f.login(b.Context(), i))
	}
	require.NoError(b, f.writeUses(b.Context()))
}

// BenchmarkVerifyDevice verifies as fast as it goes, with few devices and with
// very many. They take turns, so that both have the same machine.
func BenchmarkVerifyDevice(b *testing.B) {
	const atOnce = 4096
	sizes := []int{1_000, 1_000_000}
	var all []*benched
	for _, rows := range sizes {
		f := newBenched(b, rows)
		f.warm(b)
		all = append(all, f)
	}
	perSecond, cpu := make([][]float64, len(sizes)), make([][]float64, len(sizes))
	for b.Loop() {
		for i, f := range all {
			used, began := processorTime(b), time.Now()
			f.logins(b, atOnce)
			perSecond[i] = append(perSecond[i], atOnce/time.Since(began).Seconds())
			cpu[i] = append(cpu[i], float64((processorTime(b)-used).Nanoseconds())/1000/atOnce)
		}
	}
	for i, rows := range sizes {
		b.ReportMetric(median(perSecond[i]), fmt.Sprintf("verify/s-of-%d", rows))
		b.ReportMetric(median(cpu[i]), fmt.Sprintf("cpu-µs-of-%d", rows))
	}
	b.ReportMetric(median(perSecond[0])/median(perSecond[1]), "times-slower")
}

// logins verifies n times on all processors.
func (f *benched) logins(b *testing.B, n int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(n) {
					return
				}
				if err := f.login(b.Context(), int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// processorTime is what this process has used so far, on all processors.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

// Somebody who guesses: nothing is found.
func BenchmarkVerifyWrong(b *testing.B) {
	f := newBenched(b, 1_000)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v, err := f.Check(b.Context(), Attempt{Service: ServiceXMPP, Username: "person1", Secret: "tld-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"})
			if err != nil || v.OK {
				b.Error(v, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verify/s")
}

// BenchmarkVerifyAt2000 asks 2,000 times a second, whether or not the earlier
// questions were answered. Each is measured from the moment when it is asked to
// its answer, the wait for its turn included. A second is a sample: what is
// reported is the median second's p99, and the p99 over all of them.
func BenchmarkVerifyAt2000(b *testing.B) {
	f := newBenched(b, 100_000)
	f.warm(b)
	var all []time.Duration
	var p50, p99 []float64
	for b.Loop() {
		took := f.secondAt(b, 2000)
		p50, p99 = append(p50, percentile(took, 50)), append(p99, percentile(took, 99))
		all = append(all, took...)
	}
	b.ReportMetric(median(p50), "p50-ms")
	b.ReportMetric(median(p99), "p99-ms")
	b.ReportMetric(percentile(all, 99), "p99-of-all-ms")
}

// secondAt asks so many questions, evenly within a second, and says how long
// each took.
func (f *benched) secondAt(b *testing.B, n int) []time.Duration {
	asked := make(chan time.Time, n)
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for at := range asked {
				i := next.Add(1) - 1
				if err := f.login(b.Context(), rand.IntN(sampled)); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(at)
			}
		})
	}
	every := time.Second / time.Duration(n)
	tick := time.NewTicker(every)
	defer tick.Stop()
	start := time.Now()
	for sent := 0; sent < n; {
		<-tick.C
		for ; sent < n && time.Since(start) >= time.Duration(sent)*every; sent++ {
			asked <- time.Now()
		}
	}
	close(asked)
	wg.Wait()
	return took
}

// percentile in milliseconds; it sorts the list.
func percentile(list []time.Duration, p int) float64 {
	slices.Sort(list)
	return float64(list[(len(list)-1)*p/100].Microseconds()) / 1000
}

func benchmarkIssue(b *testing.B, people int, issue func(f *benched, i int64) error) {
	f := newBenched(b, people*devicesEach)
	var n atomic.Int64
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(32)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := issue(f, n.Add(1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issue/s")
	})
}

func BenchmarkIssueTemporary(b *testing.B) {
	benchmarkIssue(b, 1_000, func(f *benched, i int64) error {
		_, _, err := f.IssueTemporary(b.Context(), fmt.Sprint(i%int64(f.people)), "")
		return err
	})
}

func BenchmarkIssueDevice(b *testing.B) {
	benchmarkIssue(b, 20_000, func(f *benched, i int64) error {
		_, _, err := f.IssueDevice(b.Context(), fmt.Sprint(i%int64(f.people)), ServiceXMPP, "Phone")
		return err
	})
}
