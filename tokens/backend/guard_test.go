package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// device is a password with the look of ours; home is where alice lives.
const (
	device = "tld-aaaa-bbbb-cccc-dddd-eeee-ffff"
	home   = "203.0.113.7"
)

// issuer is a Verifier to whom only alice's device is known.
type issuer struct{ asked *atomic.Int64 }

func (i issuer) Check(_ context.Context, _, username, secret, _, _ string) (
	ok bool, reason, account, session, credential string, err error) {
	i.asked.Add(1)
	if strings.EqualFold(username, "alice") && secret == device {
		return true, "ok", "1", "", "c1", nil
	}
	return false, "unknown_secret", "", "", "", nil
}

func (issuer) Exists(context.Context, string) (bool, error)  { return true, nil }
func (issuer) Welcome(context.Context, string) (bool, error) { return true, nil }

// site is a Fallback: alice's own password is "hunter2" there.
type site struct {
	mu    sync.Mutex
	tried []string
	err   error
	enter chan struct{} // if set, each check takes one
}

func (s *site) Check(ctx context.Context, username, password string) (ok bool, reason string, err error) {
	s.mu.Lock()
	s.tried = append(s.tried, username+" "+password)
	err, enter := s.err, s.enter
	s.mu.Unlock()
	if enter != nil {
		select {
		case <-enter:
		case <-ctx.Done():
			return false, "", ctx.Err()
		}
	}
	return username == "alice" && password == "hunter2", "wrong_password", err
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tried)
}

// fortress is a Core with both, and what it recorded.
type fortress struct {
	*Core
	t       *testing.T
	issuer  issuer
	site    *site
	reg     *prometheus.Registry
	mu      sync.Mutex
	events  []Event
	address int
}

func (f *fortress) Record(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func newFortress(t *testing.T) *fortress {
	t.Helper()
	f := &fortress{t: t, issuer: issuer{&atomic.Int64{}}, site: &site{}, reg: prometheus.NewRegistry()}
	var err error
	f.Core, err = NewCore(CoreConfig{
		Verifier: f.issuer, Fallback: f.site, Recorder: f, Domain: "social.example", Metrics: f.reg,
	})
	require.NoError(t, err)
	return f
}

// try asks about a password from an address.
func (f *fortress) try(user, secret, address string) Result {
	return f.Auth(f.t.Context(), Question{
		Front: "prosody", Address: address, User: user, Host: "social.example", Secret: secret,
	})
}

// elsewhere is a different network each time.
func (f *fortress) elsewhere() string {
	f.address++
	return fmt.Sprintf("2001:db8:%x:%x::1", f.address>>16, f.address&0xffff)
}

// The attack: a thousand wrong guesses at alice's password from a thousand
// networks, and she logs in at once, with what we issued from anywhere and with
// her own password from where she is known.
func TestAThousandGuessesLockNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer)
		began := time.Now()
		throttled := 0
		for i := range 1000 {
			r := f.try("alice", fmt.Sprint("guess ", i), f.elsewhere())
			require.NotEqual(t, Yes, r.Answer)
			if r.Reason == ReasonThrottled {
				require.Equal(t, Unknown, r.Answer)
				require.Positive(t, r.RetryAfter)
				require.LessOrEqual(t, r.RetryAfter, 30*time.Second)
				throttled++
			}
		}
		require.Zero(t, time.Since(began), "what is not looked at costs nothing")
		require.Equal(t, 1000-5, throttled)
		require.Equal(t, 1+5, f.site.count(), "the rest never reached the check")

		require.Equal(t, Yes, f.try("Alice", device, f.elsewhere()).Answer, "what we issued, from a new place")
		require.Equal(t, Yes, f.try("alice", device, "").Answer, "and from one that the front does not know")
		require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer, "her own password, from a known place")
		require.Equal(t, Yes, f.try("alice", "hunter2", f.elsewhere()).Answer, "her own password, which was right before")
		require.Equal(t, No, f.try("bob", "x", f.elsewhere()).Answer, "bob is not under attack")
		require.Zero(t, time.Since(began))

		events := map[string]int{}
		for _, e := range f.events {
			events[e.Outcome+" "+e.Reason]++
			require.Equal(t, "auth", e.Op)
		}
		require.Equal(t, map[string]int{"yes ok": 2, "yes wrong_password": 3, "no wrong_password": 6, "unknown throttled": 995}, events)
		require.EqualValues(t, 995, testutil.ToFloat64(f.metrics.throttled.WithLabelValues("prosody")))
	})
}

