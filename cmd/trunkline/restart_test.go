package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// TestRestartOfAProcess is TestRollingRestart in small, with the program as it is
// installed, before an ejabberd with contrib's file: it gets SIGTERM while pairs
// of people talk, ends, and is started again. Every session is resumed, and every
// message arrives once and in its order.
func TestRestartOfAProcess(t *testing.T) {
	const pairs, restarts = 10, 2
	// What stands before the process keeps its addresses.
	public, private := &balancer{}, &balancer{}
	s := &ejStack{t: t, addr: private.start(t)}
	ej := integration.StartEjabberd(t, integration.EjabberdConfig{
		Domain: ejDomain, Config: s.config(), Users: map[string]string{kickUser: kickPass},
	})
	path := writeConfig(t, fmt.Sprintf("extauth_secret = %q\n", ejSecret)+jsonLog)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("127.0.0.1:5222"), []byte(ej.Addr()), 1)
	text = bytes.Replace(text, []byte("[server]\n"), []byte("[server]\ndrain_time = \"2m\"\n"), 1)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)
	begin := func() *running {
		r := startProgram(t, path)
		public.set(r.public)
		private.set(r.private)
		return r
	}
	process := begin()
	rovers := rove(t, cfg, "ws://"+public.start(t)+"/xmpp-websocket", pairs)
	state := func() string { return fmt.Sprintf("%+v; away: %v", tally(t, rovers), away(rovers)) }
	talk := func() {
		sent := tally(t, rovers).sent
		eventually(t, state, func() bool { return tally(t, rovers).sent > sent+2*pairs })
	}
	talk()
	for range restarts {
		before := tally(t, rovers).resumed
		require.Equal(t, exitOK, process.stop(), "SIGTERM is obeyed")
		assert.NotContains(t, process.text(), "not everything ended in time", "all had the time that they need")
		assert.NotContains(t, process.text(), "panic")
		process = begin()
		eventually(t, state, func() bool {
			return tally(t, rovers).resumed >= before+2*pairs && streams(process) == 2*pairs
		})
		talk()
	}
	for _, r := range rovers {
		r.rest()
	}
	eventually(t, state, func() bool { done := tally(t, rovers); return done.sent == done.seen })
	assert.Positive(t, tally(t, rovers).sent)
}
