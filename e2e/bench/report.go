package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// titles are what the ways are called in the tables.
var titles = map[string]string{
	wayTCP:     "direct TCP (floor)",
	wayNative:  "own WebSocket",
	wayNginx:   "nginx before it",
	wayPlain:   "plain relay, no policy",
	wayGateway: "**Trunkline, presence shown**",
	wayHidden:  "**Trunkline, hidden**",
}

// column is a figure, with as many digits as it deserves. One of several names
// shows them with strokes between.
type column struct {
	title  string
	digits int
	names  []string
}

var tables = [][]column{
	{
		{"flood: messages/s", 0, []string{figRate}},
		{"CPU s/M", 1, []string{figTotal}},
		{"of the server", 1, []string{figServer}},
		{"of what stands before it", 1, []string{figFront}},
		{"(the generator's)", 1, []string{figGenerator}},
	},
	{
		{"round trip at 500/s: p50 / p90 / p99 ms", 2, times(tripName(500))},
		{"CPU before the server µs", 0, []string{figTripCPU + " " + tripName(500)}},
		{"at 2,500/s: p50 / p90 / p99 ms", 2, times(tripName(2500))},
		{"CPU before the server µs", 0, []string{figTripCPU + " " + tripName(2500)}},
	},
	{
		{"idle stream: KiB at the server", 1, []string{figIdleAt}},
		{"KiB before it", 1, []string{figIdle}},
		{"login at 300/s: p50 / p90 / p99 ms", 2, times(figLogin)},
		{"failed", 0, []string{figFailed}},
		{"CPU of the server ms", 2, []string{figLoginAt}},
		{"before it ms", 2, []string{figLoginCPU}},
	},
}

func times(what string) []string {
	names := make([]string, len(quantiles))
	for i, q := range quantiles {
		names[i] = quantile(what, q)
	}
	return names
}

// report prints the tables as Markdown. Targets that are missed are an error.
func (r results) report(w io.Writer, o options, before string) error {
	fmt.Fprintf(w, "Relay: medians of %d runs of %g s, %d pairs, %d messages of each under way, %d idle streams; %s.\n",
		o.runs, o.seconds, o.pairs, o.underWay, o.idle, machine())
	if before != "" {
		fmt.Fprintf(w, "Load average at the start %s, at the end %s: what else ran took its part.\n", before, loadAverage())
	}
	missed := 0
	for _, server := range o.serverNames() {
		fmt.Fprintf(w, "\n### %s\n", server)
		for _, columns := range tables {
			r.table(w, server, o.ways(), columns)
		}
		missed += r.verdicts(w, server, o.ways())
	}
	if missed > 0 {
		return fmt.Errorf("%d of the gateway's targets are missed", missed)
	}
	return nil
}

// table prints one, unless nothing in it was measured. A cell is the median.
func (r results) table(w io.Writer, server string, ways []string, columns []column) {
	var rows []string
	for _, way := range ways {
		cells, empty := []string{titles[way]}, true
		for _, c := range columns {
			cell := r.cell(server, way, c)
			empty = empty && cell == "–"
			cells = append(cells, cell)
		}
		if !empty {
			rows = append(rows, "| "+strings.Join(cells, " | ")+" |")
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprint(w, "\n|  |")
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.title)
	}
	fmt.Fprintf(w, "\n|---|%s\n%s\n", strings.Repeat("---|", len(columns)), strings.Join(rows, "\n"))
}

func (r results) cell(server, way string, c column) string {
	parts := []string{}
	for _, name := range c.names {
		list := r.list(server, way, name)
		if len(list) == 0 {
			return "–"
		}
		parts = append(parts, thousands(median(list), c.digits))
	}
	return strings.Join(parts, " / ")
}

// verdicts prints what the targets came to, and says how many are missed.
func (r results) verdicts(w io.Writer, server string, ways []string) (missed int) {
	fmt.Fprint(w, "\n| | median | lowest – highest | target | |\n|---|---|---|---|---|\n")
	for _, ours := range ways {
		if !isOurs(ours) {
			continue
		}
		for _, c := range claims(server) {
			list := c.of(r, server, ours)
			if len(list) == 0 {
				continue
			}
			show := func(v float64) string { return thousands(v, c.digits) + c.unit }
			value, bound, verdict := median(list), "", ""
			if c.target.word != "" {
				bound, verdict = c.target.word+" "+show(c.target.bound), "met"
				if !c.target.met(value) {
					verdict = "**missed**"
					missed++
				}
			}
			fmt.Fprintf(w, "| %s (%s) | %s | %s – %s | %s | %s |\n", c.what, strings.Trim(strings.TrimPrefix(titles[ours], "**Trunkline, "), "*"),
				show(value), show(slices.Min(list)), show(slices.Max(list)), bound, verdict)
		}
	}
	return missed
}

// thousands writes a number with commas between its thousands.
func thousands(v float64, digits int) string {
	text := fmt.Sprintf("%.*f", digits, v)
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}
