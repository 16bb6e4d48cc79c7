package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

const (
	directName = "_xmpps-client._tcp.social.example."
	startName  = "_xmpp-client._tcp.social.example."
)

// zone is what a name server knows: SRV records, and hosts' addresses.
type zone struct {
	srv   map[string][]dnsmessage.SRVResource
	hosts map[string][]string
	fails atomic.Bool // it answers SERVFAIL to everything
}

// at is one record of a service on the host that nameServer knows.
func at(priority, weight, port uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: priority, Weight: weight, Port: port, Target: dnsmessage.MustNewName("xmpp.hosting.example.")}
}

// notOffered is the record of a service that is not there.
func notOffered() []dnsmessage.SRVResource {
	return []dnsmessage.SRVResource{{Target: dnsmessage.MustNewName(".")}}
}

// nameServer answers from a zone for as long as the test runs, and returns what
// asks it.
func nameServer(t *testing.T, z *zone) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	if z.hosts == nil {
		z.hosts = map[string][]string{"xmpp.hosting.example.": {"127.0.0.1"}}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			z.answer(&m)
			if b, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(b, from)
			}
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z *zone) answer(m *dnsmessage.Message) {
	q := m.Questions[0]
	name := q.Name.String()
	m.Response, m.RCode, m.Additionals = true, dnsmessage.RCodeNameError, nil
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	if z.fails.Load() {
		m.RCode = dnsmessage.RCodeServerFailure
		return
	}
	if list, ok := z.srv[name]; ok {
		m.RCode = dnsmessage.RCodeSuccess
		for _, r := range list {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &r})
		}
	}
	for _, s := range z.hosts[name] {
		m.RCode = dnsmessage.RCodeSuccess
		addr := netip.MustParseAddr(s)
		if addr.Is4() && q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		}
		if addr.Is6() && q.Type == dnsmessage.TypeAAAA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	return uint16(n)
}

// directServer speaks TLS from the first byte and says "safe".
func directServer(t *testing.T, cert tls.Certificate) uint16 {
	t.Helper()
	return portOf(t, serveOne(t, func(conn net.Conn) {
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		if secure.Handshake() == nil {
			_, _ = secure.Write([]byte("safe"))
		}
	}))
}

// nothing is a port at which nobody listens, and that no listener of a test is
// given.
const nothing = 1

// TestServiceRecords finds the server elsewhere, and still wants the domain's
// own certificate.
func TestServiceRecords(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	hosting, hostingPool := certificate(t, "xmpp.hosting.example")
	direct := directServer(t, cert)
	start := portOf(t, startTLSServer(t, offer, proceed, cert))
	type records = map[string][]dnsmessage.SRVResource
	for name, c := range map[string]struct {
		srv  records
		tls  string
		pool bool // trust the hosting company's name instead
		want string
	}{
		"direct TLS":                        {srv: records{directName: {at(0, 0, direct)}}},
		"STARTTLS":                          {srv: records{startName: {at(0, 0, start)}}},
		"STARTTLS alone":                    {srv: records{startName: {at(0, 0, start)}, directName: {at(0, 0, nothing)}}, tls: TLSStart},
		"direct TLS alone":                  {srv: records{startName: {at(0, 0, nothing)}, directName: {at(9, 0, direct)}}, tls: TLSDirect},
		"the next priority":                 {srv: records{directName: {at(5, 0, nothing), at(10, 0, direct)}}},
		"from direct TLS to STARTTLS":       {srv: records{directName: {at(5, 0, nothing)}, startName: {at(10, 0, start)}}},
		"from STARTTLS to direct TLS":       {srv: records{directName: {at(10, 0, direct)}, startName: {at(5, 0, nothing)}}},
		"direct TLS is not offered":         {srv: records{directName: notOffered(), startName: {at(0, 0, start)}}},
		"nor is STARTTLS, but direct TLS":   {srv: records{startName: notOffered(), directName: {at(0, 0, direct)}}},
		"a wrong certificate, then another": {srv: records{directName: {at(1, 0, directServer(t, hosting)), at(2, 0, direct)}}},
		"no STARTTLS, then another":         {srv: records{startName: {at(1, 0, portOf(t, startTLSServer(t, "", "", cert))), at(2, 0, start)}}},

		"the host's certificate":                {srv: records{directName: {at(0, 0, directServer(t, hosting))}}, pool: true, want: "not social.example"},
		"no STARTTLS where the record leads":    {srv: records{startName: {at(0, 0, portOf(t, startTLSServer(t, "", "", cert)))}}, want: "does not offer"},
		"no chat at this domain":                {srv: records{startName: notOffered()}, want: "offers no such service"},
		"no direct TLS at this domain":          {srv: records{startName: {at(0, 0, start)}, directName: notOffered()}, tls: TLSDirect, want: "offers no such service"},
		"all of them fail: the preferred first": {srv: records{startName: {at(3, 0, nothing)}, directName: {at(1, 0, directServer(t, hosting))}}, want: "server: tls, xmpp.hosting.example:"},
	} {
		t.Run(name, func(t *testing.T) {
			up := Upstream{TLS: c.tls, RootCAs: pool}
			if c.pool {
				up.RootCAs = hostingPool
			}
			u := newTestGateway(t, up).upstream
			u.names = nameServer(t, &zone{srv: c.srv})
			conn, err := u.connect(t.Context(), netip.AddrPort{})
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			readSafe(t, conn)
		})
	}
}

