package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// TestReadyOnlyWithAnXMPPServer: the node says why it can serve nobody, and is
// ready by itself when the server comes.
func TestReadyOnlyWithAnXMPPServer(t *testing.T) {
	port, err := integration.FreePort()
	require.NoError(t, err)
	path := writeConfig(t, jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"127.0.0.1:5222"`)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "127.0.0.1:5222", address, 1)), 0o600))
	r := startServing(t, path, nil)
	becomes := func(status int) (body string) {
		t.Helper()
		require.Eventually(t, func() bool {
			var got int
			got, body = r.get(r.private, "/readyz")
			return got == status
		}, time.Minute, 20*time.Millisecond)
		return body
	}
	body := becomes(http.StatusServiceUnavailable)
	assert.Contains(t, body, "the XMPP server cannot be used since ")
	assert.Contains(t, body, address+": connect: connection refused. Nothing listens there")
	_, metrics := r.get(r.private, "/metrics")
	assert.Contains(t, metrics, "trunkline_gateway_server_reachable 0")
	assert.Contains(t, metrics, `trunkline_gateway_server_faults_total{step="connect"}`)
	status, _ := r.get(r.private, "/healthz")
	assert.Equal(t, http.StatusOK, status, "there is nothing that a restart would mend")
	status, _ = r.get(r.public, "/panel")
	assert.Equal(t, http.StatusOK, status, "the panel is there, and says so itself")

	integration.StartProsody(t, integration.ProsodyConfig{C2SPort: port, Users: map[string]string{"alice": "secret"}})
	assert.Equal(t, "ready\n", becomes(http.StatusOK))
	_, metrics = r.get(r.private, "/metrics")
	assert.Contains(t, metrics, "trunkline_gateway_server_reachable 1")
	assert.Equal(t, exitOK, r.stop())
	assert.Contains(t, r.text(), "answers again")
}
