package webclient

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many logins may begin: over all people, and from one address. Many people
// can share an address; nobody can take the logins of all.
const (
	loginsPerSecond, loginsAtOnce               = 50, 500
	loginsPerAddressSecond, loginsAtOncePerAddr = 1, 60
)

// maxPacedAddresses bounds the memory of pacing. When it is full, addresses that
// have been idle are forgotten; they would be allowed anyway.
const maxPacedAddresses = 10_000

// pacing slows down those who begin too many logins. Any goroutine may call its
// methods.
type pacing struct {
	mu     sync.Mutex
	all    *rate.Limiter
	byAddr map[netip.Prefix]*rate.Limiter
}

func newPacing() *pacing {
	return &pacing{
		all:    rate.NewLimiter(loginsPerSecond, loginsAtOnce),
		byAddr: map[netip.Prefix]*rate.Limiter{},
	}
}

// allow reports whether a login may begin at this address now. An address that is
// not known counts as one.
func (p *pacing) allow(addr netip.Addr, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := network(addr)
	l := p.byAddr[key]
	if l == nil {
		p.makeRoom(now)
		l = rate.NewLimiter(loginsPerAddressSecond, loginsAtOncePerAddr)
		p.byAddr[key] = l
	}
	return l.AllowN(now, 1) && p.all.AllowN(now, 1)
}

// makeRoom expects p.mu to be held.
func (p *pacing) makeRoom(now time.Time) {
	if len(p.byAddr) < maxPacedAddresses {
		return
	}
	for key, l := range p.byAddr {
		if l.TokensAt(now) >= loginsAtOncePerAddr {
			delete(p.byAddr, key)
		}
	}
	for key := range p.byAddr { // all of them busy: the ceiling over all still holds
		if len(p.byAddr) < maxPacedAddresses {
			return
		}
		delete(p.byAddr, key)
	}
}

// network is what counts as one address: an IPv4 address, or the /64 that an IPv6
// client can move about in.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
