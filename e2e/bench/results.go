package main

import (
	"fmt"
	"slices"
	"time"
)

// results are the samples of each figure, by server, way and name, one of each run.
type results map[[3]string][]float64

// The names of the figures. Those of times have quantiles beside them.
const (
	figRate      = "messages"      // of the flood, in a second
	figServer    = "server"        // processor seconds per million messages
	figFront     = "front"         // … of what stands before it
	figTotal     = "total"         // … both
	figGenerator = "generator"     // … our own
	figIdle      = "idle"          // KiB of a stream before the server
	figIdleAt    = "idle at"       // … at the server
	figBeside    = "beside idle"   // round trips, ms
	figAlone     = "alone"         // … the same without the idle streams
	figLogin     = "login"         // until bound, ms
	figFailed    = "login failed"  // how many
	figLoginCPU  = "login cpu"     // processor ms of what stands before the server
	figLoginAt   = "login cpu at"  // … of the server
	figTripCPU   = "round trip at" // processor µs of what stands before the server; with a rate
)

// quantiles are what is kept of times.
var quantiles = []int{50, 90, 99}

func tripName(rate float64) string       { return fmt.Sprintf("%.0f/s", rate) }
func quantile(what string, q int) string { return fmt.Sprintf("%s p%d", what, q) }

func (r results) add(server, way, what string, value float64) {
	key := [3]string{server, way, what}
	r[key] = append(r[key], value)
}

// addTimes adds quantiles of times, in milliseconds.
func (r results) addTimes(server, way, what string, took []time.Duration) {
	slices.Sort(took)
	for _, q := range quantiles {
		r.add(server, way, quantile(what, q), float64(took[len(took)*q/100])/float64(time.Millisecond))
	}
}

// list are the samples of a figure in the order of the runs.
func (r results) list(server, way, what string) []float64 { return r[[3]string{server, way, what}] }

// each combines two figures run by run; nil if one was not measured in each.
func (r results) each(server string, a, b [2]string, f func(a, b float64) float64) []float64 {
	x, y := r.list(server, a[0], a[1]), r.list(server, b[0], b[1])
	if len(x) != len(y) {
		return nil
	}
	list := make([]float64, len(x))
	for i := range x {
		list[i] = f(x[i], y[i])
	}
	return list
}

func divided(a, b float64) float64 { return a / b }
func minus(a, b float64) float64   { return a - b }
