package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/sqldb"
	"github.com/trunkline-chat/trunkline/tokens"
)

// asAdmin loads the configuration and lets do work on the database beside a
// Trunkline that may be running. Of the parts only tokens and the audit record
// are there; a command that talks to Mastodon says whole.
func (c *call) asAdmin(path string, whole bool, do func(n *node) error) int {
	cfg, ok := c.load(path)
	if !ok {
		return exitFailed
	}
	n, err := c.adminNode(cfg, whole)
	if err != nil {
		return c.failed(err)
	}
	// What was done is recorded to the end, also when the command is interrupted.
	work, end := context.WithCancel(context.WithoutCancel(c.ctx))
	var recording errgroup.Group
	recording.Go(func() error { return ended("audit", n.audit.Run(work)) })
	err = do(n)
	end()
	err = errors.Join(err, recording.Wait())
	n.close()
	if err != nil {
		return c.failed(err)
	}
	return exitOK
}

func (c *call) adminNode(cfg *config.Config, whole bool) (n *node, err error) {
	quiet := cfg.Log
	quiet.Level = "warn" // the command says itself what it did
	log := newLogger(quiet, c.stderr)
	if whole {
		n, err = newNode(c.ctx, cfg, log)
	} else {
		n, err = c.smallNode(cfg, log)
	}
	if err != nil {
		return nil, err
	}
	n.front = "admin"
	return n, nil
}

func (c *call) smallNode(cfg *config.Config, log *slog.Logger) (n *node, err error) {
	n = &node{cfg: cfg, log: log, metrics: prometheus.NewRegistry()}
	if n.db, err = sqldb.Open(c.ctx, cfg.StoreURL().Reveal()); err != nil {
		return nil, err
	}
	if err := n.newTokens(); err != nil {
		return nil, errors.Join(err, n.db.Close())
	}
	return n, nil
}

// person finds somebody as an admin may write them: in any case, with or without
// @, and with the server's own domain after it.
func (n *node) person(ctx context.Context, name string) (tokens.Account, error) {
	username := strings.TrimPrefix(name, "@")
	if local, domain, ok := strings.Cut(username, "@"); ok {
		if !strings.EqualFold(domain, n.cfg.XMPP.Domain) && !strings.EqualFold(domain, n.cfg.Mastodon.Domain) {
			return tokens.Account{}, fmt.Errorf("%s is on another server; Trunkline serves people of %s", name, n.cfg.Mastodon.Domain)
		}
		username = local
	}
	a, found, err := n.tokens.AccountNamed(ctx, username)
	switch {
	case err != nil:
		return tokens.Account{}, err
	case !found:
		return tokens.Account{}, fmt.Errorf("nobody called %q has logged in here. Trunkline knows people from their first login: "+
			"ask them to open the chat at %s once; see also: trunkline account list", username, n.cfg.Server.PublicURL)
	}
	return a, nil
}

// harmless is text that others wrote, without what a terminal would obey.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// when is a time for people; never says what a zero time is.
func when(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// stamp is a time for scripts, null if it did not happen.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// writeJSON writes v on one line.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
