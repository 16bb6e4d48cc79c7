package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

const (
	wrong     = "not-authorized"
	temporary = "temporary-auth-failure"
)

func TestProsodyAcceptsExactlyTheLivePasswords(t *testing.T) {
	s := newStack(t, "")
	require.Equal(t, "", s.login("alice", s.password("alice")))
	require.Equal(t, "", s.login("Alice", s.password("alice")), "names are compared without case")
	require.Equal(t, wrong, s.login("alice", "tlt_"+strings.Repeat("a", 32)))
	require.Equal(t, wrong, s.login("alice", "password"))
	require.Equal(t, wrong, s.login("alice", strings.Repeat("ä\"\\", 250)))
	require.Equal(t, wrong, s.login("alice", s.password("bob")), "another person's")
	require.Equal(t, wrong, s.login("nobody", s.password("bob")))

	used := s.password("alice")
	require.Equal(t, "", s.login("alice", used))
	s.clock.advance(9 * time.Second)
	require.Equal(t, "", s.login("alice", used), "a retry within 10 s")
	s.clock.advance(time.Second)
	require.Equal(t, wrong, s.login("alice", used), "used 10 s ago")

	unused := s.password("alice")
	s.clock.advance(2 * time.Minute)
	require.Equal(t, wrong, s.login("alice", unused), "expired")

	revoked := s.password("alice")
	require.NoError(t, s.tokens.RevokeSession(t.Context(), "session-alice", "signed out"))
	require.Equal(t, wrong, s.login("alice", revoked))

	_, internal, err := s.tokens.IssueInternal(t.Context(), "id-carol")
	require.NoError(t, err)
	require.Equal(t, "", s.login("carol", internal))
	for _, secret := range []string{used, unused, revoked, internal, sharedSecret} {
		require.NotContains(t, s.prosody.Log(), secret)
	}
}

func TestOnlyPlainIsOffered(t *testing.T) {
	s := newStack(t, "")
	raw, err := integration.Dial(t.Context(), s.prosody.Addr(), domain)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.Send(t.Context(), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biws</auth>"))
	answer, err := raw.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "invalid-mechanism", answer.Child)
}

