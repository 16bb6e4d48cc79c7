package webclient

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// The panel of somebody who is put out asks again, and learns why, and not only
// that it is signed out.
func TestWhoIsPutOutLearnsWhy(t *testing.T) {
	w := hookWorld(t)
	alice, bob := w.in("alice"), w.in("bob")
	w.instance.SetState("alice", mastodontest.Suspended)
	assert.Equal(t, http.StatusNoContent, w.tell("account.updated", "alice"))
	for _, path := range []string{"/api/v1/session", "/api/v1/credentials"} {
		a := alice.get(path)
		assert.Equal(t, http.StatusUnauthorized, a.status, path)
		assert.Equal(t, codeSuspended, a.code(), path)
	}
	assert.Equal(t, http.StatusOK, bob.get("/api/v1/session").status)

	// The login that ended does not come back; from now on it is over like any other.
	w.instance.SetState("alice", mastodontest.Active)
	assert.Equal(t, http.StatusNoContent, w.tell("account.updated", "alice"))
	w.eventually("alice is welcome again", func() bool { return w.standing("alice") == standingGood })
	assert.Equal(t, "signed_out", alice.get("/api/v1/session").code())
}
