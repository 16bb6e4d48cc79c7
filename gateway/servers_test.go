package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens/backend"
	"github.com/trunkline-chat/trunkline/tokens/extauth"
)

// serverKind is the XMPP server of a stack.
type serverKind string

const (
	onProsody  serverKind = "Prosody"
	onEjabberd serverKind = "ejabberd"
)

// onEachServer runs f on every server that Trunkline is for.
func onEachServer(t *testing.T, f func(t *testing.T, kind serverKind)) {
	t.Helper()
	for _, kind := range []serverKind{onProsody, onEjabberd} {
		t.Run(string(kind), func(t *testing.T) { f(t, kind) })
	}
}

// xmppServer is a server of internal/integration.
type xmppServer interface {
	integration.Server
	Start(ctx context.Context) error
	Stop()
	Kill()
	Pause() error
	Continue() error
	Log() string
}

// startServer starts the server that c asks for, or takes the one that tests
// share, and makes it ask core.
func (s *stack) startServer(c stackConfig, core *backend.Core) {
	s.t.Helper()
	switch c.server {
	case "", onProsody:
		verify := httptest.NewServer(backend.Prosody(core, feed{s.tokens}, []byte(shared), nil))
		s.t.Cleanup(verify.Close)
		s.prosody = integration.StartProsody(s.t, integration.ProsodyConfig{
			Domain: domain, VerifyURL: verify.URL + "/verify", VerifySecret: shared, PrivacyLists: !c.noPrivacyLists,
			GlobalExtra: c.prosody, HostExtra: c.prosodyHost, ModulePath: modulePath(s.t, c.plainProsody),
		})
		s.server = s.prosody
	case onEjabberd:
		front := backend.Extauth(core, []byte(shared), nil)
		if c.ownServer || c.ejabberd != "" {
			ask := httptest.NewServer(front)
			s.t.Cleanup(ask.Close)
			cfg := ejabberdConfig(ask.URL)
			cfg.Modules = c.ejabberd
			s.ejabberd = integration.StartEjabberd(s.t, cfg)
		} else {
			s.ejabberd = sharedEjabberd.take(s.t, front)
		}
		s.server = s.ejabberd
	default:
		s.t.Fatalf("there is no server %q", c.server)
	}
}

// extauthWord makes this program, started by ejabberd, the one that asks about
// passwords: what "trunkline extauth" is.
const extauthWord = "extauth-of-the-gateway-tests"

func runExtauth(url string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := extauth.NewClient(url, func() (string, error) { return shared, nil }, nil)
	if err != nil {
		log.Error("no client", "error", err)
		return 1
	}
	defer client.Close()
	p := extauth.Pipe{In: os.Stdin, Out: os.Stdout, Asker: client, Log: log}
	if err := p.Run(context.Background()); err != nil {
		log.Error("ended", "error", err)
		return 1
	}
	return 0
}

// ejabberdConfig is a server that asks at url.
func ejabberdConfig(url string) integration.EjabberdConfig {
	return integration.EjabberdConfig{Domain: domain, Auth: fmt.Sprintf(`auth_method: external
extauth_program: "%s %s %s"
extauth_pool_size: 2
auth_use_cache: false`, os.Args[0], extauthWord, url)}
}

// sharedEjabberd: to start one takes seconds, so that tests which do nothing
// to the server have one together, one after the other.
var sharedEjabberd sharedServer

type sharedServer struct {
	dir    string
	server *integration.Ejabberd
	front  *httptest.Server
	ask    atomic.Pointer[http.Handler] // of the test that has it; nil between
}

// take gives the server to one test, with nothing left of the one before.
func (o *sharedServer) take(t *testing.T, ask http.Handler) *integration.Ejabberd {
	t.Helper()
	if o.server == nil {
		require.NoError(t, o.launch())
	}
	require.True(t, o.ask.CompareAndSwap(nil, &ask), "one test at a time")
	t.Cleanup(func() {
		_ = o.server.Continue() // in case that the test paused it and failed
		o.ask.Store(nil)
	})
	for _, name := range people {
		// Contacts, archive, lists and what waits for them go with the account.
		who := map[string]string{"user": name, "host": domain}
		ejabberdAPI(t, o.server, "kick_user", who)
		ejabberdAPI(t, o.server, "unregister", who)
	}
	return o.server
}

func (o *sharedServer) launch() error {
	if o.front == nil {
		o.front = httptest.NewServer(o)
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "gateway-ejabberd-"); err != nil {
		return err
	}
	o.server, err = integration.LaunchEjabberd(context.Background(), o.dir, ejabberdConfig(o.front.URL))
	return err
}

func (o *sharedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ask := o.ask.Load()
	if ask == nil {
		http.Error(w, "between two tests", http.StatusServiceUnavailable)
		return
	}
	(*ask).ServeHTTP(w, r)
}

// end is called when all tests have ended.
func (o *sharedServer) end() {
	if o.server != nil {
		o.server.Kill()
	}
	if o.front != nil {
		o.front.Close()
		_ = os.RemoveAll(o.dir)
	}
}

// ejabberdAPI asks the HTTP API as somebody on this machine and reads the
// answer into out, if there is one.
func ejabberdAPI(t testing.TB, e *integration.Ejabberd, command string, args any, out ...any) {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	client := http.Client{Timeout: waitLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Post(e.APIURL()+"/"+command, "application/json", bytes.NewReader(text))
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s: %s", command, body)
	for _, o := range out {
		require.NoError(t, json.Unmarshal(body, o), "%s: %s", command, body)
	}
}

// gone waits until the server has ended the session.
func (s *stack) gone(jid string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return !s.has(jid) }, waitLimit, 10*time.Millisecond, "the session has not ended")
}

// has reports whether the server has not ended this session yet, whether or not
// it is connected. It must have been bound.
func (s *stack) has(jid string) bool {
	s.t.Helper()
	if s.prosody != nil {
		return !strings.Contains(s.prosody.Log(), "Unbinding resource for "+jid)
	}
	bare, resource, _ := strings.Cut(jid, "/")
	user, _, _ := strings.Cut(bare, "@")
	var resources []string
	ejabberdAPI(s.t, s.ejabberd, "user_resources", map[string]string{"user": user, "host": domain}, &resources)
	return slices.Contains(resources, resource)
}
