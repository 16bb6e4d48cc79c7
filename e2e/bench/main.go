// Command bench measures Trunkline: the gateway beside the XMPP server's own
// WebSocket, and how fast passwords are verified and issued.
//
//	bench            both
//	bench gateway    the first
//	bench passwords  the second
//
// The figures belong to this machine and this run. Where two things are compared
// their measurements take turns, so that whatever else the machine does falls on
// both; where there is a target it is printed beside the figure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
)

// options are how much is measured.
type options struct {
	binary, module          string
	logins, trips, messages int
	rounds                  int

	programs string
	runs     int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "trunkline", "bin/trunkline", "the trunkline binary")
	flag.StringVar(&o.module, "module", "contrib/prosody", "folder of the Prosody module")
	flag.IntVar(&o.rounds, "rounds", 5, "gateway: how often the two ways take turns")
	flag.IntVar(&o.logins, "logins", 20, "gateway: logins per round")
	flag.IntVar(&o.trips, "trips", 200, "gateway: message round-trips per round")
	flag.IntVar(&o.messages, "messages", 1000, "gateway: messages per round for the throughput")
	flag.StringVar(&o.programs, "programs", "bin", "passwords: folder of tokens.test and trunkline.test")
	flag.IntVar(&o.runs, "runs", 5, "passwords: how often each is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, o, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options, part string) error {
	switch part {
	case "gateway":
		return gateway(ctx, o)
	case "passwords":
		return passwords(ctx, o)
	case "":
		if err := gateway(ctx, o); err != nil {
			return err
		}
		fmt.Println()
		return passwords(ctx, o)
	}
	return fmt.Errorf("there is no %q, only gateway and passwords", part)
}

// machine is what the figures were measured on.
func machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}
