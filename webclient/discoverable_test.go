package webclient

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// TestPeopleAreToldWhatTheServerCannotHide before they choose and afterwards, and
// it is kept that they were.
func TestPeopleAreToldWhatTheServerCannotHide(t *testing.T) {
	for _, discoverable := range []bool{false, true} {
		w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.Discoverable = discoverable })
		alice := w.in("alice")
		var c consentJSON
		alice.get("/api/v1/consent").json(t, &c)
		assert.Equal(t, consentJSON{Presence: "nobody", Discoverable: discoverable}, c)
		a := alice.do("PUT", "/api/v1/consent", `{"presence":"nobody","typing":false,"receipts":false,"text_version":3}`)
		a.json(t, &c)
		assert.True(t, c.Decided)
		assert.Equal(t, discoverable, c.Discoverable)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM consent_changes WHERE text_version = 3`))
		var session sessionJSON
		alice.get("/api/v1/session").json(t, &session)
		assert.Equal(t, discoverable, session.Consent.Discoverable)
	}
}
