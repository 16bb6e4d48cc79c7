package webclient

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// A login that ends while its password is made must not leave the password behind.
func TestLogoutWhileIssuing(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	login := alice.login()
	w.issuer.during = func() {
		w.s.endLogin(t.Context(), login, reasonSignedOut)
		w.issuer.mu.Lock()
		w.issuer.revoked = nil // what came before the password does not count
		w.issuer.mu.Unlock()
	}
	assert.Equal(t, "signed_out", alice.get("/api/v1/credentials").code())
	assert.True(t, w.issuer.hasRevoked("session "+login))
}

// hangUp is an issuer whose caller goes away as soon as it has issued.
type hangUp struct {
	*issuer
	cancel context.CancelFunc
}

func (h hangUp) IssueTemporary(ctx context.Context, account, session string) (string, time.Time, error) {
	defer h.cancel()
	return h.issuer.IssueTemporary(ctx, account, session)
}

// A browser whose line breaks while its password is made is not signed out by that.
func TestLineBreaksWhileIssuing(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	login := alice.login()
	ctx, cancel := context.WithCancel(t.Context())
	w.s.cfg.Issuer = hangUp{w.issuer, cancel}
	l, err := w.s.liveLogin(ctx, login, false)
	require.NoError(t, err)
	out := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/credentials", nil)
	require.ErrorIs(t, w.s.issueCredentials(out, r, l), context.Canceled)
	assert.Empty(t, out.Body.String(), "nobody has seen the password")
	assert.False(t, w.issuer.hasRevoked("session "+login))
	w.s.cfg.Issuer = w.issuer
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status)
}
