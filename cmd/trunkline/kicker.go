package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/tokens"
	"github.com/trunkline-chat/trunkline/tokens/kick"
)

const (
	// kickEvery is how often the feed is looked at.
	kickEvery = time.Second
	// kickTimeout bounds the kicks for one entry of the feed.
	kickTimeout = 3 * time.Second
	// kickRetry is the longest pause while ejabberd cannot be reached.
	kickRetry = 8 * time.Second
	// kickAgain is when a person's sessions are looked for once more: somebody may
	// have shown the password before it was revoked, and begun the session later.
	// ejabberd allows negotiation_timeout for that, 30 s in our configuration.
	kickAgain = 35 * time.Second
)

// revocations is what a kicker needs of *tokens.Service.
type revocations interface {
	ClaimFeed(ctx context.Context, name string, f func(tokens.Revocation) error) error
	Feed(ctx context.Context, after int64, limit int) (ended []tokens.Revocation, last int64, err error)
	FindDevice(ctx context.Context, id string) (username string, d tokens.Device, found bool, err error)
}

var _ revocations = (*tokens.Service)(nil)

// kicker ends the sessions at ejabberd of people whose device password or account
// was revoked. Of several processes with one database one kicks.
type kicker struct {
	feed revocations
	kick func(ctx context.Context, username, reason string, spare []string) (int, error)
	// resources are those of a person's streams through this process's gateway, which
	// are spared: it ends by itself those that hang on what was revoked.
	resources func(username string) []string
	again     time.Duration
	log       *slog.Logger

	// The rest is Run's.
	done  map[string]int64 // by person: the feed's end when the last kick began
	later map[string]sweep // by person
}

// sweep is a second look.
type sweep struct {
	at     time.Time
	reason string
}

// newKicker returns nil if the configuration names no HTTP API of ejabberd.
func newKicker(cfg *config.Config, feed revocations, resources func(username string) []string, log *slog.Logger) (*kicker, error) {
	if cfg.Ejabberd.APIURL == "" {
		return nil, nil
	}
	k, err := kick.New(kick.Config{
		URL: cfg.Ejabberd.APIURL, User: cfg.Ejabberd.APIUser, Password: cfg.Secrets.EjabberdPassword.Reveal(),
		Domain: cfg.XMPP.Domain, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("ejabberd in the configuration: %w", err)
	}
	return &kicker{feed: feed, kick: k.Kick, resources: resources, again: kickAgain, log: log}, nil
}

// Run follows the feed until ctx ends.
func (k *kicker) Run(ctx context.Context) error {
	k.done, k.later = map[string]int64{}, map[string]sweep{}
	pause := kickEvery
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := k.feed.ClaimFeed(ctx, "ejabberd", func(r tokens.Revocation) error { return k.handle(ctx, r) })
		if err == nil {
			err = k.sweep(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			pause = kickEvery
		default:
			k.log.Warn("sessions at ejabberd could not be ended; trying again", "error", err, "in", pause)
			pause = min(2*pause, kickRetry)
		}
		timer.Reset(pause)
	}
}

// handle ends the sessions for one entry of the feed. An error brings the entry
// back.
func (k *kicker) handle(ctx context.Context, r tokens.Revocation) error {
	if r.Username == "" || r.Seq <= k.done[r.Username] {
		return nil // nobody; or revoked before we kicked them last
	}
	switch r.Kind {
	case "account":
	case "credential":
		if r.Purpose != "device" {
			return nil // the gateway's own, which ends them by itself
		}
		_, d, found, err := k.feed.FindDevice(ctx, r.Subject)
		if err != nil {
			return err
		}
		if found && d.Service != tokens.ServiceXMPP {
			return nil
		}
	default:
		return nil
	}
	return k.end(ctx, r.Username, r.Reason, time.Now().Add(k.again))
}

// end kicks, and plans a second look for again, if that is not zero.
func (k *kicker) end(ctx context.Context, username, reason string, again time.Time) error {
	_, last, err := k.feed.Feed(ctx, -1, 0)
	if err != nil {
		return err
	}
	var spare []string
	if k.resources != nil {
		spare = k.resources(username)
	}
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	switch _, err := k.kick(ctx, username, reason, spare); {
	case errors.Is(err, kick.ErrRefused):
		k.log.Error("sessions at ejabberd cannot be ended", "user", username, "error", err)
	case err != nil:
		return err
	}
	if !again.IsZero() {
		k.done[username] = last
		k.later[username] = sweep{at: again, reason: reason}
	}
	return nil
}

// sweep takes the second looks that are due.
func (k *kicker) sweep(ctx context.Context) error {
	now := time.Now()
	for username, s := range k.later {
		if now.Before(s.at) {
			continue
		}
		if err := k.end(ctx, username, s.reason, time.Time{}); err != nil {
			return err
		}
		delete(k.later, username)
		delete(k.done, username)
	}
	return nil
}
