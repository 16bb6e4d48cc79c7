package main

import (
	"fmt"
	"io"
)

func helpCommand() command {
	return command{
		name:    "help",
		args:    "[COMMAND]",
		summary: "explain a command",
		run:     runHelp,
	}
}

func runHelp(c *call) int {
	switch len(c.args) {
	case 0:
		overview(c.stdout)
		return exitOK
	case 1:
		if cmd, ok := find(c.args[0]); ok {
			usage(c.stdout, cmd)
			return exitOK
		}
		return c.misused(fmt.Sprintf("there is no command %q", c.args[0]))
	}
	return c.misused("help explains one command at a time")
}

// overview lists the subcommands.
func overview(w io.Writer) {
	fmt.Fprint(w, "Trunkline: chat for the people of a Mastodon server, over XMPP.\n\nUsage: trunkline COMMAND\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-10s%s\n", cmd.name, cmd.summary)
	}
	fmt.Fprint(w, "\nMore: trunkline help COMMAND\n")
}

// usage explains one subcommand.
func usage(w io.Writer, cmd command) {
	line := "trunkline " + cmd.name
	if cmd.args != "" {
		line += " " + cmd.args
	}
	fmt.Fprintf(w, "Usage: %s\n\nThis command will %s.\n", line, cmd.summary)
	if cmd.text != "" {
		fmt.Fprintf(w, "\n%s\n", cmd.text)
	}
}
