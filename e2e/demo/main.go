// Command demo starts everything needed to try Trunkline on one machine and
// prints the address to open. It stays in the foreground; Ctrl-C ends all of
// it. The folder survives, so chats are still there at the next start.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/trunkline-chat/trunkline/e2e/stack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	var o stack.Options
	clean := flag.Bool("clean", false, "forget the chats of earlier starts")
	flag.StringVar(&o.Dir, "dir", filepath.Join(os.TempDir(), fmt.Sprintf("trunkline-demo-%d", os.Getuid())), "folder that keeps the demo")
	flag.StringVar(&o.Binary, "trunkline", "bin/trunkline", "the trunkline binary")
	flag.StringVar(&o.Module, "module", "contrib/prosody", "folder of the Prosody module")
	flag.StringVar(&o.Mastodon, "mastodon", "", "a real server with Mastodon's API, instead of the stand-in")
	flag.StringVar(&o.Mode, "mode", "4.6", "what the stand-in behaves like: 4.6, 4.3 or gotosocial")
	flag.Parse()

	var err error
	if o.Module, err = filepath.Abs(o.Module); err != nil {
		return err
	}
	// Other servers have other people with other ids: their data stay apart.
	o.Dir = filepath.Join(o.Dir, o.Mode)
	if o.Mastodon != "" {
		name := strings.NewReplacer("://", "-", "/", "-", ":", "-").Replace(strings.TrimSuffix(o.Mastodon, "/"))
		o.Dir = filepath.Join(filepath.Dir(o.Dir), "real-"+name)
	}
	if *clean {
		if err := stack.Clean(o.Dir); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s, err := stack.Start(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	greet(o, s)
	<-ctx.Done()
	fmt.Println("\nEnding the demo; the chats stay in", o.Dir)
	return nil
}

func greet(o stack.Options, s *stack.Stack) {
	fmt.Printf("\n  Open    %s\n", s.Page)
	if o.Mastodon == "" {
		fmt.Print("  People  alice, bob and carol; the password of each is “password”\n")
		fmt.Print("          Log in on that page; the chat button is in its corner then.\n")
		fmt.Print("          A second browser, or a private window, can be somebody else.\n")
	} else {
		fmt.Printf("  Log in  with your account on %s\n", o.Mastodon)
	}
	fmt.Printf("  Logs    %s\n", o.Dir)
	fmt.Print("\n  Ctrl-C ends everything. `make demo CLEAN=1` starts afresh.\n\n")
}
