package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

// quick is for tests that wait for what is heard every two seconds otherwise.
const quick = "trunkline_poll_interval = 0.2\n"

// device is a device password of a person.
type device struct{ id, secret string }

func (s *stack) device(name string) device {
	s.tb.Helper()
	d, secret, err := s.tokens.IssueDevice(s.tb.Context(), "id-"+name, "xmpp", "a phone")
	require.NoError(s.tb, err)
	return device{d.ID, secret}
}

func (s *stack) revoke(name string, d device) {
	s.tb.Helper()
	found, err := s.tokens.RevokeDevice(s.tb.Context(), "id-"+name, d.id, "this password was revoked")
	require.NoError(s.tb, err)
	require.True(s.tb, found)
}

// with connects with this password.
func (s *stack) with(name, secret, resource string) *integration.Client {
	s.tb.Helper()
	return integration.Connect(s.tb, s.prosody, name, secret, resource)
}

// ends waits for the end of the client's stream, and returns the stream error.
func ends(tb testing.TB, c *integration.Client) (condition, text string) {
	tb.Helper()
	e := c.Expect("the end of the stream", func(e integration.Element) bool {
		return e.Name.Local == "error" && e.Name.Space == "http://etherx.jabber.org/streams"
	})
	_, err := c.Next(patience(tb))
	require.ErrorIs(tb, err, integration.ErrStreamEnded)
	return e.Child, e.XML
}

// heard waits until Prosody has heard of everything that was revoked so far.
func (s *stack) heard() {
	s.tb.Helper()
	before := s.front.count("feed")
	require.Eventually(s.tb, func() bool { return s.front.count("feed") >= before+2 },
		integration.RawTimeout, 10*time.Millisecond)
}

// Two phones and a browser: with the password of one end exactly the sessions
// that were opened with it, at Prosody's own pace.
func TestARevokedPasswordEndsItsSessionsAlone(t *testing.T) {
	s := newStack(t, "")
	lost, kept := s.device("alice"), s.device("alice")
	ending := []*integration.Client{s.with("alice", lost.secret, "lost"), s.with("alice", lost.secret, "lost-too")}
	staying := []*integration.Client{
		s.with("alice", kept.secret, "kept"), s.connect("alice"), s.with("bob", s.device("bob").secret, "phone"),
	}
	s.revoke("alice", lost)
	began := time.Now()
	for _, c := range ending {
		condition, text := ends(t, c)
		require.Equal(t, "not-authorized", condition)
		require.Contains(t, text, "this password was revoked")
	}
	t.Logf("ended after %v", time.Since(began))
	for _, c := range staying {
		require.Empty(t, c.Sync(), "who stays notices nothing")
	}
	require.Equal(t, wrong, s.login("alice", lost.secret))
	require.Equal(t, "", s.login("alice", kept.secret))
	require.Contains(t, s.prosody.Log(), "Ended 2 sessions of alice: credential "+lost.id)
}

func TestWhatEndsWithALoginAndWithAnAccount(t *testing.T) {
	s := newStack(t, quick)
	phone := s.device("alice")
	browser, native := s.connect("alice"), s.with("alice", phone.secret, "phone")
	bob := s.connect("bob")
	require.NoError(t, s.tokens.RevokeSession(t.Context(), "session-alice", "you signed out"))
	_, text := ends(t, browser)
	require.Contains(t, text, "you signed out")
	native.Sync()

	// Its person is not told with every entry of the feed; then it is found all the same.
	_, err := s.db.ExecContext(t.Context(),
		`INSERT INTO revocations (kind, subject, reason, at) VALUES ('credential', $1, 'found', 1)`, phone.id)
	require.NoError(t, err)
	_, text = ends(t, native)
	require.Contains(t, text, "found")

	native = s.with("alice", phone.secret, "phone")
	require.NoError(t, s.tokens.EndAccount(t.Context(), "id-alice", "your account is suspended"))
	_, text = ends(t, native)
	require.Contains(t, text, "your account is suspended")
	bob.Sync()
}

