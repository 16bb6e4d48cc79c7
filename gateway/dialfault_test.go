package gateway

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

const patience = 30 * time.Second

// told is what a browser is told after its <open/>: the stream error and the
// close code, or "features" if all is well.
func told(t *testing.T, g *Gateway) (condition string, code websocket.StatusCode) {
	t.Helper()
	server := httptest.NewServer(g)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), &websocket.DialOptions{Subprotocols: []string{"xmpp"}})
	require.NoError(t, err)
	defer ws.CloseNow()
	require.NoError(t, ws.Write(ctx, websocket.MessageText, framing.AppendOpen(nil, framing.Header{To: g.cfg.Domain, Version: "1.0"})))
	for {
		_, frame, err := ws.Read(ctx)
		if err != nil {
			return condition, websocket.CloseStatus(err)
		}
		e, err := framing.ParseFrame(frame, framing.ServerLimits)
		require.NoError(t, err)
		switch {
		case e.Is(framing.NSStream, "features"):
			return "features", 0
		case e.Is(framing.NSStream, "error"):
			condition = e.First().Name.Local
		case framing.IsClose(e):
			_ = ws.Write(ctx, websocket.MessageText, framing.AppendClose(nil, "")) // as a polite client
		}
	}
}

const secureConfig = `
hosts: [example.org]
loglevel: info
log_rotate_count: 0
acme: {auto: false}
certfiles: [/etc/ejabberd/ejabberd.pem]
auth_method: mnesia
listen:
  - port: 5224
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
    starttls_required: true
  - port: 5223
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    backlog: 100
    tls: true
modules: {mod_privacy: {}, mod_disco: {}}
`

// TestNamesAndCertificatesOfARealServer: each fault is told to browsers and to the
// admin, and passes by itself when its cause does.
func TestNamesAndCertificatesOfARealServer(t *testing.T) {
	e := integration.StartEjabberd(t, integration.EjabberdConfig{Domain: "social.example", Config: secureConfig})
	roots, err := e.Roots()
	require.NoError(t, err)
	var ahead atomic.Int64 // of the clock by which certificates are judged
	z := &zone{srv: map[string][]dnsmessage.SRVResource{directName: {at(0, 0, portOf(t, e.TLSAddr()))}}}
	names := nameServer(t, z)
	configured := func(up Upstream) *Gateway {
		up.RootCAs = roots
		g, err := New(Config{Domain: "social.example", Upstream: up, Credentials: nobody{}, Consents: nobody{}})
		require.NoError(t, err)
		g.upstream.names = names
		g.upstream.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = g.Run(ctx) })
		t.Cleanup(func() { _ = g.Shutdown(context.Background()); cancel(); wg.Wait() })
		return g
	}
	g := configured(Upstream{})
	for name, c := range map[string]struct {
		breaks, mends func()
		problem       string
	}{
		"DNS is gone": {func() { z.fails.Store(true) }, func() { z.fails.Store(false) }, "DNS does not answer"},
		"the certificate has expired": {func() { ahead.Store(int64(48 * time.Hour)) }, func() { ahead.Store(0) },
			"The certificate for social.example counts from "},
	} {
		t.Run(name, func(t *testing.T) {
			condition, _ := told(t, g)
			require.Equal(t, "features", condition)
			c.breaks()
			condition, code := told(t, g)
			require.Equal(t, "remote-connection-failed", condition)
			require.Equal(t, websocket.StatusBadGateway, code)
			problem, since := g.Reachable()
			require.Contains(t, problem, c.problem)
			require.False(t, since.IsZero())
			c.mends()
			require.Eventually(t, func() bool { p, _ := g.Reachable(); return p == "" }, patience, 5*time.Millisecond)
		})
	}
	for name, c := range map[string]struct {
		up      Upstream
		problem string
	}{
		"no login without TLS":         {Upstream{Address: e.Addr(), TLS: TLSPlain}, "Let the XMPP server offer PLAIN"},
		"TLS where STARTTLS is spoken": {Upstream{Address: e.Addr(), TLS: TLSDirect}, "does not speak TLS from the first byte"},
		"a name that is not there":     {Upstream{Address: "nowhere.example:5222"}, "There is no such name in DNS"},
	} {
		t.Run(name, func(t *testing.T) {
			g := configured(c.up)
			condition, code := told(t, g)
			require.Equal(t, "remote-connection-failed", condition)
			require.Equal(t, websocket.StatusBadGateway, code)
			problem, _ := g.Reachable()
			require.Contains(t, problem, c.problem)
		})
	}
}

// TestAdviceForEveryStep: whatever fails, the admin reads what to do, and no step
// has none.
func TestAdviceForEveryStep(t *testing.T) {
	for _, s := range []step{atLookup, atConnect, atProxy, atStartTLS, atTLS, atAnswer, atLogin} {
		for _, err := range []error{errTimeout, errNoStartTLS, &streamErrored{"host-unknown"}, &streamErrored{"internal-server-error"}, net.ErrClosed} {
			f := newFault(s, "127.0.0.1:5222", err)
			require.Greater(t, len(f.advice("social.example")), 20, "%s: %v", s, err)
			require.Contains(t, f.problem("social.example"), "127.0.0.1:5222")
		}
	}
}

