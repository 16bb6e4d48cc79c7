package gateway_test

import (
	"encoding/base64"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// TestTraceOnTheWire: at the level trace each frame of a stream is in the log,
// and nothing of what was written in it.
func TestTraceOnTheWire(t *testing.T) {
	log := &lockedBuffer{}
	s, f := wired(t, func(c *gateway.Config) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: gateway.LevelTrace}))
	})
	w := dialWire(t, s.url)
	w.binds(f)
	w.say("<message xmlns='jabber:client' type='chat' to='bob@" + domain + "' id='private-id'><body>private-body</body></message>")
	f.expect("</message>")
	f.say("<message from='bob@" + domain + "/private-place'><body>private-answer</body><subject>private-subject</subject></message>")
	w.element()
	w.say("<message xmlns='jabber:client'><body>private-garbage</body>")
	w.refused(f, "not-well-formed", 1007)
	s.awaitStreams(0)
	text := log.String()
	for _, way := range []string{"from browser", "to server", "from server", "to browser"} {
		require.Contains(t, text, `way="`+way+`"`)
	}
	require.Contains(t, text, "<message xmlns='jabber:client' type='chat' to=(18) id=(10)><body>(12)</body></message>")
	require.Contains(t, text, "<body>(14)</body><subject>(15)</subject>")
	require.Contains(t, text, "mechanism='PLAIN'>(")
	for _, private := range []string{"private", farSecret, base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + farSecret)), "bob"} {
		require.NotContains(t, text, private)
	}
}

// TestEveryEndIsLogged: with the stream's id, the account, the reason.
func TestEveryEndIsLogged(t *testing.T) {
	s, f := wired(t, nil)
	ends := []struct {
		reason string
		end    func(w *wire)
	}{
		{"client_closed", func(w *wire) { w.say(streamClose); f.ended(); w.element(); w.send(closeWith(1000, "")) }},
		{"browser_gone", func(w *wire) { _ = w.conn.Close(); f.ended() }},
		{"bad_frame", func(w *wire) { w.say("<"); w.refused(f, "not-well-formed", 1007) }},
		{"bad_websocket", func(w *wire) { w.send(wsFrame{last: true, opcode: 3}); w.closing(); f.ended() }},
		{"server_error", func(w *wire) {
			f.say("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
			w.refused(f, "conflict", 1000)
		}},
		{"server_lost", func(w *wire) { _ = f.conn.Close(); w.closing() }},
		{"revoked", func(w *wire) {
			s.gateway.CloseAccount("id-alice", "suspended")
			w.refused(f, "not-authorized", 1008)
		}},
	}
	for _, c := range ends {
		w := dialWire(t, s.url)
		w.binds(f)
		c.end(w)
		_ = w.conn.Close()
		s.awaitStreams(0)
	}
	lines := regexp.MustCompile(`msg="gateway: stream ended" conn=(\w+) account=(\S+) reason=(\w+)`).FindAllStringSubmatch(s.logs.String(), -1)
	require.Len(t, lines, len(ends))
	ids := map[string]bool{}
	for i, c := range ends {
		require.Equal(t, "id-alice", lines[i][2])
		require.Equal(t, c.reason, lines[i][3])
		require.Len(t, lines[i][1], 13)
		ids[lines[i][1]] = true
	}
	require.Len(t, ids, len(ends), "each stream has its own id")
	require.Contains(t, s.logs.String(), "detail=suspended")
	for _, c := range ends {
		require.InDelta(t, 1, s.value("trunkline_gateway_streams_ended_total", c.reason), 0)
	}
}

// TestMetricsOnTheWire counts a stream from its beginning to its end.
func TestMetricsOnTheWire(t *testing.T) {
	s, f := wired(t, func(c *gateway.Config) { c.Limits.Stall = time.Hour })
	w := dialWire(t, s.url)
	w.binds(f)
	steps := func() (counts []float64) {
		for _, step := range []string{"connect", "open", "login", "bind"} {
			counts = append(counts, s.value("trunkline_gateway_upstream_seconds", step))
		}
		return counts
	}
	require.Eventually(t, func() bool { return s.value("trunkline_gateway_upstream_seconds", "bind") == 1 }, waitLimit, waitLimit/1000)
	require.Equal(t, []float64{1, 2, 1, 1}, steps(), "the stream is opened twice")
	require.InDelta(t, 1, s.value("trunkline_gateway_streams"), 0)
	require.InDelta(t, 1, s.value("trunkline_gateway_logins_total", "success"), 0)
	read, passed := s.value("trunkline_gateway_bytes_total", "client"), s.value("trunkline_gateway_stanzas_total", "client", "pass")
	m := "<message xmlns='jabber:client' id='1'/>"
	w.say(m)
	f.expect(m)
	require.InDelta(t, read+float64(len(m)), s.value("trunkline_gateway_bytes_total", "client"), 0)
	require.InDelta(t, passed+1, s.value("trunkline_gateway_stanzas_total", "client", "pass"), 0)
	told, received := s.value("trunkline_gateway_stanzas_total", "server", "pass"), s.value("trunkline_gateway_bytes_total", "server")
	f.say("<message id='2'/>")
	w.element()
	require.Greater(t, s.value("trunkline_gateway_bytes_total", "server"), received)
	require.InDelta(t, told+1, s.value("trunkline_gateway_stanzas_total", "server", "pass"), 0)

	// A browser that reads nothing has a queue.
	w.send(control(opPing, "all is read"))
	_, _ = w.receive()
	big := "<message><body>" + strings.Repeat("b", 64<<10) + "</body></message>"
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := io.WriteString(f.conn, big); err != nil {
				return
			}
		}
	}()
	var full readings // of one moment: the queue moves
	require.Eventually(t, func() bool {
		full = s.readings()
		return full.value("trunkline_gateway_queue_bytes") >= 150<<10
	}, 4*waitLimit, waitLimit/1000)
	require.GreaterOrEqual(t, full.value("trunkline_gateway_queue_max_bytes"), float64(150<<10))
	require.LessOrEqual(t, full.value("trunkline_gateway_queue_max_bytes"), float64(256<<10)+1000)
	_ = w.conn.Close()
	_ = f.conn.Close()
	<-done
	s.awaitStreams(0)
	require.Zero(t, s.value("trunkline_gateway_queue_bytes"))

	knock(t, s.url, without("Sec-WebSocket-Protocol")...)
	require.InDelta(t, 1, s.value("trunkline_gateway_refused_total", "subprotocol"), 0)
}