// A phone in a tunnel: its session hibernates (XEP-0198), ends when its password
// is revoked, and cannot be resumed, not even with another password.
func TestHibernatingSessionsEnd(t *testing.T) {
	s := newStack(t, quick)
	lost, kept := s.device("alice"), s.device("alice")
	watcher := s.with("alice", kept.secret, "watcher")
	watcher.Say("<presence/>")
	leaves := func(resource string) func(integration.Element) bool {
		return func(e integration.Element) bool {
			return e.Attrs["from"] == "alice@"+domain+"/"+resource && e.Attrs["type"] == "unavailable"
		}
	}
	tunnel := s.with("alice", lost.secret, "tunnel")
	other := s.with("alice", kept.secret, "other")
	previd, otherID := s.manage(tunnel), s.manage(other)
	require.NoError(t, tunnel.Close())
	require.NoError(t, other.Close())
	require.Eventually(t, func() bool {
		return strings.Count(s.prosody.Log(), "Session going into hibernation") == 2
	}, integration.RawTimeout, 10*time.Millisecond)

	s.revoke("alice", lost)
	watcher.Expect("the hibernating session leaving", leaves("tunnel"))
	require.Equal(t, "failed", s.resume("alice", kept.secret, previd).Name.Local)
	require.Equal(t, "resumed", s.resume("alice", kept.secret, otherID).Name.Local, "the other one went on")
}

// manage makes a session one that can be resumed.
func (s *stack) manage(c *integration.Client) (previd string) {
	s.tb.Helper()
	c.Say("<presence/><enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	return c.Expect("enabled", func(e integration.Element) bool { return e.Name.Local == "enabled" }).Attrs["id"]
}

// resume tries to, and returns the answer. The connection ends with the test.
func (s *stack) resume(name, secret, previd string) integration.Element {
	s.tb.Helper()
	return s.resumed(s.open(name, secret), previd)
}

// patience is a context for one step.
func patience(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), integration.RawTimeout)
	tb.Cleanup(cancel)
	return ctx
}

// open logs in and binds nothing.
func (s *stack) open(name, secret string) *integration.Raw {
	s.tb.Helper()
	raw, err := integration.Dial(patience(s.tb), s.prosody.Addr(), domain)
	require.NoError(s.tb, err)
	s.tb.Cleanup(func() { _ = raw.Close() })
	require.NoError(s.tb, raw.Login(patience(s.tb), name, secret))
	return raw
}

func (s *stack) resumed(raw *integration.Raw, previd string) integration.Element {
	s.tb.Helper()
	ctx := patience(s.tb)
	require.NoError(s.tb, raw.Send(ctx, "<resume xmlns='urn:xmpp:sm:3' previd='"+previd+"' h='0'/>"))
	answer, err := raw.Await(ctx, func(e integration.Element) bool {
		return e.Name.Local == "resumed" || e.Name.Local == "failed"
	})
	require.NoError(s.tb, err)
	return answer
}

