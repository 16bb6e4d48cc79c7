package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who pastes lines from the documentation hears what to do with them.
func TestWhatIsNoTOMLIsExplained(t *testing.T) {
	for lines, says := range map[string]string{
		"[log]\nlevel = 'info'\n[server]\nlisten = '127.0.0.1:1'": "t.toml:11: has a second section [server] here; " +
			"write the keys below it into the section [server] that is there already, on line 1, and remove this line",
		"[log]\nlevel = 'info'\nlevel = 'debug'": "t.toml:11: has the key level twice in this section; keep one of the two",
		"[xmpp]\naddress = 127.0.0.1:5224":       `expected newline but got U+002E '.'; text needs quotes, and straight ones: address = "127.0.0.1:5222"`,
		"[xmpp]\naddress = localhost:5224":       "text needs quotes",
		"[xmpp]\ntls = plain":                    "text needs quotes",
		"[xmpp]\ntls = “plain”":                  "text needs quotes, and straight ones",
		"[xmpp]\ntls = true plain":               "text needs quotes",
		"[session]\nidle = 14d":                  "text needs quotes",
		"[log]\nlevel = info":                    "text needs quotes",
		"[log]\nlevel = trace":                   "text needs quotes",
		"[xmpp]\nforbidden_commands = [admin]":   "text needs quotes",
		"[xmpp":                                  "is not TOML here: expected ']' to close table name; see https://toml.io",
	} {
		require.NotContains(t, lines, key(2))
		_, err := parse(t, minimal()+lines+"\n")
		ms, ok := AsMistakes(err)
		require.True(t, ok, lines)
		require.Len(t, ms, 1, lines)
		assert.Contains(t, ms[0].Error(), says, lines)
		assert.Greater(t, ms[0].Line, strings.Count(minimal(), "\n"), lines)
	}
}
