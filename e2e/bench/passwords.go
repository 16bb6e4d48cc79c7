package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// testProgram is a package's compiled benchmarks, which run in the package's folder.
type testProgram struct{ file, folder string }

var (
	tokensTest    = testProgram{"tokens.test", "tokens"}
	trunklineTest = testProgram{"trunkline.test", "cmd/trunkline"}
)

// benchmark is one of their benchmarks and how long it measures.
type benchmark struct {
	program testProgram
	name    string
	time    time.Duration
}

var benchmarks = []benchmark{
	{tokensTest, "BenchmarkVerifyDevice", 4 * time.Second},
	{tokensTest, "BenchmarkVerifyAt2000", 5 * time.Second},
	{tokensTest, "BenchmarkIssueTemporary", 2 * time.Second},
	{tokensTest, "BenchmarkIssueDevice", 2 * time.Second},
	{trunklineTest, "BenchmarkLogin", 4 * time.Second},
	{trunklineTest, "BenchmarkLoginOverSocket", 4 * time.Second},
}

// figure is a line of the table: a metric of a benchmark, and what it is to be.
type figure struct {
	what, benchmark, metric string
	unit                    string
	digits                  int
	target                  target
}

// target is a bound that a figure has to keep to; none if word is "".
type target struct {
	word  string
	bound float64
}

const (
	atLeast  = "≥"
	atMost   = "≤"
	lessThan = "<"
)

func (t target) met(value float64) bool {
	switch t.word {
	case atLeast:
		return value >= t.bound
	case atMost:
		return value <= t.bound
	case lessThan:
		return value < t.bound
	}
	return true
}

var figures = []figure{
	{"verify, 1,000 device passwords", "BenchmarkVerifyDevice", "verify/s-of-1000", "/s", 0, target{atLeast, 20_000}},
	{"verify, 1,000,000 device passwords", "BenchmarkVerifyDevice", "verify/s-of-1000000", "/s", 0, target{}},
	{"… how much slower that is", "BenchmarkVerifyDevice", "times-slower", "×", 2, target{atMost, 2}},
	{"verify, processor time of each", "BenchmarkVerifyDevice", "cpu-µs-of-1000", " µs", 1, target{}},
	{"verify at 2,000/s, p50", "BenchmarkVerifyAt2000", "p50-ms", " ms", 2, target{}},
	{"verify at 2,000/s, p99", "BenchmarkVerifyAt2000", "p99-ms", " ms", 2, target{lessThan, 2}},
	{"issue, temporary", "BenchmarkIssueTemporary", "issue/s", "/s", 0, target{atLeast, 2_000}},
	{"issue, device", "BenchmarkIssueDevice", "issue/s", "/s", 0, target{atLeast, 2_000}},
	{"ejabberd's login, its own memory, p50", "BenchmarkLogin", "mnesia-p50-ms", " ms", 2, target{}},
	{"ejabberd's login, extauth, p50", "BenchmarkLogin", "extauth-p50-ms", " ms", 2, target{}},
	{"… how much longer that is", "BenchmarkLogin", "over-mnesia-p50-ms", " ms", 2, target{lessThan, 0.3}},
	{"… over a Unix socket", "BenchmarkLoginOverSocket", "over-mnesia-p50-ms", " ms", 2, target{lessThan, 0.3}},
	{"memory of an extauth program", "BenchmarkLogin", "rss-MB", " MB", 1, target{lessThan, 20}},
}

// passwords runs the benchmarks in turn, and prints the median of each figure.
func passwords(ctx context.Context, o options) error {
	values := map[string][]float64{} // by benchmark and metric
	before := loadAverage()
	for run := range o.runs {
		for _, b := range benchmarks {
			progress("run %d of %d, %s", run+1, o.runs, b.name)
			metrics, err := b.run(ctx, o.programs)
			if err != nil {
				return err
			}
			for metric, value := range metrics {
				values[b.name+" "+metric] = append(values[b.name+" "+metric], value)
			}
		}
	}
	progress("")
	return printFigures(o, "Passwords", before, figures, values)
}

// line shows the figure's values.
func (f figure) line(list []float64) string {
	value := median(list)
	text := fmt.Sprintf("%-50s %12s  %-21s", f.what, f.show(value), f.show(slices.Min(list))+" – "+f.show(slices.Max(list)))
	if f.target.word == "" {
		return strings.TrimRight(text, " ")
	}
	verdict := "missed"
	if f.target.met(value) {
		verdict = "met"
	}
	return text + fmt.Sprintf(" %-13s %s", f.target.word+" "+f.show(f.target.bound), verdict)
}

func (f figure) show(value float64) string { return fmt.Sprintf("%.*f%s", f.digits, value, f.unit) }

// run runs the benchmark once and returns its metrics. programs is the folder
// of the compiled ones.
func (b benchmark) run(ctx context.Context, programs string) (map[string]float64, error) {
	file, err := filepath.Abs(filepath.Join(programs, b.program.file))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, file, "-test.run=^$", "-test.bench=^"+b.name+"$", "-test.benchtime="+b.time.String())
	cmd.Dir = b.program.folder
	cmd.Env = append(os.Environ(), "TRUNKLINE_TEST_STORE=sqlite")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", b.name, err, out.String())
	}
	metrics := parseMetrics(out.String(), b.name)
	if len(metrics) == 0 {
		return nil, fmt.Errorf("%s measured nothing:\n%s", b.name, out.String())
	}
	return metrics, nil
}

// loadAverage is the machine's load average over the last minute, "" if it does not say.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