// With all the patience there is, an account gives away one guess in 30 seconds.
func TestPatienceBuysFewGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		const day = 24 * time.Hour
		for began := time.Now(); time.Since(began) < day; {
			if r := f.try("alice", fmt.Sprint("guess ", f.address), f.elsewhere()); r.RetryAfter > 0 {
				<-time.After(r.RetryAfter)
			}
		}
		require.InDelta(t, day/(30*time.Second), f.site.count(), 20)

		<-time.After(40 * time.Minute)
		require.Equal(t, Yes, f.try("alice", "hunter2", f.elsewhere()).Answer, "it is over, and forgotten")
	})
}

// A thousand at once are no more than a thousand in a row.
func TestGuessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		f.site.enter = make(chan struct{})
		var wg sync.WaitGroup
		for i := range 1000 {
			address := f.elsewhere()
			wg.Go(func() { f.try("alice", fmt.Sprint("guess ", i), address) })
		}
		synctest.Wait()
		close(f.site.enter)
		wg.Wait()
		require.Equal(t, 5, f.site.count())
	})
}

// From one network, at many people: the network is throttled, and who is known
// there is let in all the same.
func TestAnAddressThatTriesEverybody(t *testing.T) {
	f := newFortress(t)
	require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer)
	for i := range 1000 {
		f.try(fmt.Sprint("person", i), "123456", home)
	}
	require.Equal(t, 1+21, f.site.count())
	require.Equal(t, ReasonThrottled, f.try("carol", "hers", home).Reason)
	require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer)
	require.Equal(t, No, f.try("carol", "hers", f.elsewhere()).Answer, "another network")

	g := newFortress(t)
	for i := range 1000 {
		g.try(fmt.Sprint("person", i), "123456", fmt.Sprintf("2001:db8::%x", i+1))
	}
	require.Equal(t, 21, g.site.count(), "an IPv6 network counts as one address")
}

// Whoever shares a known network with alice, or had a right password of their
// own, has no more guesses than others.
func TestTrustIsNoLicence(t *testing.T) {
	f := newFortress(t)
	require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer)
	for i := range 1000 {
		f.try("alice", fmt.Sprint("guess ", i), home)
	}
	require.Equal(t, 1+5, f.site.count())
	require.Equal(t, No, f.try("bob", "guess", "::ffff:"+home).Answer, "one person's mistakes do not throttle a household")

	g := newFortress(t)
	for i := range 1000 {
		g.try(fmt.Sprint("person", i), "123456", home)
		g.try("alice", "hunter2", home)
	}
	require.LessOrEqual(t, g.site.count(), 1001+21, "a success in between forgives nobody else's guesses")
}

// An app that keeps trying with an old password does not keep its owner out, and
// nothing can be guessed by saying the same twice.
func TestTheSameWrongPasswordAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		for range 15 {
			require.Equal(t, No, f.try("alice", "old password", f.elsewhere()).Answer)
		}
		require.Equal(t, Yes, f.try("alice", "hunter2", f.elsewhere()).Answer)

		// The site fails at first, so that the first try of each pair is taken back.
		g := newFortress(t)
		for i := range 1000 {
			g.site.err = errors.New("the database is away")
			g.try("alice", fmt.Sprint("guess ", i), g.elsewhere())
			g.site.err = nil
			g.try("alice", fmt.Sprint("guess ", i), g.elsewhere())
		}
		require.LessOrEqual(t, g.site.count(), 12)

		// Two of the same at once, of which the first is taken back.
		h := newFortress(t)
		told := 0
		for i := range 100 {
			first, _ := h.guard.admit("alice", h.elsewhere(), fmt.Sprint("guess ", i))
			if first == nil {
				continue
			}
			second, _ := h.guard.admit("alice", h.elsewhere(), fmt.Sprint("guess ", i))
			first.end(Unknown)
			if second != nil {
				second.end(No)
				told++
			}
		}
		require.Equal(t, 4, told)
	})
}

