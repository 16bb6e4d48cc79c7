package gateway

import (
	"context"
	"time"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/policy"
)

// paces are the rates of the configuration, and who has used how much of them.
// Any goroutine may use it.
type paces struct {
	stream, account, address pace
	handshakes, logins       rate
	patience                 time.Duration
	now                      func() int64 // nanoseconds

	accounts, addresses *table[allowance]
}

// pace is a Pace with its burst.
type pace struct{ stanzas, bytes rate }

// allowance is what one stream, account or address has used.
type allowance struct {
	stanzas, bytes bucket
	opened         bucket // handshakes of an address, logins of an account
}

// isUsed says that forgetting it would give somebody more than the rate: what was
// not used is full, as a new one is. The table keeps what is used, so nobody gains
// by having their own pushed out, unless they have 8,192 addresses or accounts
// that have all used something within a burst. With as many, a stream that does
// nothing may hold an allowance that was forgotten, beside the new one of streams
// that come later.
func (a *allowance) isUsed(now int64) bool {
	return !a.stanzas.isFull(now) || !a.bytes.isFull(now) || !a.opened.isFull(now)
}

func newPaces(l Limits, now func() int64) *paces {
	p := func(of Pace) pace {
		return pace{newRate(of.Stanzas, 1, l.Burst), newRate(of.Bytes, 2*l.Frame.MaxBytes, l.Burst)}
	}
	used := func() *table[allowance] {
		t := newTable[allowance](tableSize)
		t.keeps = func(a *allowance) bool { return a.isUsed(now()) }
		return t
	}
	return &paces{
		stream: p(l.Stream), account: p(l.Account), address: p(l.Address),
		handshakes: newRate(l.Handshakes, 1, l.Burst), logins: newRate(l.Logins, 1, l.Burst),
		patience: l.Patience, now: now,
		accounts: used(), addresses: used(),
	}
}

// open takes one of a rate and returns how long to wait for it. If that is
// longer than the patience, ok is false and nothing was taken.
func (p *paces) open(b *bucket, r rate) (wait time.Duration, ok bool) {
	wait = b.take(r, p.now(), 1)
	if wait > p.patience {
		b.give(r, 1)
		return wait, false
	}
	return wait, true
}

// meter measures what one stream takes. The goroutine that reads the browser
// uses it, nobody else.
type meter struct {
	paces   *paces
	own     allowance
	address *allowance
	account *allowance // nil before the login
	until   int64      // when the bytes read so far are paid for
}

func (p *paces) meter(address string) meter {
	return meter{paces: p, address: p.addresses.at(address)}
}

// charged is one allowance that a meter takes from.
type charged struct {
	used *allowance
	pace
	scope string
}

func (m *meter) scopes() [3]charged {
	return [3]charged{
		{&m.own, m.paces.stream, "stream"}, {m.account, m.paces.account, "account"}, {m.address, m.paces.address, "address"},
	}
}

// read counts bytes that the connection has given.
func (m *meter) read(n int) {
	now := m.paces.now()
	for _, c := range m.scopes() {
		if c.used != nil {
			m.until = max(m.until, now+int64(c.used.bytes.charge(c.bytes, now, n, m.paces.patience)))
		}
	}
}

// due is for how long nothing is to be read: until the bytes so far are paid
// for, or the patience is over.
func (m *meter) due() time.Duration {
	if m.until == 0 {
		return 0
	}
	wait := time.Duration(m.until - m.paces.now())
	m.until = 0
	return min(wait, m.paces.patience)
}

// stanza counts a stanza and returns how long it is to be held back, and for
// whose sake. Over the patience it is refused after that, and does not count.
func (m *meter) stanza() (wait time.Duration, scope string, refused bool) {
	now := m.paces.now()
	all := m.scopes()
	for _, c := range all {
		if c.used == nil {
			continue
		}
		if w := c.used.stanzas.take(c.stanzas, now, 1); w > wait {
			wait, scope = w, c.scope
		}
	}
	if wait <= m.paces.patience {
		return wait, scope, false
	}
	for _, c := range all {
		if c.used != nil {
			c.used.stanzas.give(c.stanzas, 1)
		}
	}
	return m.paces.patience, scope, true
}

// paceReads counts what was read of the browser, and waits until more may be.
func (s *stream) paceReads() {
	if s.browser.got == 0 {
		return
	}
	s.meter.read(s.browser.got)
	s.countStranger(s.browser.got)
	if s.passing > 0 {
		if s.passing += s.browser.got; s.passing > s.g.limits.Oversized {
			s.finish(endTooBig)
		}
	}
	s.browser.got = 0
	s.slow(s.meter.due())
}

// authFraming is what may come before the login beyond Limits.AuthBytes for the
// headers of frames, and control frames.
const authFraming = 1 << 10

// countStranger counts what the connection gives before the login, whatever it
// is: pings, and what never becomes a message, too.
func (s *stream) countStranger(n int) {
	if s.isLoggedIn() {
		return
	}
	if s.raw += n; s.raw > s.g.limits.AuthBytes+authFraming {
		s.finish(endAuthBytes)
	}
}

// paceStanza holds an element of a browser back that is faster than it may be,
// and refuses a stanza for which that would take too long.
func (s *stream) paceStanza(e *framing.Element) (goesOn bool) {
	wait, scope, refused := s.meter.stanza()
	if wait > 0 {
		s.g.metrics.slowed.WithLabelValues(scope).Inc()
		s.slow(wait)
	}
	if !refused || !e.IsStanza() {
		return true
	}
	s.refuseStanza(e, policy.LimitStanzas)
	return false
}

// slow waits before the browser is read any further.
func (s *stream) slow(d time.Duration) {
	if d <= 0 {
		return
	}
	s.flushBoth()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.over.wait():
	}
}

// handshake waits for the rate of connections from an address, and says after
// how many seconds to try again if that would take too long.
func (g *Gateway) handshake(ctx context.Context, address string) (again int) {
	wait, ok := g.paces.open(&g.paces.addresses.at(address).opened, g.paces.handshakes)
	switch {
	case !ok:
		return int(wait/time.Second) + 1
	case wait == 0:
		return 0
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // the browser is gone; the upgrade will notice
	}
	return 0
}
