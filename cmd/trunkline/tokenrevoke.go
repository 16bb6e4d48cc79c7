package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline-chat/trunkline/tokens"
)

// revokedByAdmin is the reason that the person reads.
const revokedByAdmin = "revoked by the admin of this server"

func (c *call) revokeTokens(f tokenFlags, words []string) int {
	if len(words) == 0 {
		return c.misused("token revoke needs an ID; see: trunkline token list")
	}
	return c.asAdmin(f.config, false, func(n *node) error {
		for _, id := range words {
			if err := c.revokeToken(n, f, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *call) revokeToken(n *node, f tokenFlags, id string) error {
	username, d, found, err := n.tokens.FindDevice(c.ctx, strings.ToLower(id))
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("no device password has the id %q; see: trunkline token list", id)
	case !d.Revoked.IsZero():
		fmt.Fprintf(c.stderr, "%s, %q of %s, was revoked at %s already.\n", d.ID, d.Name, username, when(d.Revoked, ""))
		return nil
	}
	if _, err := n.tokens.RevokeDevice(c.ctx, d.Account, d.ID, revokedByAdmin); err != nil {
		return err
	}
	return c.tellRevoked(f, username, d)
}

// tellRevoked says that a device was revoked, or in a dry run that it would be.
func (c *call) tellRevoked(f tokenFlags, username string, d tokens.Device) (err error) {
	switch {
	case f.json:
		return writeJSON(c.stdout, viewDevice(username, d))
	case f.dryRun:
		_, err = fmt.Fprintf(c.stdout, "Would revoke %s, %q of %s, last used: %s.\n", d.ID, d.Name, username, when(d.LastUsed, "never"))
	default:
		_, err = fmt.Fprintf(c.stdout, "Revoked %s, %q of %s. %s\n", d.ID, d.Name, username, whatEnds(d))
	}
	return err
}

// whatEnds says what becomes of who is signed in with a device that was revoked.
// A SIP server looks at the password alone and is told of nothing: docs/sip.md.
func whatEnds(d tokens.Device) string {
	if d.Service == tokens.ServiceSIP {
		return "The phone is refused from now on; it may ring until its registration ends, within five minutes."
	}
	return "What is signed in with it is signed out within seconds."
}

func (c *call) purgeTokens(f tokenFlags, words []string) int {
	if len(words) > 0 {
		return c.misused("token purge takes no NAME")
	}
	older, ok := parseAge(f.older)
	if !ok {
		return c.misused("token purge: --older is a number of days such as 90d, at least 1d")
	}
	return c.asAdmin(f.config, false, func(n *node) error {
		list, err := n.tokens.Unused(c.ctx, time.Now().Add(-older))
		if err != nil {
			return err
		}
		for _, one := range list {
			username, d, found, err := n.tokens.FindDevice(c.ctx, one.ID)
			if err != nil {
				return err
			}
			if found && !f.dryRun {
				found, err = n.tokens.RevokeDevice(c.ctx, d.Account, d.ID, "not used for "+f.older+", "+revokedByAdmin)
			}
			if err == nil && found {
				err = c.tellRevoked(f, username, d)
			}
			if err != nil {
				return err
			}
		}
		if len(list) == 0 && !f.json {
			fmt.Fprintf(c.stderr, "No device password of a chat app has been unused for %s.\n", f.older)
		}
		return nil
	})
}

// parseAge reads a number of days, "90d", from one day to a hundred years.
func parseAge(s string) (age time.Duration, ok bool) {
	digits, ok := strings.CutSuffix(s, "d")
	if !ok {
		return 0, false
	}
	days, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || days < 1 || days > 36500 {
		return 0, false
	}
	return time.Duration(days) * 24 * time.Hour, true
}
