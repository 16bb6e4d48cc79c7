package ldap

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/internal/integration"
	"github.com/trunkline-chat/trunkline/tokens/backend"
)

const extauthSecret = "a-secret-of-the-private-listener"

// beside is Trunkline and a directory with alice and dave in it, whose passwords
// are the directory's.
type beside struct {
	*stack
	slapd   *integration.Slapd
	private *httptest.Server // Trunkline's private listener
	secret  string           // a file with extauthSecret
}

func newBeside(t *testing.T) *beside {
	t.Helper()
	b := &beside{
		stack: newStack(t),
		slapd: integration.StartSlapd(t, integration.SlapdConfig{
			People:         map[string]string{"alice": "her own pass word", "dave": "his (own)*"},
			ReaderPassword: "reads",
		}),
		secret: filepath.Join(t.TempDir(), "secret"),
	}
	require.NoError(t, os.WriteFile(b.secret, []byte(extauthSecret+"\n"), 0o600))
	mux := http.NewServeMux()
	mux.Handle("/extauth", backend.Extauth(b.stack.core, []byte(extauthSecret), nil))
	mux.Handle("/", backend.Prosody(b.stack.core, feed{b.tokens}, []byte(extauthSecret), nil))
	b.private = httptest.NewServer(mux)
	t.Cleanup(b.private.Close)
	return b
}

// ejabberdBeside runs contrib/ldap/ejabberd-directory.yml, with the two in this
// order.
func (b *beside) ejabberdBeside(order string) *integration.Ejabberd {
	b.tb.Helper()
	program := filepath.Join(b.tb.TempDir(), "trunkline")
	built, err := exec.CommandContext(b.tb.Context(), "go", "build", "-o", program, "../../../cmd/trunkline").CombinedOutput()
	require.NoError(b.tb, err, string(built))
	_, password := b.slapd.Reader()
	return b.ejabberd("ejabberd-directory.yml",
		"auth_method: [ldap, external]", "auth_method: ["+order+"]",
		"/usr/local/bin/trunkline extauth", program+" extauth --url "+b.private.URL+"/extauth",
		"/etc/ejabberd/trunkline.secret", b.secret,
		"ldap_port: 389\n", "ldap_port: "+port(b.slapd.Addr())+"\n",
		"THE-READERS-PASSWORD", password)
}

// prosodyBeside runs contrib/ldap/prosody-directory.cfg.lua.
func (b *beside) prosodyBeside() *integration.Prosody {
	_, password := b.slapd.Reader()
	return b.prosody("prosody-directory.cfg.lua",
		"http://127.0.0.1:8081", b.private.URL, "/etc/prosody/trunkline.secret", b.secret,
		"127.0.0.1:389", b.slapd.Addr(), "THE-READERS-PASSWORD", password)
}

func TestTheDirectorysPasswordsAndOursWorkBesideEachOther(t *testing.T) {
	for name, launch := range map[string]func(*beside) integration.Server{
		"Prosody":                   func(b *beside) integration.Server { return b.prosodyBeside() },
		"ejabberd":                  func(b *beside) integration.Server { return b.ejabberdBeside("ldap, external") },
		"ejabberd, Trunkline first": func(b *beside) integration.Server { return b.ejabberdBeside("external, ldap") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBeside(t)
			server := launch(b)
			phone, phonePassword := b.device("1", "xmpp", "phone")
			_, laptopPassword := b.device("1", "xmpp", "laptop")
			_, bobsPassword := b.device("2", "xmpp", "phone")
			for range 2 { // in any order, again and again: nothing is remembered
				assert.Empty(t, login(t, server, "alice", "her own pass word"))
				assert.Empty(t, login(t, server, "alice", phonePassword))
				assert.Empty(t, login(t, server, "alice", laptopPassword))
			}
			assert.Empty(t, login(t, server, "bob", bobsPassword), "Trunkline alone knows him")
			assert.Empty(t, login(t, server, "dave", "his (own)*"), "the directory alone knows him")
			for user, password := range map[string]string{
				"alice": "his (own)*", "dave": phonePassword, "bob": "her own pass word", "carol": bobsPassword, "*": bobsPassword,
			} {
				assert.NotEmpty(t, login(t, server, user, password), user)
			}
			b.revoke(phone)
			assert.NotEmpty(t, login(t, server, "alice", phonePassword), "revoked")
			assert.Empty(t, login(t, server, "alice", laptopPassword))
			assert.Empty(t, login(t, server, "alice", "her own pass word"))

			alice := integration.Connect(t, server, "alice", laptopPassword, "laptop")
			alice.Say("<presence/>")
			assert.True(t, exists(t, alice, server, "bob"))
			assert.True(t, exists(t, alice, server, "dave"))
			assert.False(t, exists(t, alice, server, "carol"))
		})
	}
}

// A suspension keeps out who has the directory's password too, at Prosody with our
// module.
func TestTheSuspendedStayOutWithTheDirectorysPassword(t *testing.T) {
	b := newBeside(t)
	server := b.prosodyBeside()
	assert.Empty(t, login(t, server, "alice", "her own pass word"))
	require.NoError(t, b.tokens.BlockAccount(t.Context(), "1", "rude"))
	assert.Equal(t, "not-authorized", login(t, server, "alice", "her own pass word"))
	assert.Empty(t, login(t, server, "dave", "his (own)*"), "nothing is known of him")
	require.NoError(t, b.tokens.UnblockAccount(t.Context(), "1", "sorry"))
	assert.Empty(t, login(t, server, "alice", "her own pass word"))
}

// TestEitherMayBeAway: what Trunkline knows works while the directory is down; the
// other way round nobody knows who is suspended, and apps try again.
func TestEitherMayBeAway(t *testing.T) {
	b := newBeside(t)
	server := b.prosodyBeside()
	_, password := b.device("2", "xmpp", "phone")
	b.slapd.Kill()
	assert.Empty(t, login(t, server, "bob", password))
	assert.NotEmpty(t, login(t, server, "dave", "his (own)*"))
	require.NoError(t, b.slapd.Start(t.Context()))
	b.private.Close()
	assert.Equal(t, "temporary-auth-failure", login(t, server, "dave", "his (own)*"))
	assert.Equal(t, "temporary-auth-failure", login(t, server, "bob", password))
}
