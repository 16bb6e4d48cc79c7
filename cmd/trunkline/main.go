// Command trunkline gives the people of a Mastodon server chat in the page that
// they already have open.
//
// There is one file per subcommand. serve.go is the composition root: the only
// place where the gateway, the credentials and the web side meet. A subcommand
// writes what was asked for to standard output and everything else to standard
// error. It ends with 0 when it did what it was asked, with 1 when it could
// not, and with 2 when it was not asked properly.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// defaultConfig is where serve and its relatives look without --config.
const defaultConfig = "/etc/trunkline/trunkline.toml"

// call is one start of the program: what it was given, and where it writes.
type call struct {
	name   string          // of the subcommand; empty where there is none
	ctx    context.Context // ends when the program is asked to end
	args   []string        // after the subcommand's name
	stdout io.Writer
	stderr io.Writer
	env    func(string) string
}

// command is one subcommand.
type command struct {
	name    string
	args    string // what follows the name, as the usage line shows it
	summary string // one line: what the command will do
	text    string // further lines of help
	run     func(*call) int
}

// commands returns the subcommands in the order in which help lists them.
func commands() []command {
	return []command{
		serveCommand(), configCommand(), tokenCommand(), accountCommand(), auditCommand(), migrateCommand(), storeCommand(),
		extauthCommand(), sipCommand(), versionCommand(), helpCommand(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) string) int {
	c := &call{ctx: ctx, stdout: stdout, stderr: stderr, env: env}
	if len(args) == 0 {
		overview(stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	cmd, ok := find(name)
	if !ok {
		return c.misused("there is no command " + fmt.Sprintf("%q", name))
	}
	c.name, c.args = name, args[1:]
	if slices.ContainsFunc(c.args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		usage(stdout, cmd)
		return exitOK
	}
	return cmd.run(c)
}

func find(name string) (command, bool) {
	for _, cmd := range commands() {
		if cmd.name == name {
			return cmd, true
		}
	}
	return command{}, false
}

// misused says what was wrong with the call, and where help is.
func (c *call) misused(what string) int {
	where := "trunkline help"
	if c.name != "" && c.name != "help" {
		where += " " + c.name
	}
	fmt.Fprintf(c.stderr, "trunkline: %s; see: %s\n", what, where)
	return exitUsage
}

// failed says why the command could not do what it was asked. Which package found
// the database wrong tells an admin nothing.
func (c *call) failed(err error) int {
	fmt.Fprintln(c.stderr, "trunkline:", strings.ReplaceAll(err.Error(), "sqldb: ", ""))
	return exitFailed
}