// TestOnlySoManyConnectionsAreMadeAtATime: all get through, a few at a time.
func TestOnlySoManyConnectionsAreMadeAtATime(t *testing.T) {
	const atATime, all = 4, 40
	cert, pool := certificate(t, "social.example")
	var now, most atomic.Int32
	var wg sync.WaitGroup
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	full := make(chan struct{})
	fill := sync.OnceFunc(func() { close(full) })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if n == atATime {
					fill() // from now on the handshakes go on
				}
				<-full
				now.Add(-1)
				_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).HandshakeContext(t.Context())
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	u := newTestGateway(t, Upstream{Address: l.Addr().String(), TLS: TLSDirect, RootCAs: pool}).upstream
	u.limits.Dial, u.limits.Secure, u.slots = patience, patience, make(chan struct{}, atATime)
	var dials sync.WaitGroup
	for range all {
		dials.Go(func() {
			conn, err := u.connect(t.Context(), netip.AddrPort{})
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	dials.Wait()
	require.LessOrEqual(t, most.Load(), int32(atATime))
}

// TestBusyIsSaidBeforeAnybodyWaitsForever: whoever does not get a turn is told to
// come again later.
func TestBusyIsSaidBeforeAnybodyWaitsForever(t *testing.T) {
	g := newTestGateway(t, Upstream{Address: "127.0.0.1:1", TLS: TLSPlain})
	g.upstream.limits.Dial, g.upstream.slots = 50*time.Millisecond, make(chan struct{}) // no slot, ever
	condition, code := told(t, g)
	require.Equal(t, "resource-constraint", condition)
	require.Equal(t, websocket.StatusTryAgainLater, code)
	require.Nil(t, g.upstream.health.fault(), "the server is not to blame")
	require.NoError(t, g.Shutdown(t.Context()))
}

// TestServerThatIsGoneIsAskedByOne: a thousand browsers that come back do not
// make a thousand connections to a server that does not answer.
func TestServerThatIsGoneIsAskedByOne(t *testing.T) {
	const crowd = 100
	var asked atomic.Int32
	held := make(chan struct{})
	address := serveOne(t, func(net.Conn) { asked.Add(1); <-held })
	u := newTestGateway(t, Upstream{Address: address, TLS: TLSDirect}).upstream
	u.limits.Dial, u.limits.Secure = patience, patience
	u.note(newFault(atAnswer, address, errTimeout)) // as the first of them found it
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			if _, err := u.connect(t.Context(), netip.AddrPort{}); err == nil {
				t.Error("there is no server")
			}
		})
	}
	waits := func() bool { return waiting("(*upstream).askOnce", "(*upstream).probe") == crowd-1 }
	require.Eventually(t, waits, patience, 5*time.Millisecond)
	close(held)
	all.Wait()
	require.EqualValues(t, 1, asked.Load())
}

// waiting is how many goroutines wait in a select of this function, and not for
// the other that it calls.
func waiting(in, not string) (n int) {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for one := range strings.SplitSeq(string(stacks), "\n\n") {
		head, calls, _ := strings.Cut(one, "\n")
		if strings.Contains(head, "[select") && strings.Contains(calls, in+"(") && !strings.Contains(calls, not+"(") {
			n++
		}
	}
	return n
}

// TestOldGreetingProvesNothing: a server that answers on a connection of before is
// not therefore found by those who come now.
func TestOldGreetingProvesNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	g, err := New(Config{Domain: "social.example", Upstream: Upstream{Address: "127.0.0.1:1"}, Credentials: nobody{}, Consents: nobody{},
		Now: func() time.Time { return now }})
	require.NoError(t, err)
	before := g.upstream.health.count()
	g.upstream.note(newFault(atLookup, "social.example", errTimeout))
	g.upstream.greeted(before)
	problem, since := g.Reachable()
	require.NotEmpty(t, problem)
	require.Equal(t, now, since)
	g.upstream.greeted(g.upstream.health.count())
	problem, _ = g.Reachable()
	require.Empty(t, problem)
}

// TestCrowdIsHandedOnAsTheServerTakesIt: a slot is kept until the server has
// greeted, and given back however the stream ends.
func TestCrowdIsHandedOnAsTheServerTakesIt(t *testing.T) {
	const atATime, all = 3, 12
	var now, most atomic.Int32
	var wg sync.WaitGroup
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	full := make(chan struct{})
	fill := sync.OnceFunc(func() { close(full) })
	wg.Go(func() {
		for i := 0; ; i++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if n == atATime {
					fill()
				}
				<-full
				now.Add(-1)
				if i%3 == 2 {
					return // without a word
				}
				_, _ = conn.Write([]byte(greeting + "<stream:features><mechanisms xmlns='" + nsSASL +
					"'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"))
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	g, err := New(Config{
		Domain: "social.example", Upstream: Upstream{Address: l.Addr().String(), TLS: TLSPlain}, Credentials: nobody{}, Consents: nobody{},
		Limits: Limits{Dials: atATime, Handshakes: -1, Dial: patience, Answer: patience, AuthTime: patience},
	})
	require.NoError(t, err)
	var browsers sync.WaitGroup
	for range all {
		browsers.Go(func() { told(t, g) })
	}
	browsers.Wait()
	require.LessOrEqual(t, most.Load(), int32(atATime+1), "and one probe, once some were let down")
	require.Eventually(t, func() bool { return len(g.upstream.slots) == 0 && g.Streams() == 0 }, patience, 5*time.Millisecond)
	require.NoError(t, g.Shutdown(t.Context()))
}
