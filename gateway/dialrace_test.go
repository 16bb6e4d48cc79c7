package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// course is a network for one race: when lookups answer, and what becomes of
// each address.
type course struct {
	names map[string]answerAfter // by "ip4" and "ip6"
	ends  map[string]endAfter    // by address; one that is missing never answers

	mu      sync.Mutex
	began   time.Time
	started []string // address@milliseconds
	closed  int      // connections that nobody wanted
}

type answerAfter struct {
	after time.Duration
	list  string // separated by spaces
	err   error
}

type endAfter struct {
	after time.Duration
	err   error
}

func (c *course) lookup(ctx context.Context, network string) ([]netip.Addr, error) {
	a := c.names[network]
	select {
	case <-time.After(a.after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var list []netip.Addr
	for s := range strings.FieldsSeq(a.list) {
		list = append(list, netip.MustParseAddr(s))
	}
	return list, a.err
}

func (c *course) dial(ctx context.Context, addr netip.Addr) (net.Conn, error) {
	c.mu.Lock()
	c.started = append(c.started, addr.String()+"@"+time.Since(c.began).String())
	c.mu.Unlock()
	e, answers := c.ends[addr.String()]
	if !answers {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-time.After(e.after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.err != nil {
		return nil, e.err
	}
	return &runner{course: c, addr: addr}, nil
}

// runner is a connection to an address.
type runner struct {
	net.Conn
	course *course
	addr   netip.Addr
}

func (r *runner) Close() error {
	r.course.mu.Lock()
	defer r.course.mu.Unlock()
	r.course.closed++
	return nil
}

func TestRaceOfAddresses(t *testing.T) {
	const ms = time.Millisecond
	refused, nobody := errors.New("refused"), &net.DNSError{Err: "no such host", IsNotFound: true}
	for name, c := range map[string]struct {
		*course
		limit  time.Duration // 2 h if zero
		winner string
		err    error
		order  []string // of the attempts
		took   time.Duration
	}{
		"IPv6 goes first, also if it is known a little later": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {40 * ms, "2001:db8::1", nil}},
				ends: map[string]endAfter{"192.0.2.1": {}, "2001:db8::1": {}}},
			winner: "2001:db8::1", order: []string{"2001:db8::1@40ms"}, took: 40 * ms,
		},
		"IPv6 is not waited for longer than 50 ms": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {time.Hour, "2001:db8::1", nil}},
				ends: map[string]endAfter{"192.0.2.1": {}}},
			winner: "192.0.2.1", order: []string{"192.0.2.1@50ms"}, took: 50 * ms,
		},
		"no IPv6 at all is not waited for": {
			course: &course{names: map[string]answerAfter{"ip4": {3 * ms, "192.0.2.1", nil}, "ip6": {0, "", nobody}},
				ends: map[string]endAfter{"192.0.2.1": {}}},
			winner: "192.0.2.1", order: []string{"192.0.2.1@3ms"}, took: 3 * ms,
		},
		"a silent address is raced after 250 ms, the kinds in turn": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1 192.0.2.2", nil}, "ip6": {0, "2001:db8::1 2001:db8::2", nil}},
				ends: map[string]endAfter{"2001:db8::2": {after: 10 * ms}}},
			winner: "2001:db8::2", order: []string{"2001:db8::1@0s", "192.0.2.1@250ms", "2001:db8::2@500ms"}, took: 510 * ms,
		},
		"a refusal has the next tried at once": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {0, "2001:db8::1", nil}},
				ends: map[string]endAfter{"2001:db8::1": {2 * ms, refused}, "192.0.2.1": {after: ms}}},
			winner: "192.0.2.1", order: []string{"2001:db8::1@0s", "192.0.2.1@2ms"}, took: 3 * ms,
		},
		"the slower of two that answer is let go": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {0, "2001:db8::1", nil}},
				ends: map[string]endAfter{"2001:db8::1": {after: 300 * ms}, "192.0.2.1": {after: 20 * ms}}},
			winner: "192.0.2.1", order: []string{"2001:db8::1@0s", "192.0.2.1@250ms"}, took: 270 * ms,
		},
		"IPv6 that is known late is raced with a silent IPv4": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {400 * ms, "2001:db8::1", nil}},
				ends: map[string]endAfter{"2001:db8::1": {after: ms}}},
			winner: "2001:db8::1", order: []string{"192.0.2.1@50ms", "2001:db8::1@400ms"}, took: 401 * ms,
		},
		"all refuse: the error of the preferred": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {0, "2001:db8::1", nil}},
				ends: map[string]endAfter{"2001:db8::1": {0, refused}, "192.0.2.1": {0, errors.New("another")}}},
			err: refused, order: []string{"2001:db8::1@0s", "192.0.2.1@0s"},
		},
		"no such name": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "", nobody}, "ip6": {0, "", nobody}}}, err: nobody,
		},
		"nobody answers": {
			course: &course{names: map[string]answerAfter{"ip4": {0, "192.0.2.1", nil}, "ip6": {0, "2001:db8::1", nil}}},
			limit:  time.Second, err: context.DeadlineExceeded,
			order: []string{"2001:db8::1@0s", "192.0.2.1@250ms"}, took: time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.limit == 0 {
					c.limit = 2 * time.Hour
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				c.began = time.Now()
				conn, err := race(ctx, c.lookup, c.dial)
				require.Equal(t, c.took, time.Since(c.began))
				require.Equal(t, c.order, c.started)
				require.Zero(t, c.closed, "the loser was told to stop before it had a connection")
				if c.winner == "" {
					require.ErrorIs(t, err, c.err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.winner, conn.(*runner).addr.String())
			})
		})
	}
}

// TestConnectionsThatComeTooLateAreClosed: the loser connects in the moment in
// which the race is over.
func TestConnectionsThatComeTooLateAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &course{}
		lookup := func(_ context.Context, network string) ([]netip.Addr, error) {
			return []netip.Addr{map[string]netip.Addr{"ip4": netip.MustParseAddr("192.0.2.1"), "ip6": netip.MustParseAddr("2001:db8::1")}[network]}, nil
		}
		conn, err := race(t.Context(), lookup, func(ctx context.Context, addr netip.Addr) (net.Conn, error) {
			if addr.Is6() {
				<-ctx.Done() // and yet it comes to a connection
			}
			return &runner{course: late, addr: addr}, nil
		})
		require.NoError(t, err)
		require.Equal(t, "192.0.2.1", conn.(*runner).addr.String())
		require.Equal(t, 1, late.closed)
	})
}
