package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
)

// What is measured, as it is chosen with -what.
const (
	partFlood = "flood"
	partTrips = "trips"
	partLogin = "login"
	partIdle  = "idle"
)

var allParts = []string{partFlood, partTrips, partLogin, partIdle}

const partTalk = partFlood + " and " + partTrips // in one login

// rates are how many round trips begin in a second.
var rates = []float64{500, 2500}

// relay measures the ways to each server and prints the tables.
func relay(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "trunkline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := raiseFiles(); err != nil {
		return err
	}
	s, err := newStore(dir)
	if err != nil {
		return err
	}
	p, err := s.populate(ctx, 2*o.pairs, o.idle)
	if err != nil {
		return err
	}
	before := loadAverage()
	results := results{}
	for _, name := range o.serverNames() {
		r, err := newRig(ctx, o, name, dir, s, p)
		if err != nil {
			return err
		}
		err = r.measure(ctx, o, results)
		r.close()
		if err != nil {
			log := r.server.Log()
			return fmt.Errorf("%s: %w\n%s", name, err, log[max(0, len(log)-2000):])
		}
	}
	progress("")
	return results.report(os.Stdout, o, before)
}

// raiseFiles lets us and our children open as many files as we may. Our own
// table of them gets its size now: while it grows nothing is measured.
func raiseFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, int(min(limit.Cur, 1<<16))-1)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// measure takes all measurements of one server. The ways take turns, and who
// begins changes from run to run.
func (r *rig) measure(ctx context.Context, o options, to results) error {
	ways := o.ways()
	for run := range o.runs {
		for i := range ways {
			way := ways[(i+run)%len(ways)]
			last := run == o.runs-1
			for _, part := range o.parts(way, run) {
				progress("%s, run %d of %d, %s: %s", r.name, run+1, o.runs, way, part)
				if err := r.part(ctx, o, part, way, last, to); err != nil {
					progress("%s, run %d of %d, %s: %s: %v\n", r.name, run+1, o.runs, way, part, err)
					return fmt.Errorf("%s, %s: %w", way, part, err)
				}
			}
		}
	}
	return nil
}

// parts is what is measured of a way in this run.
func (o options) parts(way string, run int) []string {
	// The talkers of both ways of ours are other people; who logs in and does
	// nothing is the same.
	twice := way == wayGateway && slices.Contains(o.ways(), wayHidden)
	parts := []string{}
	if o.measures(partFlood) || o.measures(partTrips) {
		parts = append(parts, partTalk)
	}
	if o.measures(partLogin) && !twice && way != wayNginx {
		parts = append(parts, partLogin)
	}
	if o.measures(partIdle) && !twice && (isOurs(way) || run < memoryRuns) {
		parts = append(parts, partIdle)
	}
	return parts
}

// part is one measurement. Everything starts anew for it: what earlier ones have
// left in the servers, Prosody above all, would be in the figures.
func (r *rig) part(ctx context.Context, o options, part, way string, last bool, to results) error {
	if err := r.restart(ctx); err != nil {
		return err
	}
	switch part {
	case partLogin:
		return r.logins(ctx, o, way, last, to)
	case partIdle:
		return r.crowd(ctx, o, way, last, to)
	default:
		return r.talk(ctx, o, way, last, to)
	}
}

// progress says what goes on, on a line that the next one takes the place of.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "\r%-70s\r", fmt.Sprintf(format, args...))
}

// talk measures what pairs who talk come to on a way.
func (r *rig) talk(ctx context.Context, o options, way string, last bool, to results) error {
	l, err := load.New()
	if err != nil {
		return err
	}
	defer l.Close()
	logins, err := r.login(ctx, l, way, r.talkers(way, o.pairs))
	if err != nil {
		return err
	}
	if o.measures(partFlood) {
		if err := r.flood(ctx, o, l, way, logins.Streams, last, to); err != nil {
			return err
		}
	}
	if o.measures(partTrips) {
		for _, rate := range rates {
			if err := r.trips(ctx, o, l, way, logins.Streams, rate, to); err != nil {
				return fmt.Errorf("%.0f round trips a second: %w", rate, err)
			}
		}
	}
	return l.End(ctx, logins.Streams)
}

func (r *rig) flood(ctx context.Context, o options, l *load.Loop, way string, streams []*load.Stream, last bool, to results) error {
	m := r.meter(way)
	f := load.Flood{UnderWay: o.underWay, Warm: o.warm, Length: o.length(), Mark: m.mark}
	finish := r.profile(ctx, o, way, "", last)
	got, err := l.Flood(ctx, streams, f)
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	used, err := m.used()
	if err != nil {
		return err
	}
	n := float64(got.Messages)
	to.add(r.name, way, figRate, n/got.Took.Seconds())
	for what, d := range map[string]time.Duration{
		figServer: used.server, figFront: used.front, figTotal: used.server + used.front, figGenerator: used.own,
	} {
		to.add(r.name, way, what, d.Seconds()/n*1e6)
	}
	return nil
}

func (r *rig) trips(ctx context.Context, o options, l *load.Loop, way string, streams []*load.Stream, rate float64, to results) error {
	m := r.meter(way)
	length := o.length()
	if rate == rates[0] { // of a thousand only ten are beyond the p99
		length += length / 2
	}
	took, err := l.RoundTrips(ctx, streams, load.Trips{Rate: rate, Warm: o.warm, Length: length, Mark: m.mark})
	if err != nil {
		return err
	}
	used, err := m.used()
	if err != nil {
		return err
	}
	to.addTimes(r.name, way, tripName(rate), took)
	to.add(r.name, way, figTripCPU+" "+tripName(rate), used.front.Seconds()/float64(len(took))*1e6)
	return nil
}