// TestDomainWithoutRecords is tried at the usual port, and so is one that DNS
// says nothing of.
func TestDomainWithoutRecords(t *testing.T) {
	for name, c := range map[string]struct {
		tls  string
		want target
	}{
		"auto":       {TLSAuto, target{"social.example.", 5222, false}},
		"STARTTLS":   {TLSStart, target{"social.example.", 5222, false}},
		"direct TLS": {TLSDirect, target{"social.example.", 5223, true}},
	} {
		t.Run(name, func(t *testing.T) {
			z := &zone{}
			u := newTestGateway(t, Upstream{TLS: c.tls}).upstream
			u.names = nameServer(t, z)
			list, err := u.targets(t.Context())
			require.NoError(t, err)
			require.Equal(t, targetList{targets: []target{c.want}}, list)

			z.fails.Store(true)
			list, err = u.targets(t.Context())
			require.NoError(t, err)
			require.Equal(t, []target{c.want}, list.targets)
			require.ErrorContains(t, list.doubt, "server misbehaving")
			_, err = u.connect(t.Context(), netip.AddrPort{})
			f := (*fault)(nil)
			require.ErrorAs(t, err, &f)
			require.Equal(t, atLookup, f.step, "DNS is what the admin has to look at")
		})
	}
}

// TestHostsAreNotSoughtUnderOtherDomains: the hosts that DNS names, and the domain
// itself, are asked for with the dot that keeps resolvers from adding the domains
// of this machine; a configured address is asked for as it was typed.
func TestHostsAreNotSoughtUnderOtherDomains(t *testing.T) {
	gone := map[string][]dnsmessage.SRVResource{startName: {{Port: 5222, Target: dnsmessage.MustNewName("gone.hosting.example.")}}}
	for name, c := range map[string]struct {
		srv   map[string][]dnsmessage.SRVResource
		up    Upstream
		asked string
		where string
	}{
		"a record's host":      {gone, Upstream{}, "gone.hosting.example.", "gone.hosting.example:5222"},
		"the domain":           {nil, Upstream{}, "social.example.", "social.example:5222"},
		"a configured address": {gone, Upstream{Address: "xmpp:5222"}, "xmpp", "xmpp:5222"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newTestGateway(t, c.up).upstream
			u.names = nameServer(t, &zone{srv: c.srv})
			_, err := u.connect(t.Context(), netip.AddrPort{})
			lookup, f := (*net.DNSError)(nil), (*fault)(nil)
			require.ErrorAs(t, err, &lookup)
			require.Equal(t, c.asked, lookup.Name)
			require.True(t, lookup.IsNotFound)
			require.ErrorAs(t, err, &f)
			require.Equal(t, c.where, f.where, "people read it without")
		})
	}
}

func TestDomainInItsOwnScriptIsAskedForAsDNSSpellsIt(t *testing.T) {
	cert, pool := certificate(t, "xn--bcher-kva.example")
	g, err := New(Config{Domain: "bücher.example", Upstream: Upstream{RootCAs: pool}, Credentials: nobody{}, Consents: nobody{}})
	require.NoError(t, err)
	g.upstream.names = nameServer(t, &zone{srv: map[string][]dnsmessage.SRVResource{"_xmpps-client._tcp.xn--bcher-kva.example.": {at(0, 0, directServer(t, cert))}}})
	conn, err := g.upstream.connect(t.Context(), netip.AddrPort{})
	require.NoError(t, err)
	readSafe(t, conn)
}

