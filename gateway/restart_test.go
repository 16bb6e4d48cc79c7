package gateway_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// restart is the end of one process and the start of another. between happens
// while none runs.
func (s *stack) restart(p *peer, between func()) {
	s.t.Helper()
	s.stop()
	told := make(chan struct{})
	go func() { p.ended(); close(told) }()
	defer func() { <-told }()
	ctx, cancel := context.WithTimeout(s.t.Context(), waitLimit)
	defer cancel()
	require.NoError(s.t, s.gateway.Shutdown(ctx))
	between()
	s.startGateway(stackConfig{upstream: s.server.Addr()})
}

func leaving(e integration.Element) bool {
	return e.Name.Local == "presence" && e.Attrs["type"] == "unavailable"
}

// TestWaitingSessionsAreKnownAfterARestart ends sessions that another process
// left behind, for every reason there is.
func TestWaitingSessionsAreKnownAfterARestart(t *testing.T) {
	onEachServer(t, testWaitingSessionsAreKnownAfterARestart)
}

func testWaitingSessionsAreKnownAfterARestart(t *testing.T, kind serverKind) {
	none := func(*stack) {}
	withdraw := func(s *stack) { s.consents.set("id-alice", [3]bool{}) }
	revoke := func(s *stack) {
		require.NoError(s.t, s.tokens.RevokeSession(s.t.Context(), "session-alice", "signed out"))
	}
	for name, c := range map[string]struct {
		crash          bool // the state is what a live stream had saved
		between, after func(*stack)
	}{
		"consent withdrawn meanwhile":            {between: withdraw, after: none},
		"consent withdrawn afterwards":           {between: none, after: func(s *stack) { s.consent("alice", false, false, false) }},
		"signed out afterwards":                  {between: none, after: revoke},
		"account closed afterwards":              {between: none, after: func(s *stack) { s.gateway.CloseAccount("id-alice", "suspended") }},
		"consent withdrawn while it had crashed": {crash: true, between: withdraw, after: none},
		"signed out after a crash":               {crash: true, between: none, after: revoke},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, stackConfig{server: kind})
			s.contacts("alice", "bob")
			s.consent("alice", true, false, false)
			bob := s.observer("bob")
			alice := s.online("alice", "?consent=walk")
			alice.enable()
			require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))
			s.states.mu.Lock()
			live := maps.Clone(s.states.known)
			s.states.mu.Unlock()
			s.restart(alice, func() {
				if c.crash {
					s.states.mu.Lock()
					s.states.known = live
					s.states.mu.Unlock()
				}
				c.between(s)
			})
			c.after(s)
			bob.Expect("alice leaving", leaving)
			require.Eventually(t, func() bool { return s.states.count() == 0 }, waitLimit, 5*time.Millisecond)
		})
	}
}

// TestRestartLeavesAloneWhoMayWait: a session that shows no more than it may is
// resumed after a restart, also when its state is that of a live stream.
func TestRestartLeavesAloneWhoMayWait(t *testing.T) {
	onEachServer(t, testRestartLeavesAloneWhoMayWait)
}

func testRestartLeavesAloneWhoMayWait(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old, previd, bob := s.seen("?consent=walk")
	s.restart(old, func() {})
	s.consent("alice", true, true, false)
	alice := s.connect("?consent=walk")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
	require.Empty(t, traces(bob.Sync()))
	alice.sync()
}

// TestEndingASessionIsTriedAgain: one failure is no reason to leave somebody
// visible.
func TestEndingASessionIsTriedAgain(t *testing.T) { onEachServer(t, testEndingASessionIsTriedAgain) }

func testEndingASessionIsTriedAgain(t *testing.T, kind serverKind) {
	issuer := &flaky{}
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) { issuer.Issuer, c.Issuer = c.Issuer, issuer }})
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	alice := s.online("alice", "")
	alice.enable()
	require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))
	alice.cut()
	s.awaitStreams(0)
	s.consent("alice", false, false, false)
	bob.Expect("alice leaving", leaving)
	require.Greater(t, issuer.calls.Load(), int32(1))
}

// flaky fails once.
type flaky struct {
	gateway.Issuer
	calls atomic.Int32
}

func (f *flaky) IssueInternal(ctx context.Context, account string) (username, secret string, err error) {
	if f.calls.Add(1) == 1 {
		return "", "", errors.New("not now")
	}
	return f.Issuer.IssueInternal(ctx, account)
}
