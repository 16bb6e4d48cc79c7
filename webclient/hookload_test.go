package webclient

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// fromAddress is how these tests come from many addresses.
const fromAddress = "X-Test-From"

func loadWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, mastodontest.Options{}, func(c *Config) {
		c.WebhookSecret = []byte(hookSecret)
		c.ClientAddr = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get(fromAddress)) }
	})
	return w
}

// postFrom delivers a body from an address.
func (w *world) postFrom(addr string, body []byte, signature string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url+"/hooks/mastodon", bytes.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set(fromAddress, addr)
	r.Header.Set("X-Hub-Signature", signature)
	res, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(w.t, err)
	return res.StatusCode
}

// trickle sends the beginning of a body that says it has size bytes, and no more.
func (w *world) trickle(addr string, size, sent int) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /hooks/mastodon HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
		fromAddress, addr, size, strings.Repeat(" ", sent))
	require.NoError(w.t, err)
}

// Whoever knows where webhooks go can send there what they like. It must not keep
// Mastodon's from being heard, not even where they share an address.
func TestForgedWebhooksDoNotSuppressOthers(t *testing.T) {
	const stranger, other, mastodon = "203.0.113.7", "2001:db8::1", "198.51.100.2"
	w := loadWorld(t)
	body := []byte(`{"event":"account.created"}`)
	got := map[int]int{}
	for range 1000 {
		got[w.postFrom(stranger, body, "sha256=00")]++
	}
	assert.Equal(t, map[int]int{http.StatusForbidden: forgeriesAtOnce, http.StatusTooManyRequests: 1000 - forgeriesAtOnce}, got)
	assert.Equal(t, forgeriesAtOnce, strings.Count(w.log.String(), "signature does not fit"), "the log is not filled either")
	assert.Equal(t, http.StatusForbidden, w.postFrom(other, body, ""), "each network has its own")

	for range 8 {
		w.trickle(stranger, 100, 1)
		w.trickle(stranger, hookBodyLimit, hookBodySmall+1)
	}
	w.eventually("big bodies trickle", func() bool { return w.s.hookBodies.count() == hookBigBodiesPerAddr })
	large := append(bytes.Repeat([]byte(" "), 2*hookBodySmall), body...)
	assert.Equal(t, http.StatusNoContent, w.postFrom(mastodon, body, sign(body)))
	assert.Equal(t, http.StatusNoContent, w.postFrom(mastodon, large, sign(large)), "there is room for a big one")
	assert.Equal(t, http.StatusNoContent, w.postFrom(stranger, body, sign(body)), "a signature counts from anywhere")
	assert.Equal(t, http.StatusTooManyRequests, w.postFrom(stranger, large, sign(large)), "two of one address")
	for n := range 3 {
		for range 3 {
			w.trickle(fmt.Sprintf("203.0.113.%d", 100+n), hookBodyLimit, hookBodySmall+1)
		}
	}
	w.eventually("no more than that", func() bool { return w.s.hookBodies.count() == hookBigBodies })
	assert.Equal(t, http.StatusTooManyRequests, w.postFrom(mastodon, large, sign(large)), "memory is bounded")
	assert.Equal(t, http.StatusNoContent, w.postFrom(mastodon, body, sign(body)))
}
