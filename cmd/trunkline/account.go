package main

import (
	"flag"
	"fmt"
	"strings"
)

func accountCommand() command {
	return command{
		name:    "account",
		args:    "list | show NAME | suspend NAME | restore NAME | forget NAME --yes | rebind NAME NEW_ID [--config FILE]",
		summary: "look after the people who chat",
		text: `  list      show everybody who has logged in
  show      show what is known of NAME, with their device passwords
  suspend   lock NAME out of chat, whatever Mastodon says: streams end within
            seconds and every password is refused until they are restored. A SIP
            phone may ring for five minutes more
              --reason "…"   shown to the person
  restore   end that; the same device passwords work again
  forget    delete everything that is kept of NAME and print a receipt; they can
            log in again, as if for the first time
              --yes          say that you mean it: nothing brings it back
  rebind    say that the Mastodon account NEW_ID is the rightful owner of NAME.
            People are known by the id of their Mastodon account, not by their
            name. When a name comes back under another id, its login is refused
            and the log names both ids, because the old owner's chats would open
            for the new one. Whoever is signed in as NAME is signed out. Messages
            on the XMPP server stay with the name; delete them there if the new
            owner is another person.

  --json          of list and show: write JSON, one object per line
  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runAccount,
	}
}

const accountWords = "list, show, suspend, restore, forget or rebind"

// accountFlags are those of all words of account.
type accountFlags struct {
	config, reason string
	yes, json      bool
}

func runAccount(c *call) int {
	var f accountFlags
	words, ok := c.parse("account", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.config, "config", defaultConfig, "")
		fs.StringVar(&f.reason, "reason", "", "")
		fs.BoolVar(&f.yes, "yes", false, "")
		fs.BoolVar(&f.json, "json", false, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) == 0:
		return c.misused("account needs a word: " + accountWords)
	}
	word, words := words[0], words[1:]
	switch word {
	case "list":
		if len(words) > 0 {
			return c.misused("account list takes no NAME; see: account show")
		}
		return c.listAccounts(f)
	case "rebind":
		return c.rebindAccount(f, words)
	}
	run, ok := map[string]func(accountFlags, string) int{
		"show": c.showAccount, "suspend": c.suspendAccount, "restore": c.restoreAccount, "forget": c.forgetAccount,
	}[word]
	switch {
	case !ok:
		return c.misused(fmt.Sprintf("account has no word %q; write %s", word, accountWords))
	case len(words) != 1:
		return c.misused("account " + word + " needs one NAME")
	}
	return run(f, words[0])
}

func (c *call) suspendAccount(f accountFlags, name string) int {
	if f.reason == "" {
		f.reason = "suspended by the admin of this server"
	}
	return c.asAdmin(f.config, false, func(n *node) error {
		a, err := n.person(c.ctx, name)
		if err != nil {
			return err
		}
		if err := n.tokens.BlockAccount(c.ctx, a.ID, f.reason); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s is suspended: streams end within seconds, and no password works until:\n  trunkline account restore %s\n",
			a.Username, a.Username)
		return err
	})
}

func (c *call) restoreAccount(f accountFlags, name string) int {
	return c.asAdmin(f.config, false, func(n *node) error {
		a, err := n.person(c.ctx, name)
		if err != nil {
			return err
		}
		if a.Blocked.IsZero() {
			fmt.Fprintf(c.stderr, "%s was not suspended here.\n", a.Username)
		} else if err := n.tokens.UnblockAccount(c.ctx, a.ID, f.reason); err != nil {
			return err
		}
		if !a.Suspended.IsZero() {
			_, err = fmt.Fprintf(c.stdout, "%s still cannot chat: Mastodon says the account is %s.\n", a.Username, standing(a))
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s can chat again; the same device passwords work.\n", a.Username)
		return err
	})
}

func (c *call) forgetAccount(f accountFlags, name string) int {
	if !f.yes {
		return c.misused("account forget deletes everything of " + name + " here for ever; if you mean it, add --yes")
	}
	return c.asAdmin(f.config, true, func(n *node) error {
		a, err := n.person(c.ctx, name)
		if err != nil {
			return err
		}
		receipt, err := n.web.Forget(c.ctx, a.Username)
		if err != nil {
			return err
		}
		// Without the name, which is what was to be forgotten.
		n.recordAdmin("forget", "", receipt.Account, "", "ok", "")
		_, err = fmt.Fprintf(c.stdout, "%sThe audit record notes that the Mastodon account %s was forgotten, without a name.\n",
			receipt.Text(), receipt.Account)
		return err
	})
}

func (c *call) rebindAccount(f accountFlags, words []string) int {
	if len(words) != 2 {
		return c.misused("account rebind needs a name and the new id")
	}
	return c.asAdmin(f.config, true, func(n *node) error {
		if err := n.web.Rebind(c.ctx, words[0], words[1]); err != nil {
			return err
		}
		n.recordAdmin("rebind", strings.ToLower(words[0]), words[1], "", "ok", "")
		_, err := fmt.Fprintf(c.stdout, "%s belongs to the Mastodon account %s now.\n", words[0], words[1])
		return err
	})
}
