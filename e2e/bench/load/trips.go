package load

import (
	"context"
	"fmt"
	"time"
)

// Trips says how round trips are measured: a message and its answer.
type Trips struct {
	Rate         float64 // of all pairs together, begun in a second
	Warm, Length time.Duration
	Mark         func() error // as of Flood
}

// RoundTrips lets the pairs, in turn, send a message that is answered as soon as
// it arrives. Trips begin at their rate whether or not earlier ones are back,
// and each is measured from the moment when it was due.
func (l *Loop) RoundTrips(ctx context.Context, streams []*Stream, o Trips) ([]time.Duration, error) {
	pairs, err := couple(streams)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	due := func(k int) time.Time {
		return began.Add(time.Duration(float64(k) / o.Rate * float64(time.Second)))
	}
	warm, total := int(o.Warm.Seconds()*o.Rate), int((o.Warm+o.Length).Seconds()*o.Rate)
	took := make([]time.Duration, 0, total-warm)
	sent, back := 0, 0
	for i, p := range pairs {
		p.b.handle = func(b *Stream, item []byte) error {
			if !isMessage(item) {
				return nil
			}
			n := p.atB.next
			if err := p.atB.check(item); err != nil {
				return err
			}
			b.send(p.back.numbered(n))
			return b.flush()
		}
		p.a.handle = func(_ *Stream, item []byte) error {
			if !isMessage(item) {
				return nil
			}
			k := p.atA.next*len(pairs) + i
			if back++; k >= warm {
				took = append(took, time.Since(due(k)))
			}
			return p.atA.check(item)
		}
	}
	tick := func(now time.Time) time.Time {
		for sent < total && l.err == nil {
			if at := due(sent); at.After(now) {
				return at
			}
			if sent == warm {
				l.mark(o.Mark)
			}
			p := pairs[sent%len(pairs)]
			p.a.send(p.to.numbered(p.sent))
			p.sent++
			sent++
			if err := p.a.flush(); err != nil {
				l.fail(err)
			}
		}
		return time.Time{}
	}
	if err := l.run(ctx, tick, func() bool { return back == total }); err != nil {
		return nil, fmt.Errorf("%d of %d answers have arrived: %w", back, sent, err)
	}
	l.mark(o.Mark)
	return took, l.err
}
