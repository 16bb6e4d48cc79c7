// Command demo starts everything needed to try Trunkline on one machine and
// prints the address to open. It stays in the foreground; Ctrl-C ends all of
// it. The folder survives, so chats are still there at the next start.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
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
	folder := flag.String("dir", "", "folder that keeps the demo; without it one that all checkouts of this user share")
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
	if o.Dir = *folder; o.Dir == "" {
		o.Dir = filepath.Join(os.TempDir(), fmt.Sprintf("trunkline-demo-%d", os.Getuid()))
	}
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
	greet(os.Stdout, o, s.Page, *folder)
	stay(ctx, os.Stdout, parts(o, s)...)
	fmt.Println("\nEnding the demo; the chats stay in", o.Dir)
	return nil
}

// greet says what to do now. folder is what -dir was given, "" if it was not.
func greet(w io.Writer, o stack.Options, page, folder string) {
	fmt.Fprintf(w, "\n  Open    %s\n", page)
	if o.Mastodon == "" {
		fmt.Fprint(w, "  People  alice, bob and carol; the password of each is “password”\n")
		fmt.Fprint(w, "          Log in on that page; the chat button is in its corner then.\n")
		fmt.Fprint(w, "          A second browser, or a private window, can be somebody else.\n")
	} else {
		fmt.Fprintf(w, "  Log in  with your account on %s\n", o.Mastodon)
	}
	fmt.Fprintf(w, "  Logs    %s\n", o.Dir)
	if folder == "" {
		fmt.Fprint(w, "          The chats are kept there too, for demos from every checkout of yours;\n")
		fmt.Fprint(w, "          DIR=/path takes a folder of its own.\n")
	}
	fmt.Fprintf(w, "\n  Ctrl-C ends everything. `%s` starts afresh.\n\n", afresh(o.Mastodon, folder))
}

// afresh is the command that starts this demo without its chats.
func afresh(mastodon, folder string) string {
	words := "make demo CLEAN=1"
	if mastodon != "" {
		words += " MASTODON=" + quoted(mastodon)
	}
	if folder != "" {
		words += " DIR=" + quoted(folder)
	}
	return words
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:@", r)
	}
	if strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
