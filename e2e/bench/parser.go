package main

import (
	"context"
	"fmt"
	"time"
)

var framingTest = testProgram{"framing.test", "gateway/framing"}

// The parser beside encoding/xml, on one message and on a server's stream.
const (
	ourFrame  = "BenchmarkFrame/rich/parser"
	itsFrame  = "BenchmarkFrame/rich/encoding-xml"
	ourStream = "BenchmarkSplitter/framing"
	itsStream = "BenchmarkSplitter/encoding-xml"
)

var parserFigures = []figure{
	{"a message of 540 bytes: read, checked, looked at", ourFrame, "MB/s", " MB/s", 0, target{atLeast, 1000}},
	{"… memory taken", ourFrame, "allocs/op", " allocations", 0, target{atMost, 0}},
	{"… faster than encoding/xml", ourFrame, fasterMetric, "×", 1, target{atLeast, 12}},
	{"a server's stream of them, cut into frames", ourStream, "MB/s", " MB/s", 0, target{}},
	{"… faster than encoding/xml", ourStream, fasterMetric, "×", 1, target{}},
}

// fasterMetric is how many times as long the other of the same run takes.
const fasterMetric = "times-faster"

// parser measures how fast frames are read, the two ways in turn.
func parser(ctx context.Context, o options) error {
	values := map[string][]float64{} // by benchmark and metric
	before := loadAverage()
	for run := range o.runs {
		for _, pair := range [][2]string{{ourFrame, itsFrame}, {ourStream, itsStream}} {
			progress("run %d of %d, %s", run+1, o.runs, pair[0])
			ours, err := (benchmark{framingTest, pair[0], time.Second}).run(ctx, o.programs)
			if err != nil {
				return err
			}
			its, err := (benchmark{framingTest, pair[1], time.Second}).run(ctx, o.programs)
			if err != nil {
				return err
			}
			ours[fasterMetric] = its["ns/op"] / ours["ns/op"]
			for metric, value := range ours {
				values[pair[0]+" "+metric] = append(values[pair[0]+" "+metric], value)
			}
		}
	}
	progress("")
	return printFigures(o, "Parser", before, parserFigures, values)
}

// printFigures prints the median of each figure. Targets that are missed are an error.
func printFigures(o options, title, before string, list []figure, values map[string][]float64) error {
	fmt.Printf("%s: medians of %d runs, %s\n", title, o.runs, machine())
	if before != "" {
		fmt.Printf("Load average at the start %s, at the end %s: what else ran took its part.\n", before, loadAverage())
	}
	fmt.Printf("\n%-50s %12s  %-21s %-13s\n", "", "median", "lowest – highest", "target")
	missed := 0
	for _, f := range list {
		samples := values[f.benchmark+" "+f.metric]
		if len(samples) == 0 {
			return fmt.Errorf("%s did not report %s", f.benchmark, f.metric)
		}
		fmt.Println(f.line(samples))
		if f.target.word != "" && !f.target.met(median(samples)) {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of the targets are missed", missed)
	}
	return nil
}
