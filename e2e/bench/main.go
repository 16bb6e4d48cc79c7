// Command bench measures Trunkline: the gateway beside the XMPP server's own
// WebSocket and other ways to the same server, how fast it reads frames, and
// how fast passwords are verified and issued.
//
//	bench            all three
//	bench relay      the first
//	bench parser     the second
//	bench passwords  the third
//
// The figures belong to this machine and this run. Where two things are compared
// their measurements take turns, so that whatever else the machine does falls on
// both; where there is a target it is printed beside the figure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what is measured, and how much.
type options struct {
	runs   int
	binary string

	servers, only, what string
	seconds             float64
	pairs, underWay     int
	idle                int
	warm, settle        time.Duration
	cpuProfile, profile string

	programs string
}

func parse(args []string) (o options, parts []string, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.runs, "runs", 5, "how often each is measured")
	f.StringVar(&o.binary, "trunkline", "bin/trunkline", "relay: the trunkline binary")
	f.StringVar(&o.servers, "server", strings.Join(allServers, ","), "relay: the servers")
	f.StringVar(&o.only, "only", strings.Join(allWays, ","), "relay: the ways to the server")
	f.StringVar(&o.what, "what", strings.Join(allParts, ","), "relay: what is measured")
	f.Float64Var(&o.seconds, "seconds", 2, "relay: length of each measurement; those whose p99 counts take longer")
	f.DurationVar(&o.warm, "warm", time.Second, "relay: how long a measurement runs before it counts")
	f.IntVar(&o.pairs, "pairs", 100, "relay: pairs who talk")
	f.IntVar(&o.underWay, "underway", 16, "relay: messages of a pair that are under way in the flood")
	f.IntVar(&o.idle, "idle", 5000, "relay: streams that do nothing")
	f.DurationVar(&o.settle, "settle", 6*time.Second, "relay: rest before memory is read")
	f.StringVar(&o.cpuProfile, "cpuprofile", "", "relay: file for processor profiles of the gateway during the last flood and the last logins; needs a binary of scripts/bench.sh")
	f.StringVar(&o.profile, "heapprofile", "", "relay: file for a profile of the gateway's memory with the idle streams; the goroutines go into the same name with .goroutines")
	f.StringVar(&o.programs, "programs", "bin", "parser, passwords: folder of framing.test, tokens.test and trunkline.test")
	// The part may stand before the flags or after them.
	for rest := args; len(rest) > 0; rest = f.Args() {
		if !strings.HasPrefix(rest[0], "-") {
			parts = append(parts, rest[0])
			rest = rest[1:]
		}
		if err := f.Parse(rest); err != nil {
			return o, nil, err
		}
	}
	return o, parts, o.check()
}

func (o options) check() error {
	for _, list := range []struct {
		name, given string
		known       []string
	}{{"-only", o.only, allWays}, {"-what", o.what, allParts}, {"-server", o.servers, allServers}} {
		for _, word := range strings.Split(list.given, ",") {
			if !slices.Contains(list.known, word) {
				return fmt.Errorf("%s: there is no %q, only %s", list.name, word, strings.Join(list.known, ", "))
			}
		}
	}
	if o.runs < 1 || o.pairs < 1 || o.underWay < 1 || o.idle < 1 || o.seconds <= 0 {
		return fmt.Errorf("what is measured must be more than nothing")
	}
	return nil
}

func (o options) serverNames() []string     { return inOrder(allServers, o.servers) }
func (o options) ways() []string            { return inOrder(allWays, o.only) }
func (o options) measures(what string) bool { return slices.Contains(strings.Split(o.what, ","), what) }
func (o options) length() time.Duration     { return time.Duration(o.seconds * float64(time.Second)) }
func (o options) profiles() bool            { return o.cpuProfile != "" || o.profile != "" }

// inOrder are the known words that were given.
func inOrder(known []string, given string) []string {
	return slices.DeleteFunc(slices.Clone(known), func(word string) bool {
		return !slices.Contains(strings.Split(given, ","), word)
	})
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, parts, err := parse(os.Args[1:])
	if err == nil {
		err = bench(ctx, o, parts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options, parts []string) error {
	part := strings.Join(parts, " ")
	switch {
	case len(parts) == 3 && parts[0] == partPlain:
		return plainRelay(ctx, parts[1], parts[2])
	case part == "relay":
		return relay(ctx, o)
	case part == "parser":
		return parser(ctx, o)
	case part == "passwords":
		return passwords(ctx, o)
	case part == "":
		return everything(ctx, o)
	}
	return fmt.Errorf("there is no %q, only relay, parser and passwords", part)
}

// everything is all parts. A target that one misses does not keep the next from
// being measured.
func everything(ctx context.Context, o options) (missed error) {
	for _, part := range []func(context.Context, options) error{relay, parser, passwords} {
		missed = errors.Join(missed, part(ctx, o), ctx.Err())
		if ctx.Err() != nil {
			return missed
		}
		fmt.Println()
	}
	return missed
}

// machine is what the figures were measured on.
func machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}
