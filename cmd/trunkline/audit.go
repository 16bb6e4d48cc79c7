package main

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trunkline-chat/trunkline/internal/config"
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
  --since 24h     only those of the last 24 hours; 7d: of the last week
  --limit 100     at most so many
  --json          write JSON, one object per line
  --config FILE   the configuration (` + defaultConfig + `)

CALLER is the address of the server that asked, or the name in its certificate;
FROM is the person's, if the server told it. DEVICE is the password by its ID, as in
trunkline token list. docs/audit.md explains the words under FRONT, WHAT and WHY.`,
		run: runAudit,
	}
}

func runAudit(c *call) int {
	var path, address, since string
	var limit int
	var asJSON bool
	words, ok := c.parse("audit", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", defaultConfig, "")
		fs.StringVar(&address, "address", "", "")
		fs.StringVar(&since, "since", "", "")
		fs.IntVar(&limit, "limit", 100, "")
		fs.BoolVar(&asJSON, "json", false, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) > 1:
		return c.misused("audit takes one name")
	case limit < 1:
		return c.misused("audit: --limit is at least 1")
	}
	q, err := auditQuery(address, since)
	if err != nil {
		return c.misused("audit: " + err.Error())
	}
	q.Limit = limit
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

// auditQuery reads the flags that are more than a word or a number. Its errors
// say how to write them.
func auditQuery(address, since string) (q audit.Query, err error) {
	if address != "" {
		ip, err := netip.ParseAddr(address)
		if err != nil {
			return q, fmt.Errorf("--address is %q, which is no IP address such as 203.0.113.7 or 2001:db8::7", address)
		}
		q.Address = ip.String()
	}
	if since != "" {
		d, err := config.ParseDuration(since)
		if err != nil || d <= 0 {
			return q, fmt.Errorf("--since is %q; write 90m, 24h or 7d", since)
		}
		q.Since = time.Now().Add(-d.Std())
	}
	return q, nil
}

func (c *call) showAudit(rows []audit.Row, asJSON bool) error {
	if asJSON {
		for _, r := range rows {
			if err := writeJSON(c.stdout, map[string]any{
				"at": stamp(r.At), "front": r.Front, "caller": r.Caller, "op": r.Op, "user": r.Username, "account": r.Account, "credential": r.Credential,
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
	fmt.Fprintln(t, "WHEN (UTC)\tFRONT\tCALLER\tWHAT\tWHO\tDEVICE\tFROM\tANSWER\tWHY")
	for _, r := range rows {
		line := []string{r.At.UTC().Format(time.DateTime)}
		for _, cell := range []string{r.Front, r.Caller, r.Op, r.Username, r.Credential, r.Address, r.Outcome, r.Reason} {
			line = append(line, harmless(cell))
		}
		fmt.Fprintln(t, strings.Join(line, "\t"))
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
