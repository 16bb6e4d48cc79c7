package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// pair is two clients who talk.
type pair struct {
	a, b     *Stream
	to, back message // of a and of b
	atB, atA checker
	sent     int
	owed     int  // flood: messages that a may send now
	isDue    bool // flood: is in the list of those who owe
}

// couple makes pairs of streams, 0 with 1, 2 with 3 and so on.
func couple(streams []*Stream) ([]*pair, error) {
	if len(streams)%2 != 0 || len(streams) == 0 {
		return nil, errors.New("load: pairs need an even number of streams")
	}
	pairs := make([]*pair, len(streams)/2)
	for i := range pairs {
		a, b := streams[2*i], streams[2*i+1]
		p := &pair{a: a, b: b, to: newMessage(b.jid), back: newMessage(a.jid)}
		p.atB = checker{from: a.jid, sent: newMessage(b.jid)}
		p.atA = checker{from: b.jid, sent: newMessage(a.jid)}
		pairs[i] = p
	}
	return pairs, nil
}

func isMessage(item []byte) bool { return bytes.HasPrefix(item, []byte("<message")) }

// Flood says how a flood goes.
type Flood struct {
	UnderWay     int           // messages of a pair that have been sent and have not arrived
	Warm, Length time.Duration // before the measurement, and of it at least
	// Mark is called when the measurement begins and when it ends.
	Mark func() error
}

// Flooded is what came of it.
type Flooded struct {
	Messages int // that arrived during the measurement
	Took     time.Duration
}

// flood is one that goes on.
type flood struct {
	Flood
	loop          *Loop
	due           []*pair // who may send
	arrived, sent int
	from          time.Time // of the measurement
	before        int       // what had arrived then
	over          bool
	result        Flooded
}

// Flood lets each first client of a pair send to the second as fast as the
// messages arrive. All that was sent has arrived when it returns.
func (l *Loop) Flood(ctx context.Context, streams []*Stream, o Flood) (Flooded, error) {
	pairs, err := couple(streams)
	if err != nil {
		return Flooded{}, err
	}
	f := &flood{Flood: o, loop: l}
	for _, p := range pairs {
		f.owe(p, f.UnderWay)
		p.a.handle = nil
		p.b.handle = func(_ *Stream, item []byte) error {
			if !isMessage(item) {
				return nil
			}
			f.arrived++
			f.owe(p, 1)
			return p.atB.check(item)
		}
	}
	began := time.Now()
	tick := func(now time.Time) time.Time { return f.clock(began, now) }
	if err := l.run(ctx, tick, f.send); err != nil {
		return Flooded{}, fmt.Errorf("%d of %d messages have arrived: %w", f.arrived, f.sent, err)
	}
	return f.result, nil
}

// owe lets the first of a pair send n more.
func (f *flood) owe(p *pair, n int) {
	if p.owed += n; !p.isDue {
		p.isDue = true
		f.due = append(f.due, p)
	}
}

// clock begins and ends the measurement.
func (f *flood) clock(began, now time.Time) (next time.Time) {
	switch {
	case f.from.IsZero() && now.Before(began.Add(f.Warm)):
		return began.Add(f.Warm)
	case f.from.IsZero():
		f.loop.mark(f.Mark)
		f.from, f.before = time.Now(), f.arrived
		return f.from.Add(f.Length)
	case f.arrived == f.before:
		return now.Add(10 * time.Millisecond) // nothing yet: it takes longer
	case !f.over:
		f.over = true
		f.result = Flooded{Messages: f.arrived - f.before, Took: time.Since(f.from)}
		f.loop.mark(f.Mark)
	}
	return time.Time{}
}

// send sends what may be sent, each message in a write of its own: a client
// does not know of its next one. It says whether all have arrived that ever will.
func (f *flood) send() (done bool) {
	for _, p := range f.due {
		p.isDue = false
		for ; p.owed > 0 && !f.over; p.owed-- {
			p.a.send(p.to.numbered(p.sent))
			p.sent++
			f.sent++
			if err := p.a.flush(); err != nil {
				f.loop.fail(err)
			}
		}
	}
	f.due = f.due[:0]
	return f.over && f.arrived == f.sent
}

func (l *Loop) mark(f func() error) {
	if f == nil {
		return
	}
	if err := f(); err != nil {
		l.fail(err)
	}
}
