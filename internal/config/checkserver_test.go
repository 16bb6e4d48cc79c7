package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhichServer: people at ejabberd are told of more, so it must not be missed.
func TestWhichServer(t *testing.T) {
	const kicks = "\n[ejabberd]\napi_url = \"http://127.0.0.1:5280/api\"\napi_user = \"trunkline@localhost\"\n"
	for text, want := range map[string]bool{
		minimal():                                                   false,
		with("xmpp", `server = "prosody"`):                          false,
		with("xmpp", `server = "ejabberd"`):                         true,
		with("secrets", `extauth_secret = "`+key(4)+`"`):            true,
		with("secrets", `ejabberd_password = "`+key(5)+`"`) + kicks: true,
	} {
		c, err := parse(t, text)
		require.NoError(t, err, text)
		assert.Equal(t, want, c.IsEjabberd(), text)
	}
}

func TestForbiddenCommands(t *testing.T) {
	for text, want := range map[string][]string{
		minimal():                                    {"admin"},
		with("xmpp", `forbidden_commands = []`):      {},
		with("xmpp", `forbidden_commands = ["a#b"]`): {"a#b"},
	} {
		c, err := parse(t, text)
		require.NoError(t, err)
		assert.ElementsMatch(t, want, c.XMPP.ForbiddenCommands)
	}
}
