package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/config"
)

// TestConfiguredLimitsReachTheGateway holds that no key is forgotten: whatever
// is changed in the file changes what the gateway gets.
func TestConfiguredLimitsReachTheGateway(t *testing.T) {
	var cfg config.Config
	section := reflect.ValueOf(&cfg.Limits).Elem()
	for i := range section.NumField() {
		before := limits(&cfg)
		section.Field(i).SetInt(section.Field(i).Int() + 77)
		require.NotEqual(t, before, limits(&cfg), section.Type().Field(i).Name)
	}
	require.Equal(t, -1, limits(&config.Config{}).Stream.Stanzas, "0 in the file is no limit, and not the gateway's default")
	require.Negative(t, limits(&config.Config{}).LoginDelay)
}

// The defaults of the file and of the package are the same.
func TestDefaultLimitsAreTheGateways(t *testing.T) {
	cfg, err := config.Load(writeConfig(t, ""), nil)
	require.NoError(t, err)
	got := limits(cfg)
	require.Equal(t, gateway.Pace{Stanzas: 50, Bytes: 128 << 10}, got.Stream)
	require.Equal(t, gateway.Pace{Stanzas: 100, Bytes: 256 << 10}, got.Account)
	require.Equal(t, gateway.Pace{Stanzas: 1000, Bytes: 4 << 20}, got.Address)
	require.Equal(t, []int{100, 20, 20_000, 20, 2, 10_000}, []int{got.PerAddress, got.PerAccount, got.Streams, got.Handshakes, got.Logins, got.AuthBytes})
	require.Equal(t, 10*time.Second, got.AuthTime)
	require.Equal(t, 262144-stanzaRoom, got.Frame.MaxBytes)
}

// TestSlowLorisAtTheDoor fills the service with requests that never end, a byte
// now and then. It answers others meanwhile, and is rid of them soon.
func TestSlowLorisAtTheDoor(t *testing.T) {
	path := writeConfig(t, jsonLog+"\n[limits]\nstreams_per_address = 2\n")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("[server]\n"), []byte("[server]\nchat_origins = ['https://converse.example.org']\n"), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	r := startServing(t, path, nil)
	var slow []net.Conn
	for range 300 {
		conn, err := net.Dial("tcp", r.public)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /xmpp-websocket HTTP/1.1\r\nHost: a\r\nX-A: ")
		require.NoError(t, err)
		slow = append(slow, conn)
	}
	open := func(origin string) int {
		conn, answer, err := websocket.Dial(t.Context(), "ws://"+r.public+"/xmpp-websocket",
			&websocket.DialOptions{Subprotocols: []string{"xmpp"}, HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil {
			t.Cleanup(func() { _ = conn.CloseNow() })
		}
		require.NotNil(t, answer)
		return answer.StatusCode
	}
	require.Equal(t, http.StatusForbidden, open("https://evil.example"))
	require.Equal(t, http.StatusSwitchingProtocols, open("http://127.0.0.1:8080"))
	require.Equal(t, http.StatusSwitchingProtocols, open("https://converse.example.org"), "chat_origins")
	require.Equal(t, http.StatusTooManyRequests, open("http://127.0.0.1:8080"), "streams_per_address")
	for _, conn := range slow {
		_, err := io.WriteString(conn, "x") // ReadHeaderTimeout is for the whole of the header
		require.NoError(t, err)
	}
	for _, conn := range slow {
		_, err := io.Copy(io.Discard, conn) // until the service hangs up
		if err != nil {
			require.ErrorContains(t, err, "reset")
		}
	}
}

// A request whose header is too large is refused before it is whole.
func TestLargeHeadersAreRefused(t *testing.T) {
	r := startServing(t, writeConfig(t, jsonLog), nil)
	conn, err := net.Dial("tcp", r.public)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /xmpp-websocket HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "+strings.Repeat("192.0.2.1, ", 5000))
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
}