// Whoever resumes with another password hangs on that one from then on.
func TestAResumedSessionHangsOnItsNewPassword(t *testing.T) {
	s := newStack(t, quick)
	before, after := s.device("alice"), s.device("alice")
	first := s.with("alice", before.secret, "phone")
	previd := s.manage(first)
	require.NoError(t, first.Close())
	raw := s.open("alice", after.secret)
	require.Equal(t, "resumed", s.resumed(raw, previd).Name.Local)
	ping := func() error {
		_, err := raw.Ask(patience(t), "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
		return err
	}
	s.revoke("alice", before)
	s.heard()
	require.NoError(t, ping())
	s.revoke("alice", after)
	_, err := raw.Await(patience(t), func(e integration.Element) bool { return e.Name.Local == "error" && e.Child == "not-authorized" })
	require.NoError(t, err)
}

// Whoever has logged in and waits with the resource does not slip through.
func TestSessionsWithoutAResourceEnd(t *testing.T) {
	s := newStack(t, quick)
	lost, kept := s.device("alice"), s.device("alice")
	ending, staying := s.open("alice", lost.secret), s.open("alice", kept.secret)
	s.revoke("alice", lost)
	_, err := ending.Await(patience(t), func(e integration.Element) bool { return e.Name.Local == "error" })
	require.NoError(t, err)
	require.NoError(t, staying.Bind(patience(t), "late"))
}

// Trunkline is away while something is revoked (by its command line, or by
// another node): it is heard of when Trunkline is back.
func TestRevokedWhileTrunklineIsDown(t *testing.T) {
	s := newStack(t, quick)
	lost, kept := s.device("alice"), s.device("alice")
	ending, staying := s.with("alice", lost.secret, "lost"), s.with("alice", kept.secret, "kept")
	s.front.down()
	require.Eventually(t, func() bool {
		return strings.Contains(s.prosody.Log(), "What was revoked cannot be heard of: no connection")
	},
		integration.RawTimeout, 10*time.Millisecond)
	s.revoke("alice", lost)
	require.Empty(t, ending.Sync(), "nothing can be known")
	s.front.up()
	ends(t, ending)
	staying.Sync()
	require.Equal(t, 1, strings.Count(s.prosody.Log(), "What was revoked cannot be heard of"), "told once")
	require.Contains(t, s.prosody.Log(), "What is revoked is heard of again")
}

// Prosody begins at the present end of the list: what ended before it started is
// neither repeated nor missed.
func TestProsodyRestarted(t *testing.T) {
	s := newStack(t, quick)
	lost, old := s.device("alice"), s.device("alice")
	s.with("alice", lost.secret, "lost")
	require.NoError(t, s.tokens.EndAccount(t.Context(), "id-alice", "for a moment"))
	s.prosody.Stop()
	s.revoke("alice", lost)
	require.NoError(t, s.prosody.Start(t.Context()))
	require.Equal(t, wrong, s.login("alice", lost.secret))
	phone := s.with("alice", old.secret, "phone")
	s.heard()
	require.Empty(t, phone.Sync(), "yesterday's end is not repeated")
	s.revoke("alice", old)
	ends(t, phone)
}

// Prosody was there first: nobody comes in before it knows from where on to
// listen, so that nothing slips in between.
func TestTrunklineComesAfterProsody(t *testing.T) {
	s := newStack(t, "trunkline_poll_interval = 60\n")
	s.prosody.Stop()
	s.front.down()
	require.NoError(t, s.prosody.Start(t.Context()))
	phone := s.device("alice")
	require.Equal(t, temporary, s.login("alice", phone.secret))
	s.front.up()
	polls := s.front.count("feed")
	require.Equal(t, "", s.login("alice", phone.secret))
	require.Equal(t, polls+1, s.front.count("feed"), "asked for the sake of the login")
}

// The password ends while its yes is on the way from Trunkline to Prosody, and
// Prosody hears of the end first.
func TestRevokedWhileTheAnswerIsOnItsWay(t *testing.T) {
	s := newStack(t, quick)
	s.connect("bob")
	phone := s.device("alice")
	feed := make(chan struct{}, 1000)
	s.front.setFault(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/verify" {
			s.front.backend.ServeHTTP(w, r)
			feed <- struct{}{}
			return
		}
		yes := httptest.NewRecorder()
		s.front.backend.ServeHTTP(yes, r)
		s.revoke("alice", phone)
		for len(feed) > 0 {
			<-feed
		}
		for range 3 { // one may have been under way, one tells, and when the next comes that one was followed
			<-feed
		}
		_, _ = w.Write(yes.Body.Bytes())
	})
	raw, err := integration.Dial(patience(t), s.prosody.Addr(), domain)
	require.NoError(t, err)
	defer raw.Close()
	require.Equal(t, temporary, condition(t, raw.Login(patience(t), "alice", phone.secret)))
	s.front.setFault(nil)
	require.Equal(t, wrong, condition(t, raw.Login(patience(t), "alice", phone.secret)))
}

