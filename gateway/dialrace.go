package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The waits of happy eyeballs, as RFC 8305 section 8 recommends them.
const (
	resolutionDelay = 50 * time.Millisecond  // for IPv6 addresses after IPv4 ones have come
	attemptDelay    = 250 * time.Millisecond // for one address before the next is tried beside it
)

// race connects to the first of a host's addresses that answers (RFC 8305):
// both kinds are looked up at once, IPv6 goes first, the kinds take turns, and
// an address that does not answer at once is not waited for but raced. It returns
// when its goroutines have ended.
func race(ctx context.Context, lookup func(ctx context.Context, network string) ([]netip.Addr, error),
	dial func(context.Context, netip.Addr) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &racer{found: make(chan found), ended: make(chan outcome), looking: 2}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, network := range []string{"ip6", "ip4"} {
		wg.Go(func() {
			list, err := lookup(ctx, network)
			select {
			case r.found <- found{network == "ip6", list, err}:
			case <-ctx.Done():
			}
		})
	}
	r.start = func(addr netip.Addr) {
		wg.Go(func() {
			conn, err := dial(ctx, addr)
			select {
			case r.ended <- outcome{conn, err}:
			case <-ctx.Done():
				if conn != nil {
					_ = conn.Close() // another was faster
				}
			}
		})
	}
	return r.run(ctx)
}

// found is what one lookup found.
type found struct {
	six  bool
	list []netip.Addr
	err  error
}

// outcome is how one attempt ended.
type outcome struct {
	conn net.Conn
	err  error
}

// racer is the state of one race.
type racer struct {
	found chan found
	ended chan outcome
	start func(netip.Addr)

	looking  int  // lookups under way
	six      bool // the lookup of IPv6 has ended
	patient  bool // IPv6 addresses need not be waited for any more
	running  int  // attempts under way
	due      bool // the next attempt is late, for want of an address
	last6    bool // the last attempt was at an IPv6 address
	v6, v4   []netip.Addr
	failures []error // of attempts
	unfound  []error // of lookups
}

// run makes the attempts until one succeeds or all have failed.
func (r *racer) run(ctx context.Context) (net.Conn, error) {
	resolution, next := stopped(), stopped()
	defer resolution.Stop()
	defer next.Stop()
	for r.looking > 0 || r.running > 0 || len(r.v6)+len(r.v4) > 0 {
		select {
		case f := <-r.found:
			r.learn(f)
			if !f.six && !r.six {
				resolution.Reset(resolutionDelay)
			}
			if r.running == 0 || r.due {
				r.try(next)
			}
		case <-resolution.C:
			r.patient = true
			if r.running == 0 {
				r.try(next)
			}
		case <-next.C:
			r.try(next)
		case o := <-r.ended:
			if o.err == nil {
				return o.conn, nil
			}
			r.running--
			r.failures = append(r.failures, o.err)
			r.try(next)
		case <-ctx.Done():
			return nil, r.failure(ctx.Err())
		}
	}
	return nil, r.failure(nil)
}

func (r *racer) learn(f found) {
	r.looking--
	if f.six {
		r.six, r.v6 = true, f.list
	} else {
		r.v4 = f.list
	}
	if f.err != nil {
		r.unfound = append(r.unfound, f.err)
	}
}

// try starts the next attempt, if there is an address for it.
func (r *racer) try(next *time.Timer) {
	var from *[]netip.Addr
	switch {
	case len(r.v6) > 0 && (!r.last6 || len(r.v4) == 0):
		from = &r.v6
	case len(r.v4) > 0 && (r.six || r.patient || r.running > 0 || len(r.failures) > 0):
		from = &r.v4
	default:
		r.due = r.running > 0
		return
	}
	r.due = false
	r.last6 = from == &r.v6
	addr := (*from)[0]
	*from = (*from)[1:]
	r.running++
	r.start(addr)
	next.Reset(attemptDelay)
}

// failure is the error of a race without a winner: that of the first attempt
// that ended, for it was at the address that is preferred.
func (r *racer) failure(why error) error {
	for _, list := range [][]error{r.failures, {why}, r.unfound} {
		if len(list) > 0 && list[0] != nil {
			return list[0]
		}
	}
	return errors.New("it has no address")
}

// stopped is a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
