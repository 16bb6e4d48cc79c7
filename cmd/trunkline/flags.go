package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// parse reads the flags of a subcommand and returns the words that are left.
// Flags may stand before and after words.
func (c *call) parse(cmd string, args []string, define func(*flag.FlagSet)) (words []string, ok bool) {
	fs := flag.NewFlagSet(cmd, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	define(fs)
	for {
		if err := fs.Parse(args); err != nil {
			fmt.Fprintf(c.stderr, "trunkline: %s: %v; see: trunkline help %s\n", cmd, err, cmd)
			return nil, false
		}
		if fs.NArg() == 0 {
			return words, true
		}
		words, args = append(words, fs.Arg(0)), fs.Args()[1:]
	}
}

// configPath reads the one flag --config and returns it with the words beside it.
func (c *call) configPath(cmd string, args []string) (path string, words []string, ok bool) {
	words, ok = c.parse(cmd, args, func(fs *flag.FlagSet) { fs.StringVar(&path, "config", defaultConfig, "") })
	return path, words, ok
}

// load reads the configuration; when ok is false the reason has been told.
func (c *call) load(path string) (cfg *config.Config, ok bool) {
	cfg, err := config.Load(path, c.env)
	if err != nil {
		c.explain(path, err)
		return nil, false
	}
	return cfg, true
}

// explain writes each mistake of a configuration on a line of its own.
func (c *call) explain(path string, err error) {
	mistakes, ok := config.AsMistakes(err)
	if !ok {
		fmt.Fprintf(c.stderr, "trunkline: %v\nStart from: trunkline config example > %s\n", err, path)
		return
	}
	for _, m := range mistakes {
		fmt.Fprintln(c.stderr, m.Error())
	}
	noun := "mistakes"
	if len(mistakes) == 1 {
		noun = "mistake"
	}
	fmt.Fprintf(c.stderr, "trunkline: %d %s in the configuration\n", len(mistakes), noun)
}
