package main

import (
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trunkline-chat/trunkline/tokens/audit"
)

func auditCommand() command {
	return command{
		name:    "audit",
		args:    "[NAME] [--config FILE]",
		summary: "show who asked about whose password, and what was answered",
		text: `Every question about a password leaves a line, and so does everything that is done
to a device password, in the panel or by an admin. No password is in it. Newest
first; audit.retention in the configuration says how long lines are kept.

  NAME            only those about this person
  --address IP    only those from this address, where the server told it
  --since 24h     only those of the last time
  --limit 100     at most so many
  --json          write JSON, one object per line
  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runAudit,
	}
}

func runAudit(c *call) int {
	var path, address string
	var since time.Duration
	var limit int
	var asJSON bool
	words, ok := c.parse("audit", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", defaultConfig, "")
		fs.StringVar(&address, "address", "", "")
		fs.DurationVar(&since, "since", 0, "")
		fs.IntVar(&limit, "limit", 100, "")
		fs.BoolVar(&asJSON, "json", false, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) > 1:
		return c.misused("audit takes one name")
	case limit < 1 || since < 0:
		return c.misused("audit: --limit and --since are more than zero")
	}
	q := audit.Query{Address: address, Limit: limit}
	if since > 0 {
		q.Since = time.Now().Add(-since)
	}
	return c.asAdmin(path, false, func(n *node) error {
		if len(words) == 1 {
			// Who has never logged in, or is forgotten, may have been asked about too.
			q.Username = n.localName(words[0])
		}
		rows, err := n.audit.List(c.ctx, q)
		if err != nil {
			return err
		}
		return c.showAudit(rows, asJSON)
	})
}

func (c *call) showAudit(rows []audit.Row, asJSON bool) error {
	if asJSON {
		for _, r := range rows {
			if err := writeJSON(c.stdout, map[string]any{
				"at": stamp(r.At), "front": r.Front, "op": r.Op, "user": r.Username, "account": r.Account, "credential": r.Credential,
				"address": r.Address, "outcome": r.Outcome, "reason": r.Reason,
			}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		fmt.Fprintln(c.stderr, "Nothing of the kind was recorded.")
		return nil
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHEN (UTC)\tFRONT\tWHAT\tWHO\tFROM\tANSWER\tWHY")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.At.UTC().Format(time.DateTime), harmless(r.Front), harmless(r.Op),
			harmless(r.Username), harmless(r.Address), harmless(r.Outcome), harmless(r.Reason))
	}
	return t.Flush()
}

// localName is the username in what an admin wrote: with or without @ before it
// and the server's own domain after it.
func (n *node) localName(name string) string {
	name = strings.TrimPrefix(name, "@")
	local, domain, _ := strings.Cut(name, "@")
	if strings.EqualFold(domain, n.cfg.XMPP.Domain) || strings.EqualFold(domain, n.cfg.Mastodon.Domain) {
		return local
	}
	return name
}