// A front that does not know addresses, or a gateway on this machine, is no place
// that could be trusted or throttled. There the owner is known by the password
// that was right before.
func TestNoAddressIsNoPlace(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1", "::1", "nonsense", "0.0.0.0"} {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", address).Answer)
		for i := range 100 {
			f.try(fmt.Sprint("person", i), "123456", address)
		}
		require.Equal(t, 101, f.site.count(), address)
		for i := range 100 {
			f.try("alice", fmt.Sprint("guess ", i), address)
		}
		require.Equal(t, 101+5, f.site.count(), address)
		require.Equal(t, ReasonThrottled, f.try("alice", "one guess more", address).Reason)
		require.Equal(t, Yes, f.try("alice", "hunter2", address).Answer)
		require.Equal(t, Yes, f.try("alice", device, address).Answer)
	}
}

// A wrong password of ours is told later and later, the right one never waits,
// and what is held back is bounded.
func TestWrongPasswordsOfOursAreToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		const typo = "tld-aaaa-bbbb-cccc-dddd-eeee-fffg"
		var took []time.Duration
		for range 9 {
			began := time.Now()
			require.Equal(t, No, f.try("alice", typo, home).Answer)
			took = append(took, time.Since(began)/(100*time.Millisecond))
		}
		require.Equal(t, []time.Duration{0, 0, 0, 1, 2, 4, 8, 10, 10}, took, "tenths of a second")

		began := time.Now()
		var wg sync.WaitGroup
		for range 2000 {
			wg.Go(func() { require.NotEqual(t, Yes, f.try("alice", typo, home).Answer) })
		}
		synctest.Wait()
		require.Len(t, f.guard.held, maxHeld)
		require.Equal(t, Yes, f.try("alice", device, home).Answer)
		require.Zero(t, time.Since(began), "at once, in the middle of it")
		wg.Wait()
		require.Equal(t, time.Second, time.Since(began))
		require.Zero(t, f.site.count(), "nobody else is told what looks like ours")
	})
}

// What guesses wait for cannot hold up what we issued, nor who is known.
func TestASlowSiteHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFortress(t)
		require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer)
		f.site.enter = make(chan struct{})
		var wg sync.WaitGroup
		outcomes := make(chan Result, 1000)
		for i := range 1000 {
			address := f.elsewhere()
			wg.Go(func() { outcomes <- f.try(fmt.Sprint("person", i), "123456", address) })
		}
		synctest.Wait()
		require.Len(t, outcomes, 1000-16, "told at once that there is no room")
		began := time.Now()
		require.Equal(t, Yes, f.try("alice", device, f.elsewhere()).Answer)
		require.Zero(t, time.Since(began))
		wg.Go(func() { require.Equal(t, Yes, f.try("alice", "hunter2", home).Answer) })
		synctest.Wait()
		require.Equal(t, 1+2+1, f.site.count(), "two strangers at once, and alice")
		close(f.site.enter)
		wg.Wait()
		require.LessOrEqual(t, time.Since(began), thinkTime)
		synctest.Wait()
	})
}

// However many names and networks are tried, memory stays bounded, and the
// answers right.
func TestMemoryIsBounded(t *testing.T) {
	g := newGuard(time.Now)
	long := strings.Repeat("x", 2000)
	for i := range 3 * maxKeys {
		place := fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)
		if try, _ := g.admit(fmt.Sprint(i, long), place, "guess"); try != nil {
			try.end([]Answer{Yes, No}[i&1])
		}
		g.mistake(fmt.Sprint(i, long), place)
	}
	for name, m := range map[string]*meter{
		"accounts": g.accounts, "addresses": g.addresses, "mistakes": g.mistakes, "known": g.known, "owners": g.owners,
	} {
		require.Len(t, m.keys, maxKeys, name)
		require.Equal(t, maxKeys, m.order.Len(), name)
		for key := range m.keys {
			require.LessOrEqual(t, len(key), 100)
		}
	}
}

// Whatever happens, delays stay within their bounds, and what is taken back
// leaves nothing.
func FuzzMeter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 200, 0, 0, 0, 0, 0, 0, 0, 0, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := newMeter(guessesPerAccount)
		now := time.Unix(1e9, 0)
		for _, s := range steps {
			now = now.Add(time.Duration(s>>2) * time.Second)
			key := string('a' + rune(s&1))
			before := m.wait(key, now)
			undo := m.add(key, now)
			after := m.wait(key, now)
			require.GreaterOrEqual(t, after, before)
			require.LessOrEqual(t, after, m.pace.longest)
			if s&2 != 0 {
				undo()
				require.LessOrEqual(t, m.wait(key, now), after)
			}
			require.GreaterOrEqual(t, m.find(key).failures, 0)
		}
	})
}
