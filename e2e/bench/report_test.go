package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fill gives each figure of both servers the value that just meets its target
// or, spoilt, misses it.
func fill(o options, spoilt bool) results {
	r := results{}
	ours := map[string]float64{
		figRate: 20_000, figTotal: 80, figServer: 60, figFront: 20, figGenerator: 8, figIdle: 14, figLoginCPU: 0.5, figFailed: 0,
	}
	for what, p99 := range map[string]float64{"500/s": 0.7, "2500/s": 9, figLogin: 20, figBeside: 1.3, figAlone: 1} {
		for q, share := range map[int]float64{50: 0.16, 90: 0.9, 99: 1} {
			ours[quantile(what, q)] = p99 * share
		}
	}
	if spoilt {
		for what := range ours {
			ours[what] = ours[what]*2 + 1
		}
		ours[figRate] /= 4
		ours[quantile(figAlone, 99)] = 1
		ours[quantile(figBeside, 99)], ours[quantile("500/s", 50)], ours[quantile("2500/s", 90)] = 3, 9, 11
	}
	for _, server := range o.serverNames() {
		for run := range 3 {
			for what, value := range ours {
				r.add(server, wayHidden, what, value*[]float64{9, 1, 0.1}[run])
			}
			for what, value := range map[string]float64{figRate: 14_000, figTotal: 100} {
				r.add(server, wayNative, what, value*[]float64{9, 1, 0.1}[run])
			}
			r.add(server, wayTCP, quantile("500/s", 50), 0)
			r.add(server, wayTCP, quantile("500/s", 99), 0.35)
		}
	}
	return r
}

func TestReport(t *testing.T) {
	o, _, err := parse([]string{"-only", "tcp,native,hidden", "-runs", "3"})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, fill(o, false).report(&out, o, "0.01"), "%s", &out)
	text := out.String()
	assert.Equal(t, 10+11, strings.Count(text, "| met |"), text)
	assert.Contains(t, text, "Load average at the start 0.01")
	assert.Contains(t, text, "### ejabberd\n\n|  | flood: messages/s | CPU s/M |")
	assert.Contains(t, text, "| own WebSocket | 14,000 | 100.0 | – | – | – |")
	assert.Contains(t, text, "| **Trunkline, hidden** | 20,000 | 80.0 | 60.0 | 20.0 | 8.0 |")
	assert.Contains(t, text, "| flood: messages, against the server's own WebSocket (hidden) | 1.43× | 1.43× – 1.43× | ≥ 1.25× | met |")
	assert.Contains(t, text, "| memory of an idle stream (hidden) | 14.0 KiB | 1.4 KiB – 126.0 KiB | ≤ 14.0 KiB | met |")

	out.Reset()
	err = fill(o, true).report(&out, o, "")
	assert.ErrorContains(t, err, "21 of the gateway's targets are missed")
	assert.NotContains(t, out.String(), "| met |")
}

// A ratio is of the figures of one run; with one missing there is none.
func TestEach(t *testing.T) {
	r := results{}
	for _, v := range []float64{10, 20, 90} {
		r.add("s", "a", "x", v)
		r.add("s", "b", "x", v/2)
	}
	assert.Equal(t, []float64{2, 2, 2}, r.each("s", [2]string{"a", "x"}, [2]string{"b", "x"}, divided))
	r.add("s", "a", "x", 1)
	assert.Nil(t, r.each("s", [2]string{"a", "x"}, [2]string{"b", "x"}, minus))
}

func TestQuantiles(t *testing.T) {
	r := results{}
	took := make([]time.Duration, 200)
	for i := range took {
		took[len(took)-1-i] = time.Duration(i) * time.Millisecond
	}
	r.addTimes("s", "w", "t", took)
	for q, want := range map[int]float64{50: 100, 90: 180, 99: 198} {
		assert.Equal(t, []float64{want}, r.list("s", "w", quantile("t", q)))
	}
}

func TestThousands(t *testing.T) {
	for want, v := range map[string]float64{"0": 0.4, "999": 999, "1,000": 1000, "12,345,678": 12345678, "−1,234": -1234} {
		assert.Equal(t, want, thousands(v, 0))
	}
	assert.Equal(t, "1,234.50", thousands(1234.5, 2))
}
