package webclient

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

func TestLookupName(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	for name, want := range map[string]bool{
		"alice": true, "ALICE": true, "nobody": false, "": false, "a b": false, "erin@garden.example": false,
		"alice@social.example": false, "../../x": false, strings.Repeat("a", 300): false,
	} {
		exists, err := w.s.LookupName(t.Context(), name)
		require.NoError(t, err, name)
		assert.Equal(t, want, exists, name)
	}
	w.instance.SetState("alice", mastodontest.Suspended)
	exists, err := w.s.LookupName(t.Context(), "alice")
	require.NoError(t, err)
	assert.True(t, exists, "suspended people exist")
	w.instance.SetDown(mastodontest.DownHTML)
	_, err = w.s.LookupName(t.Context(), "alice")
	require.Error(t, err, "an instance that is out of order says nothing of a name")
	w.instance.SetDown(mastodontest.DownNo)
	exists, err = w.s.LookupName(t.Context(), "bob")
	require.NoError(t, err)
	assert.True(t, exists)
}
