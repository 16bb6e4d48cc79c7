package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// How long the watch waits between two probes of a server that is out of reach:
// doubled from the first to the last, half of it at random.
const (
	firstProbe = 500 * time.Millisecond
	lastProbe  = 10 * time.Second
	// repeatAfter is how often a fault that stays the same is logged.
	repeatAfter = 10 * time.Minute
)

// health is how the server was found last.
type health struct {
	wake chan struct{} // a token: it has just gone

	mu      sync.Mutex
	found   *fault    // nil: nothing is known against it
	since   time.Time // of the first fault in a row
	faults  int64     // how many there were
	told    time.Time // when the fault was logged
	place   string    // step and server, as they were logged
	heard   time.Time // of its last greeting
	probing *probing  // nil: none under way
}

// probing is one probe, whose answer all share who wait for it.
type probing struct {
	done chan struct{} // closed after err is set
	err  error
}

// fault is what is wrong with the server, nil if nothing is known.
func (h *health) fault() *fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.found
}

// note keeps what came of an attempt. Errors that are no *fault are ignored. A TCP
// connection clears no fault; only greeted does.
func (u *upstream) note(err error) {
	f := (*fault)(nil)
	if !errors.As(err, &f) {
		return
	}
	h, now := &u.health, u.now()
	h.mu.Lock()
	first := h.found == nil
	if first {
		h.since = now
	}
	h.found = f
	h.faults++
	place := string(f.step) + " " + f.where
	tell := first || place != h.place || now.Sub(h.told) >= repeatAfter
	if tell {
		h.told, h.place = now, place
	}
	since := h.since
	h.mu.Unlock()
	u.metrics.faults.WithLabelValues(string(f.step)).Inc()
	u.metrics.reachable.Set(0)
	if tell {
		u.log.Error("gateway: the XMPP server cannot be used", "step", string(f.step), "server", f.where,
			"error", f.Error(), "advice", f.advice(u.domain), "since", since)
	}
	if first {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// suspect is note for an error that may be meant for one connection alone: that the
// server ended it, by a stream error or without a word, as one does that has
// something against an address (which the PROXY protocol tells it) or has a limit.
// Then it is asked once more, in the gateway's own name, and that answer counts.
// ctx bounds the asking.
func (u *upstream) suspect(ctx context.Context, err error) {
	f := (*fault)(nil)
	if !errors.As(err, &f) || !f.isClosed() {
		u.note(err)
		return
	}
	for ctx.Err() == nil {
		if err := u.askOnce(ctx); err == nil || errors.As(err, &f) {
			return // noted
		} // else whoever asked has left
	}
}

// count is for greeted, at the beginning of a connection.
func (h *health) count() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.faults
}

// greeted notes that the server answered as it should, on a connection that was
// begun when there had been so many faults. One that was found later stands: a
// server that answers is no proof that it can still be found.
func (u *upstream) greeted(faults int64) {
	h, now := &u.health, u.now()
	h.mu.Lock()
	was, since, never := h.found, h.since, h.heard.IsZero()
	h.heard = now
	stands := was != nil && h.faults != faults
	if !stands {
		h.found = nil
	}
	h.mu.Unlock()
	if stands {
		return
	}
	u.metrics.reachable.Set(1)
	switch {
	case was != nil:
		u.log.Info("gateway: the XMPP server answers again", "after", now.Sub(since).Round(time.Millisecond).String())
	case never:
		u.log.Info("gateway: the XMPP server answers")
	}
}

// answers waits until the server may be dialled: at once as long as nothing is
// known against it, else until a probe has its answer. The error is the probe's.
func (u *upstream) answers(ctx context.Context) error {
	for u.health.fault() != nil {
		err := u.askOnce(ctx)
		if f := (*fault)(nil); err == nil || errors.As(err, &f) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		} // else whoever probed has left: it is our turn
	}
	return nil
}

// askOnce probes, or waits for the probe that is under way.
func (u *upstream) askOnce(ctx context.Context) error {
	u.health.mu.Lock()
	p := u.health.probing
	mine := p == nil
	if mine {
		p = &probing{done: make(chan struct{})}
		u.health.probing = p
	}
	u.health.mu.Unlock()
	if mine {
		p.err = u.probe(ctx)
		u.health.mu.Lock()
		u.health.probing = nil
		u.health.mu.Unlock()
		close(p.done)
		return p.err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probe connects, looks whether the server would let people log in, and leaves.
func (u *upstream) probe(ctx context.Context) error {
	whole, faults := ctx, u.health.count()
	ctx, cancel := context.WithTimeout(ctx, u.limits.Dial)
	defer cancel()
	conn, err := u.dial(ctx, netip.AddrPort{})
	if err == nil {
		err = u.look(ctx, conn)
		_ = conn.Close() // it was only a question
	}
	if whole.Err() != nil && err != nil {
		return whole.Err()
	}
	if u.note(err); err == nil {
		u.greeted(faults)
	}
	return err
}

// look opens a stream and reads what it offers.
func (u *upstream) look(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, u.limits.Answer)
	defer cancel()
	where := conn.RemoteAddr().String()
	release := bounded(ctx, conn)
	defer release()
	c := newOwnServer(conn, u.limits.Answer)
	features, err := c.open(u.domain)
	if err != nil {
		return asFault(inTime(ctx, err), atAnswer, where)
	}
	c.queue(framing.AppendStreamEnd(nil))
	_ = c.flush() // a courtesy
	return offersLogin(features, where)
}

// offersLogin is nil if people can log in by their passwords.
func offersLogin(features *framing.Element, where string) error {
	if m := features.Child(nsSASL, "mechanisms"); m != nil && policy.OffersPlain(m) {
		return nil
	}
	return newFault(atLogin, where, errNoPlain)
}

// watch keeps knowing how the server is, until ctx ends: it asks at the start, when
// a stream has found it gone, then again and again until it is back, and when
// nobody has come by for long.
func (u *upstream) watch(ctx context.Context) {
	pause := firstProbe
	for ctx.Err() == nil && u.limits.ProbeEvery > 0 {
		if u.health.fault() != nil || u.isForgotten() {
			_ = u.askOnce(ctx) // noted
		}
		wait := u.limits.ProbeEvery
		if u.health.fault() != nil {
			wait, pause = pause, min(2*pause, lastProbe)
		} else {
			pause = firstProbe
		}
		u.pauseProbes(ctx, wait)
	}
}

// isForgotten says that nothing was heard of the server for long.
func (u *upstream) isForgotten() bool {
	u.health.mu.Lock()
	defer u.health.mu.Unlock()
	return u.now().Sub(u.health.heard) >= u.limits.ProbeEvery
}

// pauseProbes waits, half of it at random, or until the server is found gone.
func (u *upstream) pauseProbes(ctx context.Context, wait time.Duration) {
	if dice, err := u.dice(); err == nil {
		wait = wait/2 + time.Duration(dice.Int64N(int64(wait/2)+1))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-u.health.wake:
	case <-ctx.Done():
	}
}

// Reachable tells how the XMPP server was found last. problem is "" if nothing is
// known against it, else which step failed and what to do, for the admin;
// since is then when that began.
func (g *Gateway) Reachable() (problem string, since time.Time) {
	h := &g.upstream.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == nil {
		return "", time.Time{}
	}
	return h.found.problem(g.cfg.Domain), h.since
}
