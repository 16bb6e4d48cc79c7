package mastodon

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SECURITY.md has each scope that is registered, and says of those that a login asks
// for, and of no others, that people are asked.
func TestScopesAreExplained(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "## What it may do at Mastodon\n")
	require.True(t, found)
	section, _, _ := strings.Cut(rest, "\n## ")
	for _, scope := range registeredScopes {
		assert.Contains(t, section, "`"+scope+"`")
	}
	for _, scope := range loginScopes {
		assert.Contains(t, section, "| `"+scope+"` | yes | **yes** |")
	}
	assert.Equal(t, len(loginScopes), strings.Count(section, "| **yes** |"))
}
