package webclient

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOneAddressCannotTakeTheLoginsOfAll(t *testing.T) {
	p, now := newPacing(), time.Unix(1_800_000_000, 0)
	greedy, other := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.5")
	for range loginsAtOncePerAddr {
		assert.True(t, p.allow(greedy, now))
	}
	assert.False(t, p.allow(greedy, now))
	assert.True(t, p.allow(other, now), "somebody else still can")
	assert.True(t, p.allow(greedy, now.Add(time.Second)), "and so can the first one a little later")

	six := netip.MustParseAddr("2001:db8::1")
	for range loginsAtOncePerAddr {
		assert.True(t, p.allow(six, now))
	}
	assert.False(t, p.allow(netip.MustParseAddr("2001:db8::2"), now), "a /64 counts as one")
}

func TestPacingIsBounded(t *testing.T) {
	p, now := newPacing(), time.Unix(1_800_000_000, 0)
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range maxPacedAddresses + 100 {
		addr = addr.Next()
		p.allow(addr, now.Add(time.Duration(i)*time.Second))
	}
	assert.LessOrEqual(t, len(p.byAddr), maxPacedAddresses)
}

// Strangers choose how many networks they come from: memory is bounded.
func TestAllowancesAreBounded(t *testing.T) {
	a, now := newAllowance(time.Minute, 1), time.Unix(1_800_000_000, 0)
	assert.Zero(t, a.wait("alice", now))
	assert.Positive(t, a.wait("alice", now))
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range maxPacedAddresses + 1000 {
		addr = addr.Next()
		a.wait(addr.String(), now.Add(time.Duration(i)*time.Millisecond))
	}
	assert.Len(t, a.byAccount, maxPacedAddresses)
}
