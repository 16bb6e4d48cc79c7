package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trunkline-chat/trunkline/tokens"
)

func tokenCommand() command {
	return command{
		name:    "token",
		args:    "issue NAME | list [NAME] | revoke ID… | purge [--config FILE]",
		summary: "make, list and revoke the passwords of people's devices",
		text: `Each app and phone has a password of its own, so that each can be revoked alone.
People make theirs in the panel under "Apps & devices"; this is for admins.

  issue     make one for NAME and print it, once, to standard output
              --name "…"       what the person will call the device
              --service xmpp   a chat app (the default); sip: a SIP phone
  list      show those of NAME or of everybody
              --all            also those revoked in the last 30 days
  revoke    end those with these IDs for ever. Chat apps are signed out within
            seconds. A SIP phone is refused from then on, and what it is registered
            for ends within five minutes
  purge     revoke those of chat apps that nobody has used for long. When phones
            were used is not known: they are left alone
              --older 90d      for how long (the default)
              --dry-run        only show them

  --json          write JSON, one object per line
  --config FILE   the configuration (` + defaultConfig + `)`,
		run: runToken,
	}
}

const tokenWords = "issue, list, revoke or purge"

// tokenFlags are those of all words of token.
type tokenFlags struct {
	config, service, name, older string
	all, dryRun, json            bool
}

func runToken(c *call) int {
	var f tokenFlags
	words, ok := c.parse("token", c.args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.config, "config", defaultConfig, "")
		fs.StringVar(&f.service, "service", tokens.ServiceXMPP, "")
		fs.StringVar(&f.name, "name", "", "")
		fs.StringVar(&f.older, "older", "90d", "")
		fs.BoolVar(&f.all, "all", false, "")
		fs.BoolVar(&f.dryRun, "dry-run", false, "")
		fs.BoolVar(&f.json, "json", false, "")
	})
	switch {
	case !ok:
		return exitUsage
	case len(words) == 0:
		return c.misused("token needs a word: " + tokenWords)
	}
	word, words := words[0], words[1:]
	switch word {
	case "issue":
		return c.issueToken(f, words)
	case "list":
		return c.listTokens(f, words)
	case "revoke":
		return c.revokeTokens(f, words)
	case "purge":
		return c.purgeTokens(f, words)
	}
	return c.misused(fmt.Sprintf("token has no word %q; write %s", word, tokenWords))
}

func (c *call) issueToken(f tokenFlags, words []string) int {
	switch {
	case len(words) != 1:
		return c.misused("token issue needs one NAME")
	case f.name == "":
		return c.misused(`token issue needs a name for the device, such as: --name "Anna's phone"`)
	case f.service != tokens.ServiceXMPP && f.service != tokens.ServiceSIP:
		return c.misused("token issue: --service is xmpp for a chat app or sip for a phone")
	}
	return c.asAdmin(f.config, true, func(n *node) error {
		a, err := n.person(c.ctx, words[0])
		if err != nil {
			return err
		}
		d, secret, err := n.tokens.IssueDevice(c.ctx, a.ID, f.service, f.name)
		if err != nil {
			return n.explainIssue(a, f, err)
		}
		if f.json {
			view := viewDevice(a.Username, d)
			view.Secret, view.Login, view.Server = secret, n.login(a, d), n.loginServer(d)
			return writeJSON(c.stdout, view)
		}
		if _, err := fmt.Fprintln(c.stdout, secret); err != nil {
			return err
		}
		fmt.Fprintf(c.stderr, "This is the password of %q, shown only once. Log in as %s at %s.\nRevoke it with: trunkline token revoke %s\n",
			d.Name, n.login(a, d), n.loginServer(d), d.ID)
		return nil
	})
}

