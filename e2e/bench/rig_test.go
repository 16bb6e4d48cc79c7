package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each part measures each way that needs no binary of ours, on a real server:
// there are figures, and they are of the right processes.
func TestRig(t *testing.T) {
	o, _, err := parse([]string{
		"-runs", "1", "-seconds", "0.3", "-warm", "100ms", "-pairs", "10", "-idle", "20", "-settle", "100ms", "-server", serverProsody,
		"-only", "tcp,native,nginx,plain",
	})
	require.NoError(t, err)
	dir := t.TempDir()
	s, err := newStore(dir)
	require.NoError(t, err)
	p, err := s.populate(t.Context(), 2*o.pairs, o.idle)
	require.NoError(t, err)
	require.Len(t, p.all(), 2*2*o.pairs+o.idle)
	r, err := newRig(t.Context(), o, serverProsody, dir, s, p)
	require.NoError(t, err)
	t.Cleanup(r.close)
	got := results{}
	require.NoError(t, r.measure(t.Context(), o, got))

	one := func(way, what string) float64 {
		list := got.list(serverProsody, way, what)
		require.Len(t, list, 1, "%s: %s", way, what)
		return list[0]
	}
	for _, way := range o.ways() {
		assert.Positive(t, one(way, figRate))
		assert.Positive(t, one(way, figServer), "%s: the server has worked", way)
		assert.Positive(t, one(way, figGenerator))
		assert.InDelta(t, one(way, figTotal), one(way, figServer)+one(way, figFront), 0.001)
		for _, rate := range rates {
			assert.Positive(t, one(way, quantile(tripName(rate), 50)))
			assert.LessOrEqual(t, one(way, quantile(tripName(rate), 50)), one(way, quantile(tripName(rate), 99)))
		}
		if r.fronts[way] == nil {
			assert.Zero(t, one(way, figFront))
			assert.Zero(t, one(way, figIdle))
		} else {
			assert.Contains(t, r.meter(way).front, r.fronts[way].pid())
			one(way, figIdleAt) // whatever a server of few streams comes to
		}
	}
	assert.Positive(t, one(wayPlain, quantile(figLogin, 99)))
}

func TestRigThatDoesNotStart(t *testing.T) {
	_, err := newRig(t.Context(), options{}, "sendmail", t.TempDir(), nil, people{})
	assert.ErrorContains(t, err, "only ejabberd and prosody")
}

func TestProcess(t *testing.T) {
	assert.Contains(t, tree(os.Getppid()), os.Getpid())
	assert.Positive(t, rss([]int{os.Getpid()}))
	before, own := cpu([]int{os.Getpid()}), ownCPU()
	for cpu([]int{os.Getpid()}) < before+5*tick { // the reading is the work
	}
	spent, ticks := ownCPU()-own, cpu([]int{os.Getpid()})-before
	assert.InDelta(t, float64(spent), float64(ticks), float64(3*tick))
	assert.Zero(t, cpu([]int{1 << 30}))

	m := meter{server: []int{os.Getpid()}}
	require.NoError(t, m.mark())
	_, err := m.used()
	assert.Error(t, err)
	require.NoError(t, m.mark())
	used, err := m.used()
	require.NoError(t, err)
	assert.Less(t, used.server, time.Minute)
}

func TestProgramThatDoesNotStart(t *testing.T) {
	p := &program{addr: "127.0.0.1:1", log: t.TempDir() + "/log", args: []string{"sh", "-c", "echo no >&2; exit 3"}}
	assert.ErrorContains(t, p.start(t.Context()), "no\n")
	p.stop() // nothing is left to stop
}
