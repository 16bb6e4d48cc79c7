package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

func accountsOf(n int) (users map[string]string, list []Account) {
	users = map[string]string{}
	for i := range n {
		a := Account{Name: fmt.Sprint("user", i), Password: fmt.Sprint("secret", i), Index: i}
		users[a.Name] = a.Password
		list = append(list, a)
	}
	return users, list
}

func newLoop(t *testing.T) *Loop {
	l, err := New()
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

func TestLoop(t *testing.T) {
	users, accounts := accountsOf(6)
	// An archive gives each message an id that nobody can foresee.
	server := integration.StartProsody(t, integration.ProsodyConfig{Users: users, WebSocket: true, HostExtra: `modules_disabled = { "mam" }`})
	u, err := url.Parse(server.WebSocketURL())
	require.NoError(t, err)
	ways := map[string]Way{
		"TCP":       {Domain: server.Domain(), Addr: netip.MustParseAddrPort(server.Addr())},
		"WebSocket": {Domain: server.Domain(), Addr: netip.MustParseAddrPort(u.Host), Path: u.Path, Origin: "https://chat.example"},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { talk(t, way, accounts) })
	}
	t.Run("a wrong password", func(t *testing.T) {
		_, err := newLoop(t).Login(t.Context(), ways["TCP"], []Account{{Name: "user0", Password: "wrong"}}, 0)
		assert.ErrorContains(t, err, "not-authorized")
	})
	t.Run("a wrong password among right ones, at a rate", func(t *testing.T) {
		l := newLoop(t)
		logins, err := l.Login(t.Context(), ways["WebSocket"], []Account{accounts[0], {Name: "user1", Password: "wrong"}, accounts[2]}, 100)
		require.NoError(t, err)
		assert.Len(t, logins.Took, 2)
		assert.Len(t, logins.Streams, 2)
		require.Len(t, logins.Failed, 1)
		assert.ErrorContains(t, logins.Failed[0], "user1")
		require.NoError(t, l.End(t.Context(), logins.Streams))
	})
	for name, meddle := range meddlers {
		t.Run("a message is "+name, func(t *testing.T) {
			way := ways["TCP"]
			way.Addr = meddler(t, way.Addr.String(), meddle)
			l := newLoop(t)
			logins, err := l.Login(t.Context(), way, accounts, 0)
			require.NoError(t, err)
			_, err = l.Flood(t.Context(), logins.Streams, Flood{UnderWay: 4, Length: time.Minute})
			assert.ErrorIs(t, err, errVerify)
		})
	}
}

// talk is everything once, without anybody between.
func talk(t *testing.T, way Way, accounts []Account) {
	l := newLoop(t)
	logins, err := l.Login(t.Context(), way, accounts, 200)
	require.NoError(t, err)
	require.Len(t, logins.Streams, len(accounts))
	require.Len(t, logins.Took, len(accounts))
	for i, s := range logins.Streams {
		assert.Contains(t, s.JID(), accounts[i].Name+"@"+way.Domain+"/")
	}
	marks := 0
	mark := func() error { marks++; return nil }
	flooded, err := l.Flood(t.Context(), logins.Streams, Flood{UnderWay: 4, Length: 200 * time.Millisecond, Mark: mark})
	require.NoError(t, err)
	assert.Positive(t, flooded.Messages)
	assert.GreaterOrEqual(t, flooded.Took, 200*time.Millisecond)
	assert.Equal(t, 2, marks)
	took, err := l.RoundTrips(t.Context(), logins.Streams, Trips{Rate: 100, Warm: 100 * time.Millisecond, Length: 200 * time.Millisecond, Mark: mark})
	require.NoError(t, err)
	assert.Len(t, took, 20)
	for _, d := range took {
		assert.Positive(t, d)
	}
	assert.Equal(t, 4, marks)
	require.NoError(t, l.Rest(t.Context(), 50*time.Millisecond))
	require.NoError(t, l.End(t.Context(), logins.Streams))
	assert.Empty(t, l.streams)
}

// meddlers do to the messages of a connection what no measurement may overlook.
var meddlers = map[string]func(earlier, item []byte) []byte{
	"lost":    func(_, _ []byte) []byte { return nil },
	"doubled": func(_, item []byte) []byte { return append(bytes.Clone(item), item...) },
	"late":    func(earlier, _ []byte) []byte { return earlier },
	"changed": func(_, item []byte) []byte { return bytes.Replace(item, []byte("frighted"), []byte("frightel"), 1) },
}

// meddler is a TCP proxy that has each tenth message of a connection meddled with.
func meddler(t *testing.T, to string, meddle func(earlier, item []byte) []byte) netip.AddrPort {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(server, client)
				server.Close()
			})
			wg.Go(func() {
				defer client.Close()
				between(client, server, meddle)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait() // the loop is closed before, and with it the connections
	})
	return netip.MustParseAddrPort(listener.Addr().String())
}

func between(client io.Writer, server io.Reader, meddle func(earlier, item []byte) []byte) {
	buf, held, messages, earlier := make([]byte, 4096), []byte(nil), 0, []byte(nil)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		held = append(held, buf[:n]...)
		for {
			n, err := NextItem(held)
			if err != nil || n == 0 {
				break
			}
			item := bytes.Clone(held[:n])
			held = held[n:]
			if isMessage(item) {
				if messages++; messages%10 == 0 {
					earlier, item = item, meddle(earlier, item)
				} else {
					earlier = item
				}
			}
			if _, err := client.Write(item); err != nil {
				return
			}
		}
	}
}

// TestLoginsThatHang: a server that leaves connections without an answer.
func TestLoginsThatHang(t *testing.T) {
	users, accounts := accountsOf(3)
	server := integration.StartProsody(t, integration.ProsodyConfig{Users: users})
	for name, tc := range map[string]struct {
		mute, hung int // of the first connections
		rate       float64
		err        error
	}{
		"some, and they are begun again": {mute: 2, hung: 2},
		"too many":                       {mute: 100, hung: mostHung + 1, err: errHung},
		"at a rate, where it counts":     {mute: 2, hung: 2, rate: 100},
	} {
		t.Run(name, func(t *testing.T) {
			way := Way{Domain: server.Domain(), Addr: muteBefore(t, server.Addr(), tc.mute)}
			l := newLoop(t)
			l.hungAfter = 2 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // or the test would hang with them
			defer cancel()
			logins, err := l.Login(ctx, way, accounts, tc.rate)
			require.ErrorIs(t, err, tc.err)
			if err != nil {
				return
			}
			assert.GreaterOrEqual(t, logins.Hung, tc.hung, "a busy server may let more wait")
			assert.Len(t, logins.Streams, len(accounts)-len(logins.Failed))
			if tc.rate > 0 {
				assert.Len(t, logins.Failed, logins.Hung)
			} else {
				for i, s := range logins.Streams {
					assert.Equal(t, accounts[i].Name, s.account.Name, "each in its place")
				}
			}
			require.NoError(t, l.End(t.Context(), logins.Streams))
		})
	}
}

// muteBefore is a relay that takes so many connections and says nothing on them.
func muteBefore(t *testing.T, addr string, mute int) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				if i < mute {
					_, _ = io.Copy(io.Discard, conn)
					return
				}
				server, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer server.Close()
				wg.Go(func() { _, _ = io.Copy(server, conn); _ = server.(*net.TCPConn).CloseWrite() })
				_, _ = io.Copy(conn, server)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return netip.MustParseAddrPort(l.Addr().String())
}
