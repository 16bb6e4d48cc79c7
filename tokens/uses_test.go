package tokens

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/sqldb/sqldbtest"
)

func TestCoarseNetworks(t *testing.T) {
	for from, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "203.0.113.77:5222": "203.0.113.0/24", "::ffff:203.0.113.77": "203.0.113.0/24",
		"2001:db8:1:2:3::4": "2001:db8:1::/48", "[2001:db8:1:2:3::4]:443": "2001:db8:1::/48", "2001:db8::1%eth0": "2001:db8::/48",
		"127.0.0.1": "", "::1": "", "10.1.2.3": "", "192.168.1.1": "", "172.16.0.1": "", "fd00::1": "", "fe80::1": "", "169.254.1.1": "",
		"100.64.0.1": "", "0.0.0.0": "", "::": "", "224.0.0.1": "", "255.255.255.255": "", "": "", "alice": "", "203.0.113.0/24": "",
		"203.0.113.77, 10.0.0.1": "", strings.Repeat("1", 5000): "",
	} {
		require.Equal(t, want, coarse(from), from)
	}
}

// Whatever somebody sends as an address, what is kept is a network of at most 24
// or 48 bits that it lies in, or nothing.
func FuzzCoarse(f *testing.F) {
	for _, s := range []string{"203.0.113.77", "::ffff:1.2.3.4", "[2001:db8::1]:5", "fe80::1%a", "x", "1.2.3.4:99999", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, from string) {
		got := coarse(from)
		if got == "" {
			return
		}
		network, err := netip.ParsePrefix(got)
		require.NoError(t, err)
		require.Equal(t, network.Masked().String(), got)
		want := 24
		if network.Addr().Is6() {
			want = 48
		}
		require.Equal(t, want, network.Bits())
		require.False(t, network.Addr().IsPrivate())
		require.False(t, network.Addr().IsLoopback())
	})
}

// The last use is noted by Run in batches, at most once in five minutes.
func TestLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{DB: sqldbtest.New(t), Key: testKey})
		require.NoError(t, err)
		f := &fixture{Service: s, t: t, db: s.db}
		addPeople(t, f.db)
		_, secret := f.device(ServiceXMPP, "Phone")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		use := func(from string) {
			v, err := s.Check(ctx, Attempt{ServiceXMPP, "alice", secret, "prosody", from})
			require.NoError(t, err)
			require.True(t, v.OK)
		}
		device := func() Device {
			list, err := s.Devices(ctx, "1")
			require.NoError(t, err)
			return list[0]
		}
		start := time.Now().UTC()
		use("203.0.113.77")
		require.True(t, device().LastUsed.IsZero(), "no login waits for a write")
		pass(5 * time.Second)
		require.Equal(t, []any{start, "203.0.113.0/24", "prosody"}, []any{device().LastUsed, device().LastUsedFrom, device().LastUsedBy})
		use("198.51.100.1")
		pass(5 * time.Second)
		require.Equal(t, start, device().LastUsed, "again too soon")
		pass(5*time.Minute - 10*time.Second)
		use("198.51.100.1")
		_, err = s.Check(ctx, Attempt{ServiceXMPP, "bob", secret, "prosody", "192.0.2.1"})
		require.NoError(t, err)
		pass(5 * time.Second)
		require.Equal(t, start.Add(5*time.Minute), device().LastUsed)
		require.Equal(t, "198.51.100.0/24", device().LastUsedFrom)

		pass(6 * time.Minute)
		use("127.0.0.1")
		last := time.Now().UTC()
		cancel()
		wg.Wait()
		require.Equal(t, last, f.first().LastUsed, "what a shutdown would lose is written at its end")
		require.Empty(t, f.first().LastUsedFrom)
	})
}

// first is alice's only device.
func (f *fixture) first() Device {
	f.t.Helper()
	list, err := f.Devices(f.t.Context(), "1")
	require.NoError(f.t, err)
	require.Len(f.t, list, 1)
	return list[0]
}

func TestUsesOutliveTrouble(t *testing.T) {
	f := newFixture(t, nil)
	_, secret := f.device(ServiceXMPP, "Phone")
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	require.Error(t, f.writeUses(ended(t)))
	require.NoError(t, f.writeUses(t.Context()), "it is tried again")
	require.False(t, f.first().LastUsed.IsZero())
	f.clock.advance(time.Hour)
	require.Equal(t, ReasonOK, f.ask("alice", secret))
	d := f.first()
	_, err := f.RevokeDevice(t.Context(), "1", d.ID, "lost")
	require.NoError(t, err)
	require.NoError(t, f.writeUses(t.Context()), "revoked meanwhile")
}

func TestUsesAreBounded(t *testing.T) {
	u := &uses{pending: map[string]use{}}
	for i := range maxUses + 5 {
		u.note(&credential{id: fmt.Sprint(i)}, Attempt{Front: strings.Repeat("f", 1000)}, time.Unix(1e9, 0))
	}
	require.Len(t, u.pending, maxUses)
	require.Len(t, u.pending["0"].by, maxFront)
	batch := u.take()
	u.note(&credential{id: "new"}, Attempt{}, time.Unix(1e9, 0))
	u.giveBack(batch)
	require.Len(t, u.pending, maxUses)
}
