package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/trunkline-chat/trunkline/tokens"
)

// accountView is a person as scripts get them.
type accountView struct {
	Username      string       `json:"username"`
	MastodonID    string       `json:"mastodon_id"`
	DisplayName   string       `json:"display_name,omitempty"`
	JID           string       `json:"jid"`
	Standing      string       `json:"standing"`
	StandingAt    *time.Time   `json:"standing_at"`
	TrustedUntil  *time.Time   `json:"trusted_until"`
	RefusedAt     *time.Time   `json:"refused_at"`
	SuspendedAt   *time.Time   `json:"suspended_at"`
	SuspendedWhy  string       `json:"suspended_reason,omitempty"`
	CreatedAt     *time.Time   `json:"created_at"`
	LastLoginAt   *time.Time   `json:"last_login_at"`
	DeviceCount   int          `json:"device_count"`
	DeviceRecords []deviceView `json:"devices,omitempty"`
}

func (n *node) viewAccount(a tokens.Account) accountView {
	return accountView{
		Username: a.Username, MastodonID: a.ID, DisplayName: a.DisplayName, JID: a.Username + "@" + n.cfg.XMPP.Domain,
		Standing: standing(a), StandingAt: stamp(a.StandingAt), TrustedUntil: stamp(a.TrustedUntil), RefusedAt: stamp(a.Suspended),
		SuspendedAt: stamp(a.Blocked), SuspendedWhy: a.BlockedReason,
		CreatedAt: stamp(a.Created), LastLoginAt: stamp(a.LastLogin), DeviceCount: a.Devices,
	}
}

// standing is what Mastodon said last.
func standing(a tokens.Account) string {
	if !a.Suspended.IsZero() && a.Standing == "good" {
		return tokens.ReasonSuspended
	}
	return a.Standing
}

// state is whether somebody can chat, in a few words.
func state(a tokens.Account) string {
	switch {
	case !a.Blocked.IsZero():
		return "suspended here"
	case !a.Suspended.IsZero():
		return standing(a) + " at Mastodon"
	}
	return "good"
}

func (c *call) listAccounts(f accountFlags) int {
	return c.asAdmin(f.config, false, func(n *node) error {
		table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		shown := 0
		err := n.tokens.Accounts(c.ctx, func(a tokens.Account) (err error) {
			shown++
			if f.json {
				return writeJSON(c.stdout, n.viewAccount(a))
			}
			if shown == 1 {
				fmt.Fprintln(table, "USERNAME\tMASTODON ID\tSTATE\tDEVICES\tLAST LOGIN (UTC)")
			}
			_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", a.Username, a.ID, state(a), a.Devices, when(a.LastLogin, "never"))
			return err
		})
		if err == nil && shown == 0 && !f.json {
			fmt.Fprintln(c.stderr, "Nobody has logged in yet.")
		}
		return errors.Join(err, table.Flush())
	})
}

func (c *call) showAccount(f accountFlags, name string) int {
	return c.asAdmin(f.config, false, func(n *node) error {
		a, err := n.person(c.ctx, name)
		if err != nil {
			return err
		}
		var devices []tokens.Device
		err = n.tokens.AllDevices(c.ctx, a.ID, func(_ string, d tokens.Device) error {
			devices = append(devices, d)
			return nil
		})
		if err != nil {
			return err
		}
		if f.json {
			view := n.viewAccount(a)
			for _, d := range devices {
				view.DeviceRecords = append(view.DeviceRecords, viewDevice(a.Username, d))
			}
			return writeJSON(c.stdout, view)
		}
		return c.describe(n, a, devices)
	})
}

// describe writes a person as a small page.
func (c *call) describe(n *node, a tokens.Account, devices []tokens.Device) error {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	mastodon := standing(a) + ", last heard to be good " + when(a.StandingAt, "never")
	if !a.Suspended.IsZero() {
		mastodon += ", refused since " + when(a.Suspended, "")
	}
	here := "not suspended"
	if !a.Blocked.IsZero() {
		here = "suspended since " + when(a.Blocked, "") + ": " + harmless(a.BlockedReason)
	}
	for _, line := range [][2]string{
		{"Username", a.Username},
		{"Display name", harmless(a.DisplayName)},
		{"Chat address", a.Username + "@" + n.cfg.XMPP.Domain},
		{"Mastodon id", a.ID},
		{"At Mastodon", mastodon},
		{"Here", here},
		{"Device passwords", fmt.Sprintf("%d, good until %s unless Mastodon is heard of before", a.Devices, when(a.TrustedUntil, "they are checked"))},
		{"First login", when(a.Created, "never")},
		{"Last login", when(a.LastLogin, "never")},
	} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s:\t%s\n", line[0], line[1])
		}
	}
	if len(devices) > 0 {
		// A new table: the columns of the first have nothing to do with it.
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout)
		fmt.Fprintln(table, deviceHead)
		for _, d := range devices {
			fmt.Fprintln(table, deviceRow(d))
		}
	}
	return table.Flush()
}
