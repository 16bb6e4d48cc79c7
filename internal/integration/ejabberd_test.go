package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEjabberdCarriesAChatAndItsArchiveOutlivesAStop(t *testing.T) {
	e := StartEjabberd(t, EjabberdConfig{Users: people})
	alice := Connect(t, e, "alice", people["alice"], "a")
	bob := Connect(t, e, "bob", people["bob"], "b")
	require.Equal(t, "bob@social.example/b", bob.JID)
	bob.Say("<presence/>")
	bob.Sync()
	alice.Say("<message to='bob@social.example' type='chat' id='m1'><body>hello &amp; good day</body></message>")
	got := bob.Expect("the message", func(e Element) bool { return e.Attrs["id"] == "m1" })
	require.True(t, got.Has("<body>hello &amp; good day</body>"), got.XML)
	addr := e.Addr()

	e.Stop()
	_, err := bob.Await(t.Context(), func(Element) bool { return false })
	require.ErrorIs(t, err, ErrStreamEnded)
	require.NoError(t, e.Start(t.Context()))
	require.Equal(t, addr, e.Addr())
	bob = Connect(t, e, "bob", people["bob"], "b")
	bob.Say("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
	bob.Expect("the archived message", func(e Element) bool { return e.Has("hello &amp; good day") })
	bob.Expect("the end of the query", func(e Element) bool { return e.IsReply("q") })

	e.Kill()
	require.NoError(t, e.Start(t.Context()), "after a power cut")
	Connect(t, e, "bob", people["bob"], "b")
}

func TestEjabberdHasWhatAGatewayNeeds(t *testing.T) {
	e := StartEjabberd(t, EjabberdConfig{Users: people, Domain: "chat.example"})
	bob := Connect(t, e, "bob", people["bob"], "b")
	own := bob.Query("<iq type='get' id='own' to='bob@chat.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	for _, feature := range []string{"urn:xmpp:mam:2", "http://jabber.org/protocol/pubsub#publish", "category='pubsub'"} {
		assert.True(t, own.Has(feature) || own.Has(strings.ReplaceAll(feature, "'", `"`)), "%s in %s", feature, own.XML)
	}
	host := bob.Query("<iq type='get' id='host' to='chat.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	for _, feature := range []string{"jabber:iq:privacy", "urn:xmpp:carbons:2", "urn:xmpp:blocking"} {
		assert.True(t, host.Has(feature), "%s in %s", feature, host.XML)
	}
	items := bob.Query("<iq type='get' id='items' to='chat.example'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
	assert.True(t, items.Has("conference.chat.example"), items.XML)
	lists := bob.Query("<iq type='get' id='lists'><query xmlns='jabber:iq:privacy'/></iq>")
	assert.Equal(t, "result", lists.Attrs["type"], lists.XML)
	bob.Say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	enabled := bob.Expect("stream management", func(e Element) bool { return e.Name.Space == "urn:xmpp:sm:3" })
	assert.Equal(t, "enabled", enabled.Name.Local)
	assert.Equal(t, "true", enabled.Attrs["resume"])

	answer, err := http.Get(e.APIURL() + "/status")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.True(t, strings.HasPrefix(e.WebSocketURL(), "ws://127.0.0.1:"), e.WebSocketURL())
}

func TestEjabberdKicksOverItsAPI(t *testing.T) {
	e := StartEjabberd(t, EjabberdConfig{Users: people})
	bob := Connect(t, e, "bob", people["bob"], "b")
	status, body := call(t, e, "kick_session", map[string]string{
		"user": "bob", "host": e.Domain(), "resource": "b", "reason": "gone",
	})
	require.Equal(t, http.StatusOK, status, body)
	bob.Expect("the stream's error", func(e Element) bool { return e.Name.Local == "error" && e.Has("gone") })
}

// call asks the HTTP API as somebody on this machine.
func call(t *testing.T, e *Ejabberd, command string, args map[string]string) (status int, body string) {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	answer, err := http.Post(e.APIURL()+"/"+command, "application/json", bytes.NewReader(text))
	require.NoError(t, err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(b)
}

func TestSeveralEjabberdsRunBesideEachOther(t *testing.T) {
	const n = 3
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			e, err := LaunchEjabberd(t.Context(), t.TempDir(), EjabberdConfig{Users: people})
			if !assert.NoError(t, err) {
				return
			}
			defer e.Stop()
			assert.NotContains(t, e.Log(), "nodedown")
		})
	}
	wg.Wait()
}

func TestPausedEjabberdIsSilentAndContinues(t *testing.T) {
	e := StartEjabberd(t, EjabberdConfig{Users: people})
	bob := Connect(t, e, "bob", people["bob"], "b")
	require.NoError(t, e.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := bob.Ask(ctx, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, e.Continue())
	bob.Expect("the late answer", func(e Element) bool { return e.IsReply("p") })
}

func TestEjabberdThatCannotStartSaysWhy(t *testing.T) {
	_, err := LaunchEjabberd(t.Context(), t.TempDir(), EjabberdConfig{Extra: "no_such_option: true"})
	require.ErrorContains(t, err, "did not start")
	require.ErrorContains(t, err, "no_such_option", "what ejabberd said")
}

func TestEjabberdLeavesNothingBehind(t *testing.T) {
	e := StartEjabberd(t, EjabberdConfig{Users: people})
	pid := e.PID()
	require.NotZero(t, pid)
	e.Kill()
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestEjabberdWhosePortIsTakenSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = LaunchEjabberd(t.Context(), t.TempDir(), EjabberdConfig{C2SPort: l.Addr().(*net.TCPAddr).Port})
	require.ErrorIs(t, err, errPortTaken)
}
