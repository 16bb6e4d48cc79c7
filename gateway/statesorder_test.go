package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// slowStates is a store whose next save, from hold on, waits for release.
type slowStates struct {
	*resumptions
	held             atomic.Bool
	entered, release chan struct{}
}

func (r *slowStates) SaveResumption(ctx context.Context, key []byte, account string, state []byte, expires time.Time) error {
	if r.held.CompareAndSwap(true, false) {
		close(r.entered)
		select {
		case <-r.release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return r.resumptions.SaveResumption(ctx, key, account, state, expires)
}

// TestAClosedSessionStaysForgotten: a save that is under way when the session is
// closed does not bring its state back.
func TestAClosedSessionStaysForgotten(t *testing.T) {
	onEachServer(t, testAClosedSessionStaysForgotten)
}

func testAClosedSessionStaysForgotten(t *testing.T, kind serverKind) {
	slow := &slowStates{entered: make(chan struct{}), release: make(chan struct{})}
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) {
		slow.resumptions = c.Resumptions.(*resumptions)
		c.Resumptions = slow
	}})
	other := s.online("bob", "")
	alice := s.online("alice", "")
	alice.enable()
	require.Eventually(t, func() bool { return s.states.count() == 1 }, waitLimit, time.Millisecond)
	alice.say("<presence xmlns='jabber:client'/>") // saved before it goes on
	alice.sync()
	slow.held.Store(true)
	alice.say("<presence xmlns='jabber:client' type='unavailable'/>") // saved meanwhile
	<-slow.entered
	alice.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	alice.expect("<close/>", framing.IsClose)
	other.sync() // time for a deletion that does not wait for the save
	close(slow.release)
	alice.ended()
	s.awaitStreams(1) // all that belonged to the stream has ended
	require.Zero(t, s.states.count(), "states left of a closed session")
}
