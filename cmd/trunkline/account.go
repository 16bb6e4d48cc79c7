package main

import (
	"errors"
	"fmt"

	"github.com/trunkline-chat/trunkline/internal/config"
)

func accountCommand() command {
	return command{
		name:    "account",
		args:    "rebind NAME NEW_ID [--config FILE]",
		summary: "tie a name to another Mastodon account",
		text: `People are known by the id of their Mastodon account, not by their name. When a
name comes back under another id, its login is refused and the log names both
ids, because the old owner's chats would open for the new one.

  rebind    say that NEW_ID is the rightful owner of NAME. Whoever is signed in
            as NAME is signed out. Messages on the XMPP server stay with the
            name; delete them there if the new owner is another person.`,
		run: runAccount,
	}
}

func runAccount(c *call) int {
	path, words, ok := c.configPath("account", c.args)
	switch {
	case !ok:
		return exitUsage
	case len(words) == 0:
		return c.misused("account needs a word: rebind")
	case words[0] != "rebind":
		return c.misused(fmt.Sprintf("account has no word %q, it has rebind", words[0]))
	case len(words) != 3:
		return c.misused("account rebind needs a name and the new id")
	}
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	if err := c.rebind(cfg, words[1], words[2]); err != nil {
		return c.failed(err)
	}
	fmt.Fprintf(c.stdout, "%s belongs to the Mastodon account %s now.\n", words[1], words[2])
	return exitOK
}

func (c *call) rebind(cfg *config.Config, name, id string) (err error) {
	n, err := newNode(c.ctx, cfg, newLogger(cfg.Log, c.stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.db.Close()) }()
	return n.web.Rebind(c.ctx, name, id)
}
