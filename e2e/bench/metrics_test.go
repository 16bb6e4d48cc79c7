package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const printed = `goos: linux
pkg: github.com/trunkline-chat/trunkline/tokens
BenchmarkIssue-2                     	     300	   1000 ns/op
BenchmarkIssueDevice/parallel-2      	    4352	    493293 ns/op	      2027.5 issue/s	    5661 B/op
--- BENCH: BenchmarkIssueDevice
    BenchmarkIssueDevice said 7 things
PASS
`

func TestParseMetrics(t *testing.T) {
	assert.Equal(t, map[string]float64{"ns/op": 493293, "issue/s": 2027.5, "B/op": 5661}, parseMetrics(printed, "BenchmarkIssueDevice"))
	assert.Equal(t, map[string]float64{"ns/op": 1000}, parseMetrics(printed, "BenchmarkIssue"))
	assert.Empty(t, parseMetrics(printed, "BenchmarkVerify"))
	assert.Empty(t, parseMetrics("BenchmarkIssue-2 300 NaN ns/op", "BenchmarkIssue"))
}

func FuzzParseMetrics(f *testing.F) {
	f.Add(printed, "issue/s", 2027.5)
	f.Fuzz(func(t *testing.T, around, unit string, value float64) {
		for unit, v := range parseMetrics(around, "BenchmarkIssue") {
			require.NotEmpty(t, unit)
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0))
			require.Contains(t, around, unit)
		}
		if len(strings.Fields(unit)) != 1 || unit != strings.TrimSpace(unit) || math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		line := fmt.Sprintf("\nBenchmarkX/part-2 \t 12 \t %v %s\n", value, unit)
		require.Equal(t, value, parseMetrics(strings.ReplaceAll(around, "BenchmarkX", "")+line, "BenchmarkX")[unit])
	})
}

// Every figure belongs to a benchmark that is run, and every target can be missed.
func TestFigures(t *testing.T) {
	run := map[string]bool{}
	for _, b := range benchmarks {
		run[b.name] = true
	}
	for _, f := range figures {
		assert.True(t, run[f.benchmark], f.what)
		if f.target.word != "" {
			assert.NotEqual(t, f.target.met(f.target.bound/2), f.target.met(f.target.bound*2), f.what)
		}
	}
	f := figure{what: "verify", unit: "/s", target: target{atLeast, 20}}
	assert.Regexp(t, `verify +20/s +1/s – 30/s +≥ 20/s +met$`, f.line([]float64{30, 1, 20}))
	assert.Regexp(t, `≥ 20/s +missed$`, f.line([]float64{30, 1, 19}))
	f.target = target{lessThan, 20}
	assert.Regexp(t, `< 20/s +missed$`, f.line([]float64{20}))
	f.target = target{}
	assert.Regexp(t, `verify +20/s +20/s – 20/s$`, f.line([]float64{20}))
}
