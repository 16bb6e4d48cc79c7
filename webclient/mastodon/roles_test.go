package mastodon

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRole: a role that was read comes back from being written, and nobody
// moderates by what cannot be read.
func FuzzRole(f *testing.F) {
	f.Add([]byte(`{"role":{"id":"1","name":"Moderator","permissions":"1308"}}`))
	f.Add([]byte(`{"role":{"id":-99,"permissions":65536}}`))
	f.Add([]byte(`{"role":null}`))
	f.Add([]byte(`{"role":{"name":"admin"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		role, ok := parseRole(body)
		if !ok {
			require.False(t, role.Moderates())
			return
		}
		again, ok := parseRole(fmt.Appendf(nil, `{"role":{"id":%q,"permissions":"%d"}}`, "x", role.Permissions))
		require.True(t, ok)
		require.Equal(t, role.Permissions, again.Permissions)
	})
}
