package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

	// firstLook and secondLook are who follows the feed. Their places in it are in
	// the database: a restart in between costs nobody's second look.
	firstLook  = "ejabberd"
	secondLook = "ejabberd again"
	// lookAhead is how many entries are searched for a later one of the same person.
	lookAhead = 100
)

// errTooEarly means that an entry is too young for its second look.
var errTooEarly = errors.New("too early for a second look")

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
	done   map[string]int64     // by person: the feed's end when they were kicked in this round
	kicked map[string]time.Time // by person: when they were kicked last, if that is not long ago
	next   time.Time            // no second look is due before
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
	k.done, k.kicked = map[string]int64{}, map[string]time.Time{}
	// The second look takes its place in the feed before the first does, so that it
	// misses nothing. Should that fail, the loop below says so.
	_ = k.lookAgain(ctx)
	pause := kickEvery
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		clear(k.done)
		err := k.feed.ClaimFeed(ctx, firstLook, func(r tokens.Revocation) error { return k.handle(ctx, r) })
		if err == nil {
			err = k.lookAgain(ctx)
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
	if r.Seq <= k.done[r.Username] {
		return nil // revoked before we kicked them last
	}
	ends, err := k.ends(ctx, r)
	if err != nil || !ends {
		return err
	}
	_, last, err := k.feed.Feed(ctx, -1, 0)
	if err != nil {
		return err
	}
	if err := k.end(ctx, r); err != nil {
		return err
	}
	k.done[r.Username] = last
	return nil
}

// ends says whether an entry of the feed ends sessions at ejabberd.
func (k *kicker) ends(ctx context.Context, r tokens.Revocation) (bool, error) {
	switch {
	case r.Username == "":
		return false, nil // nobody
	case r.Kind == "account":
		return true, nil
	case r.Kind != "credential" || r.Purpose != "device":
		return false, nil // the gateway's own, which ends them by itself
	}
	_, d, found, err := k.feed.FindDevice(ctx, r.Subject)
	return err == nil && (!found || d.Service == tokens.ServiceXMPP), err
}

// end kicks the person of an entry.
func (k *kicker) end(ctx context.Context, r tokens.Revocation) error {
	began := time.Now()
	var spare []string
	if k.resources != nil {
		spare = k.resources(r.Username)
	}
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	switch _, err := k.kick(ctx, r.Username, r.Reason, spare); {
	case errors.Is(err, kick.ErrRefused):
		k.log.Error("sessions at ejabberd cannot be ended", "user", r.Username, "error", err)
	case err != nil:
		return err
	}
	k.kicked[r.Username] = began
	return nil
}

// lookAgain takes the second looks that are due.
func (k *kicker) lookAgain(ctx context.Context) error {
	now := time.Now()
	maps.DeleteFunc(k.kicked, func(_ string, at time.Time) bool { return now.Sub(at) > 2*k.again })
	if now.Before(k.next) {
		return nil
	}
	err := k.feed.ClaimFeed(ctx, secondLook, func(r tokens.Revocation) error {
		due := r.At.Add(k.again)
		if time.Now().Before(due) {
			k.next = due
			return errTooEarly
		}
		return k.handleAgain(ctx, r, due)
	})
	if errors.Is(err, errTooEarly) {
		return nil
	}
	return err
}

// handleAgain ends the sessions that began after an entry's first look. Nothing
// is left to do if that came late, or if the person has a later entry: its own
// looks find them.
func (k *kicker) handleAgain(ctx context.Context, r tokens.Revocation, due time.Time) error {
	if !k.kicked[r.Username].Before(due) {
		return nil
	}
	ends, err := k.ends(ctx, r)
	if err != nil || !ends {
		return err
	}
	later, _, err := k.feed.Feed(ctx, r.Seq, lookAhead)
	if err != nil {
		return err
	}
	for _, l := range later {
		if l.Username != r.Username {
			continue
		}
		if ends, err := k.ends(ctx, l); err != nil || ends {
			return err
		}
	}
	return k.end(ctx, r)
}
