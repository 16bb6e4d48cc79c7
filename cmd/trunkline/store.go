package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

func storeCommand() command {
	return command{
		name:    "store",
		args:    "copy [--from URL] --to URL [--config FILE]",
		summary: "move everything to another database",
		text: `  copy   copy all of one database into another, empty one: from SQLite to
         PostgreSQL or back. Nobody has to sign in again and no password of a
         device is lost, as long as the keys in [secrets] stay the same. Stop
         Trunkline on every node first; the source is not changed. Afterwards
         set store.url to the new database and start Trunkline.

  --from URL      the database to copy; without it, that of the configuration
  --to URL        the database to fill, such as
                  postgres://trunkline@127.0.0.1/trunkline
                  postgres://trunkline@/trunkline?host=/run/postgresql
                  sqlite:/var/lib/trunkline/trunkline.db
  --from-password-file FILE, --to-password-file FILE
                  the password of that PostgreSQL user, in a file, because other
                  users of this machine can read a command's arguments
  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runStore,
	}
}

// storeFlags are those of store copy.
type storeFlags struct {
	config, from, to         string
	fromPassword, toPassword string
	fromConfig               bool // from and its password are the configuration's
}

func runStore(c *call) int {
	var f storeFlags
	words, ok := c.parse("store", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.config, "config", defaultConfig, "")
		fs.StringVar(&f.from, "from", "", "")
		fs.StringVar(&f.to, "to", "", "")
		fs.StringVar(&f.fromPassword, "from-password-file", "", "")
		fs.StringVar(&f.toPassword, "to-password-file", "", "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) == 0:
		return c.misused("store needs a word: copy")
	case words[0] != "copy":
		return c.misused(fmt.Sprintf("store has no word %q, it has copy", words[0]))
	case len(words) > 1:
		return c.misused("store copy takes the databases as --from URL and --to URL")
	case f.to == "":
		return c.misused("store copy needs a target: --to URL")
	}
	if f.from == "" {
		cfg, ok := c.load(f.config)
		if !ok {
			return exitFailed
		}
		f.from, f.fromConfig = cfg.StoreURL().Reveal(), true
	}
	if err := c.copyStore(f); err != nil {
		return c.failed(f.explain(err))
	}
	return exitOK
}

// explain says where the right password belongs.
func (f storeFlags) explain(err error) error {
	const write = "%w; write the right one into a file and name that with "
	switch {
	case errors.Is(err, sqldb.ErrTargetPassword):
		return fmt.Errorf(write+"--to-password-file", err)
	case errors.Is(err, sqldb.ErrSourcePassword) && f.fromConfig:
		return fmt.Errorf(write+"secrets.store_password_file in %s, or with --from-password-file", err, f.config)
	case errors.Is(err, sqldb.ErrSourcePassword):
		return fmt.Errorf(write+"--from-password-file", err)
	}
	return err
}

func (c *call) copyStore(f storeFlags) error {
	from, err := withPassword(f.from, f.fromPassword)
	if err != nil {
		return err
	}
	to, err := withPassword(f.to, f.toPassword)
	if err != nil {
		return err
	}
	copied, err := sqldb.Copy(c.ctx, from, to)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	total := int64(0)
	for _, t := range copied {
		fmt.Fprintf(table, "%d\t  %s\n", t.Rows, t.Table)
		total += t.Rows
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%d rows were copied from %s to %s and counted again.\n"+
		"Set store.url to the new database, keep [secrets] as it is, and start Trunkline.\n", total, sqldb.Name(from), sqldb.Name(to))
	return err
}

// withPassword puts the password that a file holds into a URL.
func withPassword(rawURL, file string) (string, error) {
	if file == "" {
		return rawURL, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.User.Username() == "" {
		return "", errors.New("a password needs a URL with a user: postgres://user@host/name")
	}
	u.User = url.UserPassword(u.User.Username(), strings.TrimRight(string(text), "\r\n"))
	return u.String(), nil
}
