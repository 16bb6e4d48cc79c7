package main

import (
	"flag"
	"fmt"

	"github.com/trunkline-chat/trunkline/internal/sqldb"
)

func migrateCommand() command {
	return command{
		name:    "migrate",
		args:    "[--config FILE] [--dry-run]",
		summary: "bring the database to the newest version",
		text: `The service does this itself when it starts; here it can be done before, after a
backup, and with a look at what would happen. Either everything is done or
nothing. There is no way back to an older version but the backup.

  --dry-run       only say what would be done
  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runMigrate,
	}
}

func runMigrate(c *call) int {
	var path string
	var dry bool
	words, ok := c.parse("migrate", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", defaultConfig, "")
		fs.BoolVar(&dry, "dry-run", false, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) > 0:
		return c.misused("migrate takes the file as --config FILE")
	}
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	if err := c.migrate(cfg.StoreURL().Reveal(), dry); err != nil {
		return c.failed(err)
	}
	return exitOK
}

func (c *call) migrate(store string, dry bool) error {
	from, err := sqldb.Inspect(c.ctx, store)
	if err != nil {
		return err
	}
	if from > sqldb.Latest {
		return fmt.Errorf("%s has version %d, but this Trunkline knows only %d: install the newer one", sqldb.Name(store), from, sqldb.Latest)
	}
	if !dry {
		db, err := sqldb.Open(c.ctx, store)
		if err != nil {
			return err
		}
		from, _ = db.Migrated()
		if err := db.Close(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(c.stdout, migrated(sqldb.Name(store), from, dry))
	return err
}

// migrated is what was done, or would be.
func migrated(name string, from int, dry bool) string {
	was := "was"
	if dry {
		was = "would be"
	}
	switch from {
	case sqldb.Latest:
		return fmt.Sprintf("%s has version %d already; nothing is to be done.", name, from)
	case 0:
		return fmt.Sprintf("%s is new; it %s set up with version %d.", name, was, sqldb.Latest)
	}
	return fmt.Sprintf("%s %s brought from version %d to %d.", name, was, from, sqldb.Latest)
}