// TestServerOnIPv6Alone, and one whose IPv6 address leads nowhere.
func TestServerOnIPv6Alone(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	l, err := net.Listen("tcp", "[::1]:0")
	require.NoError(t, err, "this machine needs IPv6 on loopback")
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
			if secure.HandshakeContext(t.Context()) == nil {
				_, _ = secure.Write([]byte("safe"))
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	six := portOf(t, l.Addr().String())
	for name, up := range map[string]Upstream{
		"its address":           {Address: l.Addr().String(), TLS: TLSDirect},
		"its name":              {Address: "both.example:" + strconv.Itoa(int(six)), TLS: TLSDirect},
		"its name in a record":  {},
		"IPv4 where IPv6 is no": {Address: "both.example:" + strconv.Itoa(int(directServer(t, cert))), TLS: TLSDirect},
	} {
		t.Run(name, func(t *testing.T) {
			up.RootCAs = pool
			both := dnsmessage.SRVResource{Port: six, Target: dnsmessage.MustNewName("both.example.")}
			u := newTestGateway(t, up).upstream
			u.names = nameServer(t, &zone{
				srv:   map[string][]dnsmessage.SRVResource{directName: {both}},
				hosts: map[string][]string{"both.example.": {"127.0.0.1", "::1"}},
			})
			conn, err := u.connect(t.Context(), netip.AddrPort{})
			require.NoError(t, err)
			readSafe(t, conn)
		})
	}
}

func TestPlainIsForThisMachineWhateverDNSSays(t *testing.T) {
	u := newTestGateway(t, Upstream{Address: "127.0.0.1:5222", TLS: TLSPlain}).upstream
	u.cfg.Address = "elsewhere.example:5222"
	u.names = nameServer(t, &zone{hosts: map[string][]string{"elsewhere.example.": {"192.0.2.1"}}})
	_, err := u.connect(t.Context(), netip.AddrPort{})
	require.ErrorIs(t, err, errNotLoopback)
}

// TestOrderOfRecords: priorities are strict, weights are chances (RFC 2782), and
// both services are one set (XEP-0368 section 2).
func TestOrderOfRecords(t *testing.T) {
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	record := func(host string, priority, weight uint16) *net.SRV {
		return &net.SRV{Target: host + ".", Port: 1, Priority: priority, Weight: weight}
	}
	start := []*net.SRV{record("last", 30, 0), record("heavy", 20, 300), record("none", 20, 0)}
	direct := []*net.SRV{record("light", 20, 100), record("first", 10, 0), record("second", 11, 65535)}
	const rounds = 4000
	wins := map[string]int{}
	for range rounds {
		row := order(start, direct, dice.IntN)
		require.Len(t, row, 6)
		require.Equal(t, []target{{"first.", 1, true}, {"second.", 1, true}}, row[:2])
		require.Equal(t, target{"last.", 1, false}, row[5])
		wins[row[2].host]++
	}
	require.InDelta(t, .75, float64(wins["heavy."])/rounds, .05)
	require.InDelta(t, .25, float64(wins["light."])/rounds, .05)
	require.Less(t, wins["none."], rounds/100, "weight 0 has next to no chance beside others")

	wins = map[string]int{}
	for range rounds {
		wins[order([]*net.SRV{record("a", 0, 0), record("b", 0, 0)}, nil, dice.IntN)[0].host]++
	}
	require.InDelta(t, .5, float64(wins["a."])/rounds, .05, "and the same among its like")
}

// TestSilentAddressLeavesTimeForTheNext: of several places one that swallows
// everything does not take the time of all.
func TestSilentAddressLeavesTimeForTheNext(t *testing.T) {
	cert, pool := certificate(t, "social.example")
	mute := portOf(t, serveOne(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }))
	u := newTestGateway(t, Upstream{RootCAs: pool}).upstream
	u.names = nameServer(t, &zone{srv: map[string][]dnsmessage.SRVResource{directName: {at(1, 0, mute), at(2, 0, directServer(t, cert))}}})
	u.limits.Dial, u.limits.Secure = time.Minute, 3*time.Second // as much as the next one has
	conn, err := u.connect(t.Context(), netip.AddrPort{})
	require.NoError(t, err)
	readSafe(t, conn)
}

// TestWhoLeavesWhileDiallingBlamesNobody: the server is not out of reach because a
// browser was impatient.
func TestWhoLeavesWhileDiallingBlamesNobody(t *testing.T) {
	reached := make(chan struct{})
	once := sync.OnceFunc(func() { close(reached) })
	address := serveOne(t, func(conn net.Conn) { once(); _, _ = io.Copy(io.Discard, conn) })
	u := newTestGateway(t, Upstream{Address: address, TLS: TLSDirect}).upstream
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { <-reached; cancel() })
	_, err := u.connect(ctx, netip.AddrPort{})
	wg.Wait()
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, errors.As(err, new(*fault)))
	require.Nil(t, u.health.fault())
}