// Whatever is wrong with the verifier, the client hears "try again" and can, on
// the same connection and with the same password.
func TestTroubleIsATemporaryFailure(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, fault := range map[string]http.HandlerFunc{
		"unknown":        answer(200, `{"result":"unknown"}`),
		"wrong secret":   answer(401, `{"error":"wrong shared secret"}`),
		"malformed":      answer(400, `{"error":"?"}`),
		"broken":         answer(500, `{"result":"yes"}`),
		"not JSON":       answer(200, `<html>yes</html>`),
		"another answer": answer(200, `{"result":true}`),
		"no object":      answer(200, `"yes"`),
		"empty":          answer(200, ""),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"result":"yes"}`)
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, "")
			raw, err := integration.Dial(t.Context(), s.prosody.Addr(), domain)
			require.NoError(t, err)
			defer raw.Close()
			password := s.password("alice")
			s.front.setFault(fault)
			for range 2 {
				require.Equal(t, temporary, condition(t, raw.Login(t.Context(), "alice", password)))
			}
			s.front.setFault(nil)
			require.Equal(t, "", condition(t, raw.Login(t.Context(), "alice", password)))
			require.Contains(t, s.prosody.Log(), "Passwords cannot be checked: ")
			require.Contains(t, s.prosody.Log(), "Passwords can be checked again")
		})
	}
}

func TestVerifierThatIsDownIsATemporaryFailure(t *testing.T) {
	s := newStack(t, "")
	password := s.password("alice")
	s.front.down()
	require.Equal(t, temporary, s.login("alice", password))
	require.Equal(t, temporary, s.login("alice", "nonsense"))
	s.front.up()
	require.Equal(t, "", s.login("alice", password))
}

// A verifier that takes the question and never answers holds up nobody but who
// waits for it, and that one for 2 s.
func TestHangingVerifierFreesTheSessionAndBlocksNobodyElse(t *testing.T) {
	s := newStack(t, "")
	bob := s.connect("bob")
	s.front.setFault(hang)

	const logins = 5
	type outcome struct {
		condition string
		took      time.Duration
	}
	outcomes := make(chan outcome, logins)
	password := s.password("alice")
	for range logins {
		raw, err := integration.Dial(t.Context(), s.prosody.Addr(), domain)
		require.NoError(t, err)
		t.Cleanup(func() { raw.Close() })
		go func() {
			began := time.Now()
			err := raw.Login(t.Context(), "alice", password)
			outcomes <- outcome{condition: condition(t, err), took: time.Since(began)}
		}()
	}
	require.Eventually(t, func() bool { return s.front.count("auth") == 1+logins }, time.Minute, time.Millisecond)

	for range 20 {
		bob.Sync()
	}
	require.Empty(t, outcomes, "the pings were answered while the logins waited")

	for range logins {
		o := <-outcomes
		require.Equal(t, temporary, o.condition)
		require.GreaterOrEqual(t, o.took, 2*time.Second)
	}
	s.front.setFault(nil)
	require.Equal(t, "", s.login("alice", password))
}

func TestMessagesToOfflinePeople(t *testing.T) {
	s := newStack(t, "")
	alice := s.connect("alice")
	say := func(to, id string) {
		alice.Say(fmt.Sprintf("<message to='%s@%s' type='chat' id='%s'><body>%s</body></message>", to, domain, id, id))
	}
	bounces := func() (ids []string) {
		for _, e := range alice.Sync() {
			if e.Name.Local == "message" && e.Attrs["type"] == "error" {
				ids = append(ids, e.Attrs["id"])
			}
		}
		return ids
	}

	say("bob", "one")
	say("nobody", "two")
	require.Equal(t, []string{"two"}, bounces(), "somebody who exists and somebody who does not")

	s.front.down()
	say("bob", "three")
	say("carol", "four") // never asked about before
	say("nobody", "five")
	require.Equal(t, []string{"five"}, bounces(), "only who is known not to exist")
	s.front.up()

	for name, want := range map[string][]string{"bob": {"one", "three"}, "carol": {"four"}} {
		person := s.connect(name)
		person.Say("<presence/>")
		for _, id := range want {
			person.Expect(id, func(e integration.Element) bool { return e.Has("<body>" + id + "</body>") })
		}
	}
}

// With the cache expired at once, each message asks: when nobody can tell, the
// last answer counts, for existing and for missing people, and a queue of
// messages does not wait the full time for each.
func TestLastKnownAnswerCountsWhenItCannotBeTold(t *testing.T) {
	s := newStack(t, "trunkline_exists_ttl = 0\ntrunkline_timeout = 0.5")
	alice := s.connect("alice")
	for _, to := range []string{"bob", "nobody"} {
		alice.Say(fmt.Sprintf("<message to='%s@%s' type='chat' id='%s-1'><body>1</body></message>", to, domain, to))
	}
	require.Len(t, errorsIn(alice.Sync()), 1)
	s.front.setFault(hang)
	before := s.front.count("exists")
	for i := range 20 {
		for _, to := range []string{"bob", "nobody"} {
			alice.Say(fmt.Sprintf("<message to='%s@%s' type='chat' id='%s-%d'><body>x</body></message>", to, domain, to, i))
		}
	}
	bounced := errorsIn(alice.Sync())
	require.Len(t, bounced, 20)
	for _, e := range bounced {
		require.Contains(t, e.Attrs["from"], "nobody@")
	}
	require.LessOrEqual(t, s.front.count("exists")-before, 10, "of 40: the others did not wait")
}

func TestExistenceIsAskedOnceInAWhile(t *testing.T) {
	s := newStack(t, "trunkline_exists_ttl = 2")
	alice := s.connect("alice")
	burst := func(to string) {
		for range 10 {
			alice.Say(fmt.Sprintf("<message to='%s@%s' type='chat'><body>x</body></message>", to, domain))
		}
		alice.Sync()
	}
	burst("bob")
	require.Equal(t, 1, s.front.count("exists"), "of an existing person")
	burst("nobody")
	require.Equal(t, 2, s.front.count("exists"), "of a missing person")
	require.Eventually(t, func() bool {
		burst("bob")
		return s.front.count("exists") == 3
	}, 10*time.Second, 100*time.Millisecond, "asked again when the answer is old")

	require.Equal(t, "", s.login("carol", s.password("carol")))
	burst("carol")
	require.Equal(t, 3, s.front.count("exists"), "who has just logged in exists")
}

// Two people who write to the same absent third at the same time share one
// question.
func TestSimultaneousQuestionsAreOne(t *testing.T) {
	s := newStack(t, "")
	people := []*integration.Client{s.connect("alice"), s.connect("bob")}
	release := make(chan struct{})
	s.front.setFault(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, `{"result":"no"}`)
	})
	for _, c := range people {
		c.Say("<message to='absent@" + domain + "' type='chat' id='m'><body>x</body></message>" +
			"<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>")
	}
	require.Eventually(t, func() bool { return s.front.count("exists") > 0 }, time.Minute, time.Millisecond)
	// Prosody has handled both messages when it has answered a later arrival.
	s.connectWithout(t)
	close(release)
	for _, c := range people {
		c.Expect("the bounce", func(e integration.Element) bool { return e.Attrs["id"] == "m" && e.Attrs["type"] == "error" })
		c.Expect("what came after", func(e integration.Element) bool { return e.IsReply("after") })
	}
	require.Equal(t, 1, s.front.count("exists"))
}

// connectWithout opens a stream that asks nothing of the verifier.
func (s *stack) connectWithout(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), integration.RawTimeout)
	defer cancel()
	raw, err := integration.Dial(ctx, s.prosody.Addr(), domain)
	require.NoError(t, err)
	require.NoError(t, raw.Close())
}

func errorsIn(elements []integration.Element) (out []integration.Element) {
	for _, e := range elements {
		if e.Name.Local == "message" && e.Attrs["type"] == "error" {
			out = append(out, e)
		}
	}
	return out
}
