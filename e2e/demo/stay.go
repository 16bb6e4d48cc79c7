package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/trunkline-chat/trunkline/e2e/stack"
)

// part is a program of the demo that may end by itself.
type part struct {
	name, log string
	exited    <-chan struct{} // closed when it has ended; nil never is
}

// parts are the programs that s runs.
func parts(o stack.Options, s *stack.Stack) []part {
	all := []part{{name: "Trunkline", log: filepath.Join(o.Dir, "trunkline.log"), exited: s.Trunkline.Exited()}}
	if server, ok := s.Server.(interface{ Exited() <-chan struct{} }); ok {
		all = append(all, part{name: "Prosody", log: filepath.Join(o.Dir, "prosody", "prosody.log"), exited: server.Exited()})
	}
	return all
}

// stay returns when the demo is told to end. Of a part that ends before, it says so,
// once: the page alone would only tell that the chat cannot be reached.
func stay(ctx context.Context, w io.Writer, all ...part) {
	ended := make(chan part)
	for _, p := range all {
		go func() { // ended by ctx
			select {
			case <-p.exited:
				select {
				case ended <- p:
				case <-ctx.Done():
				}
			case <-ctx.Done():
			}
		}()
	}
	for {
		select {
		case p := <-ended:
			if ctx.Err() != nil { // Ctrl-C has reached it first
				return
			}
			fmt.Fprintf(w, "\n  %s has ended by itself, and nobody can chat now. Its log is\n  %s\n  Ctrl-C ends the rest; then start the demo again.\n", p.name, p.log)
		case <-ctx.Done():
			return
		}
	}
}
