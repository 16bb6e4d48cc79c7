package gateway_test

import (
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
)

// TestFaultsOfTheServer: what the browsers and the admin are told when the XMPP
// server is stopped, killed or frozen, and that it is found again by itself.
func TestFaultsOfTheServer(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newStack(t, stackConfig{server: kind, ownServer: true, change: func(c *gateway.Config) {
			c.Limits.Answer, c.Limits.AuthTime = 5*time.Second, time.Minute
			c.Limits.ProbeEvery = time.Hour // of a server that is there; one that is not is asked after all the time
		}})
		s.awaitReachable()

		t.Run("stopped", func(t *testing.T) {
			live := s.online("alice", "")
			s.server.Stop()
			condition, code := live.ended()
			if condition != "" { // neither server always gets its last words out before it goes
				require.Equal(t, "system-shutdown", condition, "the server's own words")
				require.Equal(t, websocket.StatusGoingAway, code)
			} else {
				require.Equal(t, websocket.StatusBadGateway, code)
			}
			s.unreachable(t, "Nothing listens there")
			s.recovers(t)
		})
		t.Run("killed", func(t *testing.T) {
			live := s.online("alice", "")
			s.server.Kill()
			condition, code := live.ended()
			require.Empty(t, condition, "nothing that would keep it from resuming")
			require.Equal(t, websocket.StatusBadGateway, code)
			s.unreachable(t, "Nothing listens there")
			s.recovers(t)
		})
		t.Run("frozen", func(t *testing.T) {
			live := s.online("alice", "")
			require.NoError(t, s.server.Pause())
			s.unreachable(t, "takes connections and says nothing")
			require.NoError(t, s.server.Continue())
			s.awaitProblem(t, "")
			s.online("bob", "").sync()
			live.sync() // whoever was there has lost nothing
		})
	})
}

// unreachable expects what several browsers are told at once while the server is
// gone, and what the admin is.
func (s *stack) unreachable(t *testing.T, problem string) {
	t.Helper()
	var wg sync.WaitGroup
	for range 5 {
		p := s.connect("")
		p.say(openTag)
		wg.Go(func() {
			condition, code := p.ended()
			if condition != "remote-connection-failed" || code != websocket.StatusBadGateway {
				t.Errorf("told %q and %v", condition, code)
			}
		})
	}
	wg.Wait()
	found, since := s.gateway.Reachable()
	require.Contains(t, found, problem)
	require.False(t, since.IsZero())
	require.Contains(t, s.logs.String(), "the XMPP server cannot be used")
}

// recovers starts the server again and expects that nobody has to do more.
func (s *stack) recovers(t *testing.T) {
	t.Helper()
	require.NoError(t, s.server.Start(t.Context()))
	s.awaitProblem(t, "")
	require.Contains(t, s.logs.String(), "answers again")
	s.online("bob", "").sync()
}

func (s *stack) awaitProblem(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { p, _ := s.gateway.Reachable(); return p == want }, 4*waitLimit, 5*time.Millisecond)
}