// explainIssue says what to do about it.
func (n *node) explainIssue(a tokens.Account, f tokenFlags, err error) error {
	switch {
	case errors.Is(err, tokens.ErrBadService):
		return errors.New("passwords for SIP phones are not offered here; set sip.server in the configuration")
	case errors.Is(err, tokens.ErrBadName):
		return fmt.Errorf("the name of a device has 1 to %d characters and no control characters", tokens.MaxNameRunes)
	case errors.Is(err, tokens.ErrTooManyDevices):
		return fmt.Errorf("%s has %d device passwords already; revoke one first: trunkline token list %s",
			a.Username, tokens.MaxDevices, a.Username)
	case errors.Is(err, tokens.ErrBlocked):
		return fmt.Errorf("%s is suspended here; first: trunkline account restore %s", a.Username, a.Username)
	case errors.Is(err, tokens.ErrSuspended):
		return fmt.Errorf("%s is not welcome at Mastodon now; see: trunkline account show %s", a.Username, a.Username)
	case errors.Is(err, tokens.ErrStandingUnknown):
		return fmt.Errorf("whether %[2]s is still welcome cannot be told now by Mastodon at %[1]s, and without that no password is made; try again later (%[3]w)",
			n.cfg.Mastodon.URL, a.Username, err)
	}
	return err
}

// login is what the person enters as their name.
func (n *node) login(a tokens.Account, d tokens.Device) string {
	if d.Service == tokens.ServiceSIP {
		return d.AuthName
	}
	return a.Username + "@" + n.cfg.XMPP.Domain
}

func (n *node) loginServer(d tokens.Device) string {
	if d.Service == tokens.ServiceSIP {
		return n.cfg.SIP.Server
	}
	return n.cfg.XMPP.Domain
}

// deviceView is a device as scripts get it.
type deviceView struct {
	ID           string     `json:"id"`
	Username     string     `json:"username"`
	Name         string     `json:"name"`
	Service      string     `json:"service"`
	AuthName     string     `json:"auth_name,omitempty"`
	CreatedAt    *time.Time `json:"created_at"`
	LastUsedAt   *time.Time `json:"last_used_at"`
	LastUsedFrom string     `json:"last_used_from,omitempty"`
	LastUsedBy   string     `json:"last_used_by,omitempty"`
	RevokedAt    *time.Time `json:"revoked_at"`
	Login        string     `json:"login,omitempty"`
	Server       string     `json:"server,omitempty"`
	Secret       string     `json:"secret,omitempty"`
}

func viewDevice(username string, d tokens.Device) deviceView {
	return deviceView{
		ID: d.ID, Username: username, Name: d.Name, Service: d.Service, AuthName: d.AuthName,
		CreatedAt: stamp(d.Created), LastUsedAt: stamp(d.LastUsed), LastUsedFrom: d.LastUsedFrom, LastUsedBy: d.LastUsedBy,
		RevokedAt: stamp(d.Revoked),
	}
}

// deviceRow is the same as a line of a table under deviceHead.
func deviceRow(d tokens.Device) string {
	used := when(d.LastUsed, "never")
	if d.Service == tokens.ServiceSIP {
		used = "not known"
	}
	return strings.Join([]string{
		d.ID, d.Service, d.Name, d.AuthName, when(d.Created, ""), used, d.LastUsedFrom, when(d.Revoked, ""),
	}, "\t")
}

const deviceHead = "ID\tSERVICE\tDEVICE\tLOGIN NAME\tCREATED (UTC)\tLAST USED\tFROM\tREVOKED"

func (c *call) listTokens(f tokenFlags, words []string) int {
	if len(words) > 1 {
		return c.misused("token list takes one NAME or none")
	}
	return c.asAdmin(f.config, false, func(n *node) error {
		account := ""
		if len(words) == 1 {
			a, err := n.person(c.ctx, words[0])
			if err != nil {
				return err
			}
			account = a.ID
		}
		table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		shown := 0
		err := n.tokens.AllDevices(c.ctx, account, func(username string, d tokens.Device) (err error) {
			if !f.all && !d.Revoked.IsZero() {
				return nil
			}
			shown++
			if f.json {
				return writeJSON(c.stdout, viewDevice(username, d))
			}
			if shown == 1 {
				fmt.Fprintln(table, "USERNAME\t"+deviceHead)
			}
			_, err = fmt.Fprintln(table, username+"\t"+deviceRow(d))
			return err
		})
		if err == nil && shown == 0 && !f.json {
			fmt.Fprintln(c.stderr, "There are no device passwords.")
		}
		return errors.Join(err, table.Flush())
	})
}
