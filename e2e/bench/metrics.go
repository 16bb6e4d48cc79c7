package main

import (
	"math"
	"strconv"
	"strings"
)

// parseMetrics reads what a test binary prints of one of its benchmarks, or of
// its only part, by unit:
//
//	BenchmarkIssueDevice/parallel-2    4352    493293 ns/op    2027 issue/s
//
// Lines of anything else are left out.
func parseMetrics(output, benchmark string) map[string]float64 {
	metrics := map[string]float64{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !names(fields[0], benchmark) {
			continue
		}
		if _, err := strconv.ParseUint(fields[1], 10, 64); err != nil {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
				break
			}
			metrics[fields[i+1]] = value
		}
	}
	return metrics
}

// names says whether the first word of a line is this benchmark's.
func names(word, benchmark string) bool {
	rest, ok := strings.CutPrefix(word, benchmark)
	return ok && (rest == "" || rest[0] == '-' || rest[0] == '/')
}