// reloader is a module that reloads ours on demand.
const reloader = `
module:hook("iq-get/host/test:reload:query", function (event)
	require "core.modulemanager".reload(module.host, "auth_trunkline");
	event.origin.send(require "util.stanza".reply(event.stanza));
	return true;
end);`

// plugin is a folder with this module.
func plugin(t *testing.T, name, lua string) []string {
	t.Helper()
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "mod_"+name+".lua"), []byte(lua), 0o600))
	return []string{path}
}

// An admin who reloads the module loses neither the place in the list nor who
// hangs on what.
func TestTheModuleIsReloaded(t *testing.T) {
	s := newStackWith(t, integration.ProsodyConfig{
		PluginPaths: plugin(t, "test_reload", reloader),
		HostExtra:   "trunkline_poll_interval = 60\nmodules_enabled = { \"test_reload\" }",
	})
	lost, early := s.device("alice"), s.device("alice")
	bound, waiting := s.with("alice", lost.secret, "lost"), s.open("alice", early.secret)
	bob := s.connect("bob")
	s.revoke("alice", lost)
	s.revoke("alice", early)
	bob.Sync()
	require.NotContains(t, s.prosody.Log(), "Ended 1 sessions", "not before it is asked")
	bob.Query("<iq type='get' id='r' to='" + domain + "'><query xmlns='test:reload'/></iq>")
	ends(t, bound)
	_, err := waiting.Await(patience(t), func(e integration.Element) bool { return e.Name.Local == "error" })
	require.NoError(t, err)
	bob.Sync()
	require.Equal(t, "", s.login("bob", s.password("bob")))
}

// Whatever the list holds, Prosody goes on; and a Trunkline that has none lets
// people in all the same.
func TestStrangeLists(t *testing.T) {
	s := newStack(t, quick)
	phone := s.device("alice")
	alice := s.with("alice", phone.secret, "phone")
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"seq":"0","ended":[]}`, `{"seq":0}`, `{"seq":0,"ended":{"a":1}}`, `{"seq":0,"ended":[1,null,"x",{}]}`,
		`{"seq":0,"ended":[{"kind":1,"subject":{},"user":[],"reason":null},{"kind":"username","subject":"alice","user":"alice"}]}`,
		`{"seq":0,"ended":[{"kind":"credential","subject":"","user":"alice"},{"kind":"session","subject":"","user":"alice"}]}`,
	} {
		s.front.setFault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/verify" {
				s.front.backend.ServeHTTP(w, r)
				return
			}
			fmt.Fprint(w, body)
		})
		s.heard()
		require.Empty(t, alice.Sync(), body)
	}
	s.front.setFault(nil)
	s.revoke("alice", phone)
	ends(t, alice)

	s.prosody.Stop()
	s.front.setFault(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/verify" {
			s.front.backend.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
	require.NoError(t, s.prosody.Start(t.Context()))
	require.Equal(t, "", s.login("alice", s.password("alice")))
	require.Contains(t, s.prosody.Log(), "this Trunkline does not tell what was revoked; update it")
}

// Trunkline is told where the person is; being throttled is no trouble to log.
func TestAddressAndThrottling(t *testing.T) {
	s := newStack(t, "")
	require.Equal(t, "", s.login("alice", s.password("alice")))
	require.Equal(t, "127.0.0.1", s.front.asking().Address)
	s.front.setFault(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"result": "unknown", "reason": "throttled"})
	})
	require.Equal(t, temporary, s.login("alice", "guess"))
	require.NotContains(t, s.prosody.Log(), "Passwords cannot be checked")
}
