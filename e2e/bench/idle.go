package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
)

// loginRate is how many people log in within a second.
const loginRate = 300

// memoryRuns is how often the memory of ways that are not ours is measured at
// most: it is there for comparison, and takes long.
const memoryRuns = 1

// crowd measures what streams cost that do nothing: the memory, and what they
// do to those who talk.
func (r *rig) crowd(ctx context.Context, o options, way string, last bool, to results) error {
	l, err := load.New()
	if err != nil {
		return err
	}
	defer l.Close()
	// Whatever only the first streams need is there before.
	first, err := r.login(ctx, l, way, r.talkers(way, 10))
	if err != nil {
		return err
	}
	if err := l.End(ctx, first.Streams); err != nil {
		return err
	}
	if err := l.Rest(ctx, o.settle/2); err != nil {
		return err
	}
	m := r.meter(way)
	server, front := rss(m.server), rss(m.front)
	idle, err := r.login(ctx, l, way, r.people.idle[:o.idle])
	if err != nil {
		return err
	}
	if err := l.Rest(ctx, o.settle); err != nil {
		return err
	}
	m = r.meter(way)
	perStream := func(before, after int) float64 { return float64(after-before) / float64(o.idle) / 1024 }
	to.add(r.name, way, figIdleAt, perStream(server, rss(m.server)))
	to.add(r.name, way, figIdle, perStream(front, rss(m.front)))
	if !isOurs(way) {
		return l.End(ctx, idle.Streams)
	}
	if last && o.profile != "" {
		for what, file := range map[string]string{"heap": o.profile, "goroutine": o.profile + ".goroutines"} {
			if err := fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/%s", r.pprof, what), file); err != nil {
				return err
			}
		}
	}
	return r.beside(ctx, o, l, way, idle.Streams, to)
}

// beside measures round trips with the idle streams there and with them gone.
func (r *rig) beside(ctx context.Context, o options, l *load.Loop, way string, idle []*load.Stream, to results) error {
	talkers, err := r.login(ctx, l, way, r.talkers(way, o.pairs))
	if err != nil {
		return err
	}
	for _, what := range []string{figBeside, figAlone} {
		took, err := l.RoundTrips(ctx, talkers.Streams, load.Trips{Rate: rates[0], Warm: o.warm, Length: 2 * o.length()})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		to.addTimes(r.name, way, what, took)
		if what == figAlone {
			break
		}
		if err := l.End(ctx, idle); err != nil {
			return err
		}
		if err := l.Rest(ctx, o.settle/2); err != nil {
			return err
		}
	}
	return l.End(ctx, talkers.Streams)
}

// login logs people in whose logins are not measured. None that goes through
// trunkline may hang.
func (r *rig) login(ctx context.Context, l *load.Loop, way string, who []load.Account) (*load.Logins, error) {
	got, err := l.Login(ctx, r.ways[way], who, 0)
	switch {
	case err != nil:
		return nil, err
	case got.Hung > 0 && isOurs(way):
		return nil, fmt.Errorf("%d of %d logins had no answer", got.Hung, len(who))
	case got.Hung > 0:
		progress("%s, %s: %d of %d logins had no answer and were begun again\n", r.name, way, got.Hung, len(who))
	}
	return got, nil
}

// logins measures people who log in at a steady rate, whether or not the
// earlier ones are through. They are hidden, where there is a choice: that is how
// everybody begins, and what takes most.
func (r *rig) logins(ctx context.Context, o options, way string, last bool, to results) error {
	l, err := load.New()
	if err != nil {
		return err
	}
	defer l.Close()
	count := min(int(loginRate*(o.length()+o.warm)/time.Second), len(r.people.idle))
	// What only the first streams need is there before. They are few: Prosody
	// gets slower with each that it has seen.
	first, err := r.login(ctx, l, way, r.talkers(way, 10))
	if err != nil {
		return err
	}
	if err := l.End(ctx, first.Streams); err != nil {
		return err
	}
	if err := l.Rest(ctx, o.settle/6); err != nil {
		return err
	}
	m := r.meter(way)
	if err := m.mark(); err != nil {
		return err
	}
	finish := r.profile(ctx, o, way, "-login", last)
	got, err := l.Login(ctx, r.ways[way], r.people.idle[:count], loginRate)
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	if err := m.mark(); err != nil {
		return err
	}
	used, err := m.used()
	if err != nil {
		return err
	}
	to.add(r.name, way, figLoginCPU, used.front.Seconds()*1e3/float64(len(got.Took)))
	to.add(r.name, way, figLoginAt, used.server.Seconds()*1e3/float64(len(got.Took)))
	to.add(r.name, way, figFailed, float64(len(got.Failed)))
	if len(got.Failed) > 0 {
		progress("%s, %s: %d of %d logins failed, the first: %v\n", r.name, way, len(got.Failed), count, got.Failed[0])
	}
	if len(got.Took) == 0 {
		return errors.New("nobody could log in")
	}
	to.addTimes(r.name, way, figLogin, got.Took)
	return l.End(ctx, got.Streams)
}

func isOurs(way string) bool { return way == wayGateway || way == wayHidden }
