package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// sample is what was measured of one way.
type sample struct {
	login, hidden, trip []time.Duration
	throughput          []float64 // messages per second, one figure per round
}

// gateway measures both ways to the same Prosody, with the same accounts;
// Prosody asks the same trunkline about each password. What counts is the ratio.
func gateway(ctx context.Context, o options) error {
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	ways := []string{s.gateway, s.prosody}
	samples := make([]sample, len(ways))
	for round := range o.rounds {
		for i := range ways {
			i = (i + round) % len(ways) // each goes first in turn
			fmt.Fprintf(os.Stderr, "\rround %d of %d ", round+1, o.rounds)
			if err := s.measure(ctx, o, ways[i], &samples[i]); err != nil {
				return err
			}
		}
	}
	fmt.Fprint(os.Stderr, "\r                    \r")
	report(o, samples[0], samples[1])
	return nil
}

// measure adds one round of one way to its sample.
func (s *setup) measure(ctx context.Context, o options, way string, to *sample) error {
	for _, m := range []struct {
		name string
		to   *[]time.Duration
	}{{"visible", &to.login}, {"hidden", &to.hidden}} {
		for range o.logins {
			c, took, err := s.login(ctx, way, m.name)
			if err != nil {
				return err
			}
			*m.to = append(*m.to, took)
			c.end(ctx)
		}
	}
	alice, _, err := s.login(ctx, way, "visible")
	if err != nil {
		return err
	}
	defer alice.end(ctx)
	bob, _, err := s.login(ctx, way, "friend")
	if err != nil {
		return err
	}
	defer bob.end(ctx)
	for range o.trips {
		took, err := trip(ctx, alice, bob)
		if err != nil {
			return err
		}
		to.trip = append(to.trip, took)
	}
	rate, err := throughput(ctx, alice, bob, o.messages)
	to.throughput = append(to.throughput, rate)
	return err
}

func report(o options, gateway, prosody sample) {
	fmt.Printf("Gateway: %d rounds, %s\n\n", o.rounds, machine())
	fmt.Printf("%-34s %12s %12s %8s\n", "", "gateway", "Prosody", "ratio")
	row := func(what string, a, b []time.Duration) {
		for _, q := range []int{50, 95} {
			x, y := quantile(a, q), quantile(b, q)
			fmt.Printf("%-34s %12s %12s %7.2f×\n", fmt.Sprintf("%s, p%d", what, q), show(x), show(y), float64(x)/float64(y))
		}
	}
	row("login, presence is shown", gateway.login, prosody.login)
	row("login, presence is hidden", gateway.hidden, prosody.hidden)
	row("message there and back", gateway.trip, prosody.trip)
	x, y := median(gateway.throughput), median(prosody.throughput)
	fmt.Printf("%-34s %10.0f/s %10.0f/s %7.2f×\n", "messages one way, median", x, y, x/y)
	fmt.Println("\nAn own WebSocket of Prosody hides nobody: its two logins are the same.")
}

func quantile(list []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func median(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

func show(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
