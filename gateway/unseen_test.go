package gateway_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// ofAlice is what comes from alice's clients, her leaves included.
func ofAlice(list []integration.Element) (out []string) {
	for _, e := range list {
		if strings.HasPrefix(e.Attrs["from"], "alice@"+domain+"/") && e.Name.Local == "presence" {
			out = append(out, e.XML)
		}
	}
	return out
}

// relate makes bob a contact of alice's: "both", "from", "to" or "ask". The
// last two are out of the list's reach.
func (s *stack) relate(kind string) {
	s.t.Helper()
	if kind == "both" {
		s.contacts("alice", "bob")
		return
	}
	from, to := s.observer("alice"), s.observer("bob")
	asker, asked, names := from, to, [2]string{"alice", "bob"}
	if kind == "from" {
		asker, asked, names = to, from, [2]string{"bob", "alice"}
	}
	asker.Say("<presence type='subscribe' to='" + names[1] + "@" + domain + "'/>")
	asked.Expect("a request", func(e integration.Element) bool { return e.Attrs["type"] == "subscribe" })
	if kind != "ask" {
		asked.Say("<presence type='subscribed' to='" + names[0] + "@" + domain + "'/>")
		asker.Expect("the approval", func(e integration.Element) bool { return e.Attrs["type"] == "subscribed" })
	}
	for _, c := range []*integration.Client{from, to} {
		c.Say("<presence type='unavailable'/></stream:stream>")
		require.NoError(s.t, c.Close())
	}
}

// modulePath is "" for contrib/prosody as it is, or a copy that does nothing
// for hidden sessions that leave: the gateway has to be enough then.
func modulePath(t *testing.T, plain bool) string {
	t.Helper()
	if !plain {
		return ""
	}
	dir := t.TempDir()
	module := filepath.Join(dir, "mod_auth_trunkline")
	require.NoError(t, os.CopyFS(module, os.DirFS("../contrib/prosody/mod_auth_trunkline")))
	hidden := filepath.Join(module, "hidden.lib.lua")
	b, err := os.ReadFile(hidden)
	require.NoError(t, err)
	cut := strings.Replace(string(b), "module:hook(name, leave_unseen, 510);", "", 1)
	require.NotEqual(t, string(b), cut)
	require.NoError(t, os.WriteFile(hidden, []byte(cut), 0o600))
	return dir
}

// line carries connections to a server and can break all at once, which for
// the server is the same as the death of the gateway.
type line struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     []net.Conn
}

func newLine(t *testing.T) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &line{listener: l}
	t.Cleanup(p.cut)
	return p
}

// to starts carrying and returns the address of this end.
func (p *line) to(target string) string {
	p.target = target
	p.wg.Go(func() {
		for {
			near, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.carry(near)
		}
	})
	return p.listener.Addr().String()
}

func (p *line) carry(near net.Conn) {
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = near.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, near, far)
	for _, c := range [][2]net.Conn{{near, far}, {far, near}} {
		p.wg.Go(func() {
			_, _ = io.Copy(c[0], c[1])
			_ = c[0].Close()
		})
	}
}

// cut breaks every connection, and no new one is taken.
func (p *line) cut() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// TestNobodySeesAHiddenPersonLeave ends hidden streams in every way the
// gateway has, at a server that would tell.
func TestNobodySeesAHiddenPersonLeave(t *testing.T) {
	onEachServer(t, testNobodySeesAHiddenPersonLeave)
}

func testNobodySeesAHiddenPersonLeave(t *testing.T, kind serverKind) {
	ends := map[string]func(*stack, *peer){
		"client closes": func(_ *stack, p *peer) {
			p.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
			p.ended()
		},
		"login ends": func(s *stack, p *peer) {
			require.NoError(s.t, s.tokens.RevokeSession(s.t.Context(), "session-alice", "signed out"))
			p.ended()
		},
		"consent changes": func(s *stack, p *peer) {
			s.consent("alice", true, false, false)
			p.ended()
		},
		"line breaks": func(_ *stack, p *peer) { p.cut() },
		"bad frame": func(_ *stack, p *peer) {
			p.say("<presence")
			p.ended()
		},
	}
	for name, end := range ends {
		for _, sm := range []bool{false, true} {
			if sm && name == "line breaks" {
				continue // the session waits: TestHiddenSessionDoesNotWaitForItsTimeout
			}
			t.Run(name+map[bool]string{true: " with XEP-0198"}[sm], func(t *testing.T) {
				s := newStack(t, stackConfig{server: kind, plainProsody: true})
				s.contacts("alice", "bob")
				bob := s.observer("bob")
				alice := s.online("alice", "")
				if sm {
					alice.enable()
				}
				alice.say("<presence xmlns='jabber:client'/>")
				alice.sync()
				end(s, alice)
				s.gone(alice.jid)
				require.Empty(t, ofAlice(bob.Sync()))
			})
		}
	}
}

// TestHiddenSessionDoesNotWaitForItsTimeout: the server tells of the end of a
// session that waited too long, so the gateway ends it before.
func TestHiddenSessionDoesNotWaitForItsTimeout(t *testing.T) {
	s := newStack(t, stackConfig{plainProsody: true, prosody: "smacks_hibernation_time = 20\n"}) // the gateway has the last quarter
	s.contacts("alice", "bob")
	bob := s.observer("bob")
	alice := s.online("alice", "")
	alice.enable()
	alice.say("<presence xmlns='jabber:client'/>")
	alice.sync()
	alice.cut()
	s.gone(alice.jid)
	require.NotContains(t, s.prosody.Log(), "hibernating too long")
	require.Empty(t, ofAlice(bob.Sync()))
	require.Zero(t, s.states.count())
}

// TestServerKeepsQuietWithoutTheGateway: when the gateway dies, the server is
// all there is: Prosody with the lines of contrib/prosody, ejabberd by itself.
func TestServerKeepsQuietWithoutTheGateway(t *testing.T) {
	onEachServer(t, testServerKeepsQuietWithoutTheGateway)
}

func testServerKeepsQuietWithoutTheGateway(t *testing.T, kind serverKind) {
	for _, sm := range []bool{false, true} {
		t.Run(map[bool]string{true: "time-out", false: "cut"}[sm], func(t *testing.T) {
			proxy := newLine(t)
			s := newStack(t, stackConfig{server: kind, prosody: "smacks_hibernation_time = 1\n", line: proxy, change: func(c *gateway.Config) {
				c.Issuer = nil
			}})
			s.contacts("alice", "bob")
			bob := s.observer("bob")
			alice := s.online("alice", "")
			if sm {
				alice.say("<enable xmlns='" + nsSM + "' resume='true' max='1'/>") // Prosody has its own idea of max
				enabled := alice.next()
				require.True(t, enabled.Is(nsSM, "enabled"), "%s", enabled.Raw)
			}
			alice.say("<presence xmlns='jabber:client'/>")
			alice.sync()
			proxy.cut()
			s.gone(alice.jid)
			require.Empty(t, ofAlice(bob.Sync()))
		})
	}
}
