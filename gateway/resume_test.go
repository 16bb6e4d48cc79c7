package gateway_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// TestThreeCutsInARow compares the counts of XEP-0198 on both sides after the
// policy has replaced stanzas in every way it can, and after each resumption.
func TestThreeCutsInARow(t *testing.T) { onEachServer(t, testThreeCutsInARow) }

func testThreeCutsInARow(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	alice := s.online("alice", "")
	previd := alice.enable()
	for round := range 4 {
		require.Empty(t, traces(tell(alice, bob)), "round %d", round)
		alice.say("<presence xmlns='jabber:client' type='subscribed' to='bob@" + domain + "' id='no'/>") // refused
		refusal := alice.expect("a refusal", func(e *framing.Element) bool { return e.ID() == "no" })
		require.Equal(t, "presence", refusal.Name.Local)
		require.Equal(t, "error", refusal.Type())
		require.Equal(t, strconv.Itoa(alice.sent), alice.handled(), "round %d: what the server counted", round)
		if round == 3 {
			break
		}

		// One message is on its way when the line breaks.
		bob.Say("<message to='" + alice.jid + "' type='chat' id='lost" + strconv.Itoa(round) + "'><body>x</body></message>")
		bob.Sync()
		old := alice
		old.cut()
		alice = s.connect("")
		alice.login("alice", s.password("alice"))
		resumed := alice.resume(old, previd)
		require.True(t, resumed.Is(nsSM, "resumed"), "%s", resumed.Raw)
		require.Equal(t, strconv.Itoa(alice.sent), resumed.Attr("h"), "round %d", round)
		alice.expect("the message that was lost", func(e *framing.Element) bool { return e.ID() == "lost"+strconv.Itoa(round) })
		// The server would end the stream over a count that is too high.
		alice.say("<a xmlns='" + nsSM + "' h='" + strconv.Itoa(alice.got) + "'/>")
	}
	require.Empty(t, traces(bob.Sync()))
}

func TestResumptionWhileTheOldConnectionSeemsAlive(t *testing.T) {
	onEachServer(t, testResumptionWhileTheOldConnectionSeemsAlive)
}

func testResumptionWhileTheOldConnectionSeemsAlive(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old := s.online("alice", "")
	previd := old.enable()
	old.sync()
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
	_, code := old.ended()
	require.Equal(t, websocket.StatusPolicyViolation, code)
	alice.sync()
	require.Equal(t, strconv.Itoa(alice.sent), alice.handled())
	require.Equal(t, 1, s.states.count(), "the old stream's end did not take the state away")
}

func TestUnknownAndForeignSessionsAreNotResumed(t *testing.T) {
	onEachServer(t, testUnknownAndForeignSessionsAreNotResumed)
}

func testUnknownAndForeignSessionsAreNotResumed(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old := s.online("alice", "")
	previd := old.enable()
	old.cut()
	dated := s.connect("")
	dated.login("bob", s.password("bob"))
	dated.say("<resume xmlns='urn:xmpp:sm:2' previd='" + previd + "' h='0'/>")
	require.True(t, dated.next().Is("urn:xmpp:sm:2", "failed"), "the version before is no way around")
	for name, id := range map[string]string{"alice": "made-up", "bob": previd} {
		p := s.connect("")
		p.login(name, s.password(name))
		failed := p.resume(old, id)
		require.True(t, failed.Is(nsSM, "failed"), "%s", failed.Raw)
		require.NotNil(t, failed.Child("*", "item-not-found"))
		p.bind() // on the same stream, as XEP-0198 has it
		p.sync()
	}
}

// seen is a session of alice that can be resumed, and which bob, a contact, has seen.
func (s *stack) seen(query string) (alice *peer, previd string, bob *integration.Client) {
	s.t.Helper()
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob = s.observer("bob")
	alice = s.online("alice", query)
	previd = alice.enable()
	require.Equal(s.t, []string{"presence"}, traces(tell(alice, bob)))
	return alice, previd, bob
}

func TestSessionUnderAWiderConsentIsEndedNotResumed(t *testing.T) {
	onEachServer(t, testSessionUnderAWiderConsentIsEndedNotResumed)
}

func testSessionUnderAWiderConsentIsEndedNotResumed(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old, previd, bob := s.seen("")
	old.cut()
	s.awaitStreams(0)

	s.consent("alice", false, false, false) // ends the session that waits
	bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "failed"))
	require.Zero(t, s.states.count())
}

// TestNarrowerConsentIsNoticedAtTheResumption is the same without anybody
// having told the gateway, as after a restart of its process.
func TestNarrowerConsentIsNoticedAtTheResumption(t *testing.T) {
	onEachServer(t, testNarrowerConsentIsNoticedAtTheResumption)
}

