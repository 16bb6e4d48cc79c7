package kick

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trunkline-chat/trunkline/internal/integration"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	user     = "trunkline@localhost"
	password = "the-password-for-kicks"
	reason   = "Your password was revoked."
)

// server is an ejabberd with the configuration of contrib/ejabberd, but for the
// passwords, which it knows itself.
func server(t *testing.T) *integration.Ejabberd {
	t.Helper()
	text, err := os.ReadFile("../../contrib/ejabberd/ejabberd.yml")
	require.NoError(t, err)
	own := strings.Replace(string(text), "auth_method: external", "auth_method: mnesia", 1)
	require.NotEqual(t, string(text), own)
	return integration.StartEjabberd(t, integration.EjabberdConfig{
		Config: own, Users: map[string]string{user: password, "alice": "pw", "bob": "pw"},
	})
}

func kicker(t *testing.T, e *integration.Ejabberd, change func(*Config)) *Kicker {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{URL: e.APIURL(), User: user, Password: password, Domain: e.Domain(), HTTP: &http.Client{Transport: transport}}
	if change != nil {
		change(&c)
	}
	k, err := New(c)
	require.NoError(t, err)
	return k
}

func ended(e integration.Element) bool { return e.Name.Local == "error" && e.Has(reason) }

func TestKickEndsAllSessionsButThoseToSpare(t *testing.T) {
	e := server(t)
	k := kicker(t, e, nil)
	n, err := k.Kick(t.Context(), "alice", reason, nil)
	require.NoError(t, err, "nobody there")
	require.Zero(t, n)
	phone := integration.Connect(t, e, "alice", "pw", "phone")
	tablet := integration.Connect(t, e, "alice", "pw", "täb/let &amp;")
	gateway := integration.Connect(t, e, "alice", "pw", "gateway")
	bob := integration.Connect(t, e, "bob", "pw", "phone")
	phone.Say("<presence/>") // the others have sent none
	phone.Sync()
	n, err = k.Kick(t.Context(), "alice", reason, []string{"gateway"})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	phone.Expect("the end", ended)
	tablet.Expect("the end", ended)
	gateway.Sync()
	bob.Sync()
	_, err = phone.Await(t.Context(), func(integration.Element) bool { return false })
	require.ErrorIs(t, err, integration.ErrStreamEnded)
	integration.Connect(t, e, "alice", "pw", "phone") // with a good password it comes back
}

func TestKickedSessionCannotBeResumed(t *testing.T) {
	for _, kicked := range []bool{false, true} {
		e := server(t)
		k := kicker(t, e, nil)
		phone := integration.Connect(t, e, "alice", "pw", "phone")
		phone.Say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
		enabled := phone.Expect("stream management", func(e integration.Element) bool { return e.Name.Local == "enabled" })
		require.NoError(t, phone.Close())
		if kicked {
			n, err := k.Kick(t.Context(), "alice", reason, nil)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		again, err := integration.Dial(t.Context(), e.Addr(), e.Domain())
		require.NoError(t, err)
		defer again.Close()
		require.NoError(t, again.Login(t.Context(), "alice", "pw"))
		require.NoError(t, again.Send(t.Context(), fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", enabled.Attrs["id"])))
		answer, err := again.Await(t.Context(), func(e integration.Element) bool { return e.Name.Space == "urn:xmpp:sm:3" })
		require.NoError(t, err)
		require.Equal(t, map[bool]string{false: "resumed", true: "failed"}[kicked], answer.Name.Local)
	}
}

// The account may do the two things, and nothing else; nobody else may do these.
func TestTheAccountMayDoNothingElse(t *testing.T) {
	e := server(t)
	ask := func(user, password, command, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.APIURL()+"/"+command, strings.NewReader(body))
		require.NoError(t, err)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode
	}
	const (
		alice  = `{"user":"alice","host":"social.example"}`
		stanza = `{"from":"alice@social.example","to":"bob@social.example","stanza":"<message/>"}`
	)
	for command, body := range map[string]string{
		"kick_user": alice, "unregister": alice, "check_account": alice, "get_roster": alice, "stop": `{}`, "status": `{}`,
		"send_stanza": stanza,
	} {
		assert.Equal(t, http.StatusForbidden, ask(user, password, command, body), command)
	}
	for command, body := range map[string]string{
		"user_resources": alice, "kick_session": strings.TrimSuffix(alice, "}") + `,"resource":"x","reason":"y"}`,
	} {
		assert.Equal(t, http.StatusForbidden, ask("", "", command, body), command)
		assert.Equal(t, http.StatusUnauthorized, ask(user, "wrong", command, body), command)
		assert.Equal(t, http.StatusForbidden, ask("alice@social.example", "pw", command, body), command)
		assert.Equal(t, http.StatusOK, ask(user, password, command, body), command)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	e := server(t)
	for want, change := range map[string]func(*Config){
		"secrets.ejabberd_password": func(c *Config) { c.Password = "another-one" },
		"api_permissions":           func(c *Config) { c.User, c.Password = "alice@social.example", "pw" },
		"mod_http_api":              func(c *Config) { c.URL = strings.TrimSuffix(c.URL, "/api") + "/apo" },
		"refused":                   func(c *Config) { c.URL = "http://127.0.0.1:9/api" },
	} {
		_, err := kicker(t, e, change).Kick(t.Context(), "alice", reason, nil)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, ErrRefused)
		require.NotContains(t, err.Error(), "another-one")
		require.NotContains(t, err.Error(), password)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, e.Pause())
	_, err := kicker(t, e, nil).Kick(ctx, "alice", reason, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, e.Continue())
	_, err = kicker(t, e, nil).Kick(t.Context(), "alice", reason, nil)
	require.NoError(t, err)
}

func TestAnswersThatAreNotEjabberds(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"not 200":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		srv := httptest.NewServer(answer)
		k, err := New(Config{URL: srv.URL, User: user, Password: password, Domain: "d", HTTP: srv.Client()})
		require.NoError(t, err)
		_, err = k.Kick(t.Context(), "alice", reason, nil)
		assert.Error(t, err, name)
		srv.Close()
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer srv.Close()
	k, err := New(Config{URL: srv.URL, User: user, Password: password, Domain: "d", HTTP: srv.Client()})
	require.NoError(t, err)
	_, err = k.Kick(t.Context(), "alice", reason, nil)
	require.ErrorIs(t, err, ErrRefused)
}

func TestConfigurationIsChecked(t *testing.T) {
	right := Config{URL: "http://127.0.0.1:5280/api/", User: user, Password: password, Domain: "d"}
	k, err := New(right)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:5280/api", k.url)
	for _, change := range []func(*Config){
		func(c *Config) { c.URL = "" }, func(c *Config) { c.URL = "127.0.0.1:5280" }, func(c *Config) { c.URL = "http://example.org/api" },
		func(c *Config) { c.URL = "http://u:p@127.0.0.1/api" }, func(c *Config) { c.Domain = "" },
		func(c *Config) { c.User = "trunkline" }, func(c *Config) { c.Password = "" },
	} {
		c := right
		change(&c)
		_, err := New(c)
		require.Error(t, err)
		require.NotContains(t, err.Error(), password)
	}
	for _, url := range []string{"https://ejabberd.example/api", "http://[::1]:5280/api", "http://localhost/api"} {
		c := right
		c.URL = url
		_, err := New(c)
		require.NoError(t, err, url)
	}
}
