// Command stackd runs one stack for the browser tests. It prints one line of
// JSON with the addresses when everything answers, takes orders by HTTP on
// loopback, and ends when its standard input closes, so that no test run can
// leave it behind.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/trunkline-chat/trunkline/e2e/stack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stackd:", err)
		os.Exit(1)
	}
}

func run() error {
	o := stack.Options{Front: true, Control: true, RateLimit: -1}
	flag.StringVar(&o.Dir, "dir", "", "folder that keeps the stack")
	flag.StringVar(&o.Binary, "trunkline", "bin/trunkline", "the trunkline binary")
	flag.StringVar(&o.Module, "module", "contrib/prosody", "folder of the Prosody module")
	flag.StringVar(&o.Ejabberd, "ejabberd", "", "ejabberd in place of Prosody, with this configuration: contrib/ejabberd/ejabberd.yml")
	flag.StringVar(&o.Converse, "converse", "", "Converse.js on the chat origin, by this folder's Caddyfile: contrib/converse")
	flag.StringVar(&o.Library, "library", "node_modules/converse.js/dist", "with -converse: Converse.js itself")
	flag.StringVar(&o.Mode, "mode", "4.6", "what the stand-in behaves like")
	flag.IntVar(&o.Follows, "follows", 0, "generated follows of each person")
	flag.BoolVar(&o.NoPrivacyLists, "no-privacy-lists", false, "Prosody without mod_privacy_lists")
	flag.Parse()
	var err error
	if o.Module, err = filepath.Abs(o.Module); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // ends with standard input
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s, err := stack.Start(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control := newControl(ctx, s)
	defer control.close()
	server := &http.Server{Handler: control.routes()}
	go func() { _ = server.Serve(l) }() // ended by Close below
	defer server.Close()
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"page": s.Page, "chat": s.Chat, "mastodon": s.MastodonOrigin(), "control": "http://" + l.Addr().String(),
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