func testNarrowerConsentIsNoticedAtTheResumption(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	old, previd, bob := s.seen("")
	old.cut()
	s.awaitStreams(0)
	s.consents.set("id-alice", [3]bool{})
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "failed"))
	bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
}

func TestStateOutlivesTheGateway(t *testing.T) { onEachServer(t, testStateOutlivesTheGateway) }

func testStateOutlivesTheGateway(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	old := s.online("alice", "")
	previd := old.enable()
	require.Empty(t, traces(tell(old, bob)))
	done := make(chan error, 1)
	go func() { done <- s.gateway.Shutdown(t.Context()) }()
	condition, code := old.ended()
	require.NoError(t, <-done)
	require.Equal(t, "system-shutdown", condition)
	require.Equal(t, websocket.StatusGoingAway, code)
	require.Equal(t, 1, s.states.count())
	for key := range s.states.known {
		require.NotContains(t, key, previd)
	}

	s.startGateway(stackConfig{upstream: s.server.Addr()})
	alice := s.connect("")
	alice.login("alice", s.password("alice"))
	require.True(t, alice.resume(old, previd).Is(nsSM, "resumed"))
	require.Empty(t, traces(tell(alice, bob)))
}

func TestRevocationEndsStreamsAndWaitingSessions(t *testing.T) {
	onEachServer(t, testRevocationEndsStreamsAndWaitingSessions)
}

func testRevocationEndsStreamsAndWaitingSessions(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	cut, live := s.online("alice", ""), s.online("alice", "")
	cut.enable()
	live.enable()
	for _, p := range []*peer{cut, live} {
		require.Contains(t, traces(tell(p, bob)), "presence")
	}
	cut.cut()
	s.awaitStreams(1)

	began := time.Now()
	require.NoError(t, s.tokens.RevokeSession(t.Context(), "session-alice", "signed out"))
	condition, code := live.ended()
	require.Equal(t, "not-authorized", condition)
	require.Equal(t, websocket.StatusPolicyViolation, code)
	left := map[string]bool{}
	for len(left) < 2 {
		e := bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
		left[e.Attrs["from"]] = true
	}
	t.Log("ended after", time.Since(began))
	require.Equal(t, map[string]bool{cut.jid: true, live.jid: true}, left)
	s.awaitStreams(0)
	require.Zero(t, s.states.count())
}

// TestWithdrawalThatMeetsACut takes consent back from a client that would walk,
// and breaks its line before it can.
func TestWithdrawalThatMeetsACut(t *testing.T) { onEachServer(t, testWithdrawalThatMeetsACut) }

func testWithdrawalThatMeetsACut(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	s.contacts("alice", "bob")
	s.consent("alice", true, false, false)
	bob := s.observer("bob")
	alice := s.online("alice", "?consent=walk")
	alice.enable()
	require.Equal(t, []string{"presence"}, traces(tell(alice, bob)))
	s.consent("alice", false, false, false)
	alice.cut()
	bob.Expect("alice leaving", func(e integration.Element) bool { return e.Attrs["type"] == "unavailable" })
	s.awaitStreams(0)
}

func TestRevocationDoesNotWaitForTheServer(t *testing.T) {
	onEachServer(t, testRevocationDoesNotWaitForTheServer)
}

func testRevocationDoesNotWaitForTheServer(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) {
		c.Limits.Goodbye, c.Limits.Stall = time.Hour, time.Hour // who waited for the server would wait on
	}})
	alice := s.online("alice", "")
	alice.sync()
	require.NoError(t, s.server.Pause())
	require.NoError(t, s.tokens.RevokeSession(t.Context(), "session-alice", "signed out"))
	told := alice.expect("the end", func(e *framing.Element) bool { return e.Is(framing.NSStream, "error") })
	require.Equal(t, "not-authorized", told.First().Name.Local)
	require.NoError(t, s.server.Continue())
	alice.ended()
}

func TestRevokedCredentialAndAccount(t *testing.T) { onEachServer(t, testRevokedCredentialAndAccount) }

func testRevokedCredentialAndAccount(t *testing.T, kind serverKind) {
	s := newStack(t, stackConfig{server: kind})
	secret := s.password("alice")
	_, _, credential, ok, err := s.tokens.Lookup(t.Context(), "alice", secret)
	require.NoError(t, err)
	require.True(t, ok)
	first := s.connect("")
	first.login("alice", secret)
	second, other := s.online("alice", ""), s.online("bob", "")
	s.gateway.CloseCredential(credential, "lost")
	condition, _ := first.ended()
	require.Equal(t, "not-authorized", condition)
	second.sync()
	s.gateway.CloseAccount("id-alice", "suspended")
	condition, _ = second.ended()
	require.Equal(t, "not-authorized", condition)
	other.sync()
}
