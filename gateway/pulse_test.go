package gateway

import (
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestASilentBrowserIsPingedNowAndThen: a ping that is not answered is not sent
// again each time that the pulse looks.
func TestASilentBrowserIsPingedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{Domain: "social.example", Credentials: nobody{}, Consents: nobody{}})
		require.NoError(t, err)
		near, far := net.Pipe()
		s := g.newStream(httptest.NewRequest("GET", "/", strings.NewReader("")))
		s.browser = newBrowser(newSocket(near), nil)
		s.browser.queue = queue{sock: s.browser.sock, limit: 100, stall: time.Second, start: s.start, failed: func(error) {}}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer near.Close()
		began := time.Now()
		var mu sync.Mutex
		var pings []time.Duration
		wg.Go(func() {
			for ping := make([]byte, 2); ; {
				if _, err := io.ReadFull(far, ping); err != nil {
					return
				}
				mu.Lock()
				pings = append(pings, time.Since(began))
				mu.Unlock()
			}
		})
		l := g.limits
		ticks := time.NewTicker(l.turn())
		defer ticks.Stop()
		for !s.isOver() {
			<-ticks.C
			s.look(l.turn())
			synctest.Wait()
		}
		require.Greater(t, time.Since(began), l.DeadAfter)
		mu.Lock()
		defer mu.Unlock()
		require.NotEmpty(t, pings)
		require.LessOrEqual(t, len(pings), int(l.DeadAfter/l.PingEvery)+1)
		require.LessOrEqual(t, pings[0], l.PingEvery+l.turn())
		for i, at := range pings[1:] {
			require.GreaterOrEqual(t, at-pings[i], l.PingEvery-l.turn())
			require.LessOrEqual(t, at-pings[i], l.PingEvery+l.turn())
		}
	})
}

// TestHalfOpenPeersAreFoundInAMinute holds for the defaults: a look just before
// the silence is long enough is followed by another a turn later.
func TestHalfOpenPeersAreFoundInAMinute(t *testing.T) {
	l := Limits{}.complete()
	require.LessOrEqual(t, l.DeadAfter+l.turn(), time.Minute)
	require.Greater(t, l.DeadAfter, 2*(l.PingEvery+l.turn()), "more than one ping may be lost")
}

// TestPulseLooksAtEachStreamOnceATurn also after others have left.
func TestPulseLooksAtEachStreamOnceATurn(t *testing.T) {
	p := &pulse{}
	streams := make([]*stream, 3*pulseSlots+5)
	for i := range streams {
		streams[i] = &stream{}
		p.add(streams[i])
	}
	for i := 0; i < len(streams); i += 2 {
		p.remove(streams[i])
	}
	seen := map[*stream]int{}
	for slot := range pulseSlots {
		for _, s := range p.of(slot, nil) {
			seen[s]++
		}
	}
	for i, s := range streams {
		require.Equal(t, i%2, seen[s], i)
	}
}
