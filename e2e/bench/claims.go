package main

import "fmt"

// claim is what a figure of ours is to be, before one server.
type claim struct {
	what   string
	unit   string
	digits int
	target target
	of     func(r results, server, ours string) []float64 // in each run
}

// claims are those for a server. They hold for both ways of ours.
func claims(server string) []claim {
	against := func(way, what string, f func(a, b float64) float64) func(results, string, string) []float64 {
		return func(r results, server, ours string) []float64 {
			return r.each(server, [2]string{ours, what}, [2]string{way, what}, f)
		}
	}
	own := func(what string) func(results, string, string) []float64 {
		return func(r results, server, ours string) []float64 { return r.list(server, ours, what) }
	}
	slow, fast := tripName(rates[0]), tripName(rates[1])
	messages, total := 1.25, 0.85
	if server == serverProsody {
		messages, total = 1.35, 0.80
	}
	list := []claim{
		{"flood: messages, against the server's own WebSocket", "×", 2, target{atLeast, messages}, against(wayNative, figRate, divided)},
		{"flood: processor time of a message, against it", "×", 2, target{atMost, total}, against(wayNative, figTotal, divided)},
		{"flood: our own share", " s/M", 1, target{}, own(figFront)},
		{"round trip at " + slow + ", longer than over TCP, p50", " ms", 2, target{atMost, 0.15}, against(wayTCP, quantile(slow, 50), minus)},
		{"… p99", " ms", 2, target{atMost, 0.4}, against(wayTCP, quantile(slow, 99), minus)},
		{"round trip at " + fast + ", p50", " ms", 2, target{}, own(quantile(fast, 50))},
		{"… p90", " ms", 2, target{}, own(quantile(fast, 90))},
		{"memory of an idle stream", " KiB", 1, target{atMost, 14}, own(figIdle)},
		{fmt.Sprintf("login at %d/s, our own processor time", loginRate), " ms", 2, target{atMost, 0.5}, own(figLoginCPU)},
		{"… p99", " ms", 1, target{atMost, 20}, own(quantile(figLogin, 99))},
		{"… failed, in all runs", "", 0, target{atMost, 0}, func(r results, server, ours string) []float64 {
			return sum(r.list(server, ours, figFailed))
		}},
		{"round trip beside idle streams, against without them, p99", "×", 2, target{atMost, 1.3}, func(r results, server, ours string) []float64 {
			return r.each(server, [2]string{ours, quantile(figBeside, 99)}, [2]string{ours, quantile(figAlone, 99)}, divided)
		}},
	}
	if server == serverEjabberd {
		list[2].target = target{atMost, 35}
	} else {
		list[5].target, list[6].target = target{atMost, 1.5}, target{atMost, 10}
	}
	return list
}

// sum is one figure of all runs, none of none.
func sum(list []float64) []float64 {
	if len(list) == 0 {
		return nil
	}
	total := 0.0
	for _, v := range list {
		total += v
	}
	return []float64{total}
}
