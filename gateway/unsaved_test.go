package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// faultyStates is a store that counts its saves, fails as many as it is told to, and has
// them wait while it is held.
type faultyStates struct {
	*resumptions
	entered chan struct{} // a token for each save that waits

	mu    sync.Mutex
	saves int
	fail  int           // how many will fail; negative: all
	gate  chan struct{} // nil: nobody waits
}

func (r *faultyStates) SaveResumption(ctx context.Context, key []byte, account string, state []byte, expires time.Time) error {
	r.mu.Lock()
	gate, fails := r.gate, r.fail != 0
	r.saves++
	if r.fail > 0 {
		r.fail--
	}
	r.mu.Unlock()
	if gate != nil {
		r.entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fails {
		return errors.New("the disk is full")
	}
	return r.resumptions.SaveResumption(ctx, key, account, state, expires)
}

func (r *faultyStates) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saves
}

func (r *faultyStates) failing(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = n
}

// hold has saves wait until release is called.
func (r *faultyStates) hold() (release func()) {
	gate := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = gate
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gate = nil
		close(gate)
	}
}

// arriving is presence of alice's that is not her leaving.
func arriving(e integration.Element) bool {
	return e.Name.Local == "presence" && strings.HasPrefix(e.Attrs["from"], "alice@") && e.Attrs["type"] == ""
}

// newFaultyStack saves what nobody sees as often as every says.
func newFaultyStack(t *testing.T, kind serverKind, every time.Duration) (*stack, *faultyStates) {
	states := &faultyStates{entered: make(chan struct{}, 100)}
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) {
		states.resumptions = c.Resumptions.(*resumptions)
		c.Resumptions, c.Limits.SaveEvery = states, every
	}})
	return s, states
}

// TestRefusedStanzasAreNotSavedOneByOne: what a client can have changed as fast as
// it likes is saved with the next second, or with the end of the stream.
func TestRefusedStanzasAreNotSavedOneByOne(t *testing.T) {
	onEachServer(t, testRefusedStanzasAreNotSavedOneByOne)
}

func testRefusedStanzasAreNotSavedOneByOne(t *testing.T, kind serverKind) {
	s, states := newFaultyStack(t, kind, time.Hour)
	old := s.online("alice", "")
	previd := old.enable()
	require.Equal(t, 1, states.count())
	for i := range 100 {
		old.say(fmt.Sprintf("<iq xmlns='jabber:client' type='nonsense' id='%s%d'/>", strings.Repeat("&lt;", 900), i))
		old.sync()
	}
	require.Equal(t, 1, states.count())
	old.cut()
	s.awaitStreams(0)
	require.Equal(t, 2, states.count())
	s.states.mu.Lock()
	for _, v := range s.states.known {
		require.Contains(t, string(v.state), `\u003c99"`, "the last one")
		require.Less(t, len(v.state), 64<<10)
	}
	s.states.mu.Unlock()

	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
	alice.sync()
}

// TestNobodySeesWhatIsNotSaved holds the save that each step needs which shows
// somebody to others: until it is made, nobody sees the step.
func TestNobodySeesWhatIsNotSaved(t *testing.T) { onEachServer(t, testNobodySeesWhatIsNotSaved) }

func testNobodySeesWhatIsNotSaved(t *testing.T, kind serverKind) {
	for name, steps := range map[string][]string{
		"broadcast": {"<presence xmlns='jabber:client'/>"},
		"directed":  {"<presence xmlns='jabber:client' to='bob@" + domain + "'/>"},
		"unlisted":  {decline, "<presence xmlns='jabber:client'/>"},
	} {
		t.Run(name, func(t *testing.T) {
			s, states := newFaultyStack(t, kind, time.Hour)
			s.contacts("alice", "bob")
			bob := s.observer("bob")
			if name != "unlisted" {
				s.consent("alice", true, false, false)
			}
			alice := s.online("alice", "?consent=walk")
			alice.enable()
			alice.sync()
			s.consent("alice", true, false, false)
			for i, step := range steps {
				release := states.hold()
				alice.say(step)
				<-states.entered
				require.Empty(t, ofAlice(bob.Sync()), "step %d", i)
				release()
				alice.sync()
			}
			bob.Expect("alice", arriving)
		})
	}
}

// TestAStepThatCannotBeSavedEndsTheStream: the state that was saved would let her
// resume as hidden what is shown. Nothing of the step has left.
func TestAStepThatCannotBeSavedEndsTheStream(t *testing.T) {
	onEachServer(t, testAStepThatCannotBeSavedEndsTheStream)
}

func testAStepThatCannotBeSavedEndsTheStream(t *testing.T, kind serverKind) {
	s, states := newFaultyStack(t, kind, time.Millisecond)
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	old := s.online("alice", "?consent=walk")
	previd := old.enable()
	require.Empty(t, traces(tell(old, bob)))
	s.consent("alice", true, false, false)
	states.failing(-1)
	old.say("<presence xmlns='jabber:client' type='unavailable'/>") // this need not be saved
	old.sync()
	old.say(decline)
	condition, code := old.ended()
	require.Equal(t, "internal-server-error", condition)
	require.Equal(t, websocket.StatusInternalError, code)
	s.awaitStreams(0)
	require.Contains(t, s.logs.String(), "state_unsaved")
	states.failing(0)

	s.consents.set("id-alice", [3]bool{}) // where nobody tells this process
	alice := s.connect("?consent=walk")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "failed"))
	for _, e := range bob.Sync() {
		require.False(t, arriving(e), e.XML)
	}
}

// TestASaveIsTriedAgain: one failure ends nothing.
func TestASaveIsTriedAgain(t *testing.T) { onEachServer(t, testASaveIsTriedAgain) }

func testASaveIsTriedAgain(t *testing.T, kind serverKind) {
	s, states := newFaultyStack(t, kind, time.Millisecond)
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	alice := s.online("alice", "")
	alice.enable()
	alice.sync()
	states.failing(1)
	alice.say("<presence xmlns='jabber:client'/>")
	bob.Expect("alice", arriving)
	alice.sync()
}

// TestConsentIsAskedForAtTheResumption: it may have been withdrawn after the login,
// where this process did not hear of it.
func TestConsentIsAskedForAtTheResumption(t *testing.T) {
	onEachServer(t, testConsentIsAskedForAtTheResumption)
}

func testConsentIsAskedForAtTheResumption(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old, previd, bob := s.seen("?consent=walk")
	old.cut()
	s.awaitStreams(0)
	alice := s.connect("?consent=walk")
	alice.login("alice", s.password("alice"))
	s.consents.set("id-alice", [3]bool{})
	require.True(t, alice.resume(old, previd).Is(nsSM, "failed"))
	bob.Expect("alice leaving", leaving)
	alice.bind() // anew, and hidden
	require.Contains(t, alice.full, "<hidden")
	require.Empty(t, traces(tell(alice, bob)))
}
