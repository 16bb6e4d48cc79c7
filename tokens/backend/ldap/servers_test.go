package ldap

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

const (
	notAuthorized = "not-authorized"
	// wait bounds what happens by itself, such as a reconnection; step is how often
	// it is looked at.
	wait, step = 15 * time.Second, 50 * time.Millisecond
)

// servers are all that contrib/ldap has a file for.
func servers() map[string]func(*stack) integration.Server {
	return map[string]func(*stack) integration.Server{
		"Prosody":           func(s *stack) integration.Server { return s.prosody("prosody.cfg.lua") },
		"Prosody, StartTLS": func(s *stack) integration.Server { return s.prosody("prosody-tls.cfg.lua") },
		"ejabberd":          func(s *stack) integration.Server { return s.ejabberd("ejabberd.yml") },
		"ejabberd, LDAPS":   func(s *stack) integration.Server { return s.ejabberd("ejabberd-ldaps.yml") },
	}
}

func TestServersLetInWhomTrunklineKnows(t *testing.T) {
	for name, launch := range servers() {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			t.Setenv("LDAPTLS_CACERT", s.authorityIn) // OpenLDAP's TLS_CACERT, which lua-ldap heeds
			server := launch(s)
			phone, phonePassword := s.device("1", "xmpp", "phone")
			_, laptopPassword := s.device("1", "xmpp", "laptop")
			_, bobsPassword := s.device("2", "xmpp", "phone")

			assert.Empty(t, login(t, server, "alice", phonePassword))
			assert.Empty(t, login(t, server, "alice", laptopPassword), "a second password")
			assert.Empty(t, login(t, server, "Alice", phonePassword))
			assert.Empty(t, login(t, server, "bob", bobsPassword))
			for user, password := range map[string]string{
				"alice": bobsPassword, "bob": "wrong", "carol": phonePassword, "bob)(uid=*": bobsPassword, "*": bobsPassword,
				`bob\2a`: bobsPassword, "bob,ou=people": bobsPassword,
			} {
				assert.NotEmpty(t, login(t, server, user, password), user)
			}

			s.revoke(phone)
			assert.Equal(t, notAuthorized, login(t, server, "alice", phonePassword), "revoked")
			assert.Empty(t, login(t, server, "alice", laptopPassword))
			assert.Equal(t, notAuthorized, login(t, server, "alice", serviceSecret))

			// Whether people exist is asked under the service account.
			alice := integration.Connect(t, server, "alice", laptopPassword, "laptop")
			alice.Say("<presence/>")
			assert.True(t, exists(t, alice, server, "bob"))
			assert.False(t, exists(t, alice, server, "carol"))

			// Nobody stays out because somebody tried others' passwords.
			assert.Empty(t, login(t, server, "bob", bobsPassword))
			assert.NotContains(t, s.log.String(), bobsPassword)
		})
	}
}

// TestServersComeBackAfterARestart: their connections end with ours.
func TestServersComeBackAfterARestart(t *testing.T) {
	for _, name := range []string{"Prosody", "ejabberd"} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			server := servers()[name](s)
			_, password := s.device("1", "xmpp", "phone")
			assert.Empty(t, login(t, server, "alice", password))
			s.mu.Lock()
			for _, c := range s.conns {
				_ = c.net.Close()
			}
			s.mu.Unlock()
			assert.Eventually(t, func() bool { return login(t, server, "alice", password) == "" }, wait, step)
			assert.Equal(t, notAuthorized, login(t, server, "alice", "wrong"))
		})
	}
}

// TestWhatServersMakeOfCannotTell: LDAP has words for it, these servers have
// not; docs/ldap.md says so.
func TestWhatServersMakeOfCannotTell(t *testing.T) {
	for _, name := range []string{"Prosody", "ejabberd"} {
		t.Run(name, func(t *testing.T) {
			core := &core{}
			d := start(t, func(c *Config) { c.Core, c.Base, c.ServiceDN = core, orgBase, orgService })
			server := servers()[name](&stack{directory: d, tb: t})
			alice := integration.Connect(t, server, "alice", "alice-phone", "phone")
			alice.Say("<presence/>")
			core.says(backend.Unknown, backend.ReasonTrouble)
			assert.Equal(t, notAuthorized, login(t, server, "bob", "bob-phone"))
			assert.False(t, exists(t, alice, server, "bob"))
			core.says("", "")
			assert.Empty(t, login(t, server, "bob", "bob-phone"), "nothing of it is remembered")
			assert.True(t, exists(t, alice, server, "bob"))
		})
	}
}
