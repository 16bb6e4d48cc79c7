package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// results are the samples of each figure, by server, way and name.
type results map[[3]string][]float64

func (r results) add(server, way, what string, value float64) {
	key := [3]string{server, way, what}
	r[key] = append(r[key], value)
}

// addTimes adds quantiles of times, in milliseconds.
func (r results) addTimes(server, way, what string, took []time.Duration) {
	slices.Sort(took)
	for _, q := range []int{50, 90, 99} {
		r.add(server, way, fmt.Sprintf("%s p%d", what, q), float64(took[len(took)*q/100])/float64(time.Millisecond))
	}
}

// median is the figure's, and whether it was measured.
func (r results) median(server, way, what string) (float64, bool) {
	list := r[[3]string{server, way, what}]
	if len(list) == 0 {
		return 0, false
	}
	return median(list), true
}

func (r results) report(w io.Writer, o options, before string) error {
	fmt.Fprintf(w, "medians of %d, %s, load %s – %s\n", o.runs, machine(), before, load1())
	for _, server := range inOrder([]string{"ejabberd", "prosody"}, o.servers) {
		names := map[string]bool{}
		for k := range r {
			if k[0] == server {
				names[k[2]] = true
			}
		}
		for _, way := range o.ways() {
			fmt.Fprintf(w, "%s %s:", server, way)
			for _, n := range slices.Sorted(func(yield func(string) bool) {
				for n := range names {
					if !yield(n) {
						return
					}
				}
			}) {
				v, _ := r.median(server, way, n)
				fmt.Fprintf(w, "  %s %.2f", n, v)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}
