package gateway_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// An address that opens connections faster than it may waits, and is refused
// when that would take too long; another address notices nothing.
func TestHandshakesHaveARate(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) {
		c.Limits.Handshakes, c.Limits.Burst, c.Limits.Patience = 5, time.Second, 300*time.Millisecond
		c.TrustedProxies = loopback
	})
	from := func(address string) func(http.Header) {
		return func(h http.Header) { h["X-Forwarded-For"] = []string{address} }
	}
	began := time.Now()
	var refused, let int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			status := s.status(from("203.0.113.7"))
			mu.Lock()
			defer mu.Unlock()
			switch status {
			case http.StatusSwitchingProtocols:
				let++
			case http.StatusTooManyRequests:
				refused++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 30, let+refused)
	require.GreaterOrEqual(t, let, 5)
	require.LessOrEqual(t, let, 5+2+int(5*time.Since(began).Seconds()))
	require.Equal(t, http.StatusSwitchingProtocols, s.status(from("203.0.113.8")))
}

// tableFull is more addresses than the limiter keeps in the half of its memory
// that it fills at a time.
const tableFull = 1<<14 + 1000

// What the limiter remembers of strangers is bounded, however many there are.
func TestMemoryOfTheLimiterIsBounded(t *testing.T) {
	s, _ := recorded(t, func(c *gateway.Config) { c.TrustedProxies, c.Log = loopback, nil })
	handler := http.Handler(s.gateway)
	visit := func(n int) {
		for i := range n {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/xmpp-websocket", nil)
			require.NoError(t, err)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff))
			handler.ServeHTTP(&nobody{}, r)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	visit(tableFull)
	before := heap()
	visit(3 * tableFull)
	require.Less(t, heap(), before+2<<20, "a visit that left 40 bytes would show")
}

// nobody takes an answer and forgets it.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header {
	if n.header == nil {
		n.header = http.Header{}
	}
	return n.header
}
func (*nobody) Write(p []byte) (int, error) { return len(p), nil }
func (*nobody) WriteHeader(int)             {}
