package webclient

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

const hookSecret = "a secret that Mastodon made"

func hookWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, mastodontest.Options{}, func(c *Config) { c.WebhookSecret = []byte(hookSecret) })
}

// tell delivers a webhook about name as they are now.
func (w *world) tell(event, name string) int {
	w.t.Helper()
	status, err := w.instance.SendWebhook(w.t.Context(), w.url+"/hooks/mastodon", hookSecret, event, name)
	require.NoError(w.t, err)
	return status
}

// post delivers any body under a signature.
func (w *world) post(body []byte, signature string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url+"/hooks/mastodon", bytes.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	if signature != "" {
		r.Header.Set("X-Hub-Signature", signature)
	}
	res, err := w.user("").b.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// saved is what the instance would send now, to be sent later.
func (w *world) saved(name string) []byte {
	w.t.Helper()
	r, err := w.instance.Webhook(w.t.Context(), w.url, hookSecret, accountUpdated, name)
	require.NoError(w.t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(w.t, err)
	return body
}

func TestWebhookCutsOffBeforeItIsAnswered(t *testing.T) {
	for state, standing := range map[mastodontest.State]string{
		mastodontest.Suspended: standingSuspended, mastodontest.Disabled: standingDisabled, mastodontest.Moved: standingMoved,
		mastodontest.Deleted: standingDeleted, mastodontest.Unconfirmed: standingUnconfirmed,
	} {
		t.Run(string(state), func(t *testing.T) {
			w := hookWorld(t)
			alice := w.in("alice")
			w.device("alice")
			id := w.instance.AccountID("alice")
			w.clock.advance(time.Second)
			w.instance.SetState("alice", state)
			require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
			assert.Equal(t, standing, w.standing("alice"))
			assert.True(t, w.issuer.hasRevoked("streams of "+id))
			assert.False(t, w.issuer.hasRevoked("account "+id))
			assert.Equal(t, http.StatusUnauthorized, alice.get("/api/v1/session").status)
			w.clock.advance(2 * time.Minute)
			w.inTime("asked again", func() bool { return len(w.s.hooked.take(w.clock.now())) == 0 })
			assert.Equal(t, standing, w.standing("alice"))

			w.instance.SetState("alice", mastodontest.Active)
			require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
			w.clock.advance(time.Minute)
			w.inTime("let in again", func() bool { return w.standing("alice") == standingGood })
		})
	}
}

// A webhook that says good is a reason to ask, and not an answer.
func TestGoodWebhookIsNotBelieved(t *testing.T) {
	w := hookWorld(t)
	w.onlyDevices("alice")
	good := w.saved("alice")
	w.instance.SetState("alice", mastodontest.Suspended)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	require.Equal(t, standingSuspended, w.standing("alice"))
	calls := w.instance.Counters().APICalls
	require.Equal(t, http.StatusNoContent, w.post(good, sign(good)).status)
	// One question is two calls: as the person, and why they are refused.
	w.eventually("asked", func() bool { return w.instance.Counters().APICalls == calls+2 })
	w.clock.advance(2 * time.Minute)
	w.inTime("asked once more", func() bool { return w.instance.Counters().APICalls == calls+4 })
	assert.Equal(t, standingSuspended, w.standing("alice"))
}

// Somebody who sends an old webhook again must not be able to cut anybody off.
func TestReplayedWebhookIsHarmless(t *testing.T) {
	w := hookWorld(t)
	alice := w.in("alice")
	id := w.instance.AccountID("alice")
	w.clock.advance(time.Second)
	w.instance.SetState("alice", mastodontest.Suspended)
	bad := w.saved("alice")
	w.instance.SetState("alice", mastodontest.Active)
	w.clock.advance(time.Minute)
	require.NoError(t, w.s.Recheck(t.Context(), id))
	calls := w.instance.Counters().APICalls
	for range 3 {
		require.Equal(t, http.StatusNoContent, w.post(bad, sign(bad)).status)
	}
	w.inTime("it leads to a question", func() bool { return w.instance.Counters().APICalls > calls })
	assert.Equal(t, standingGood, w.standing("alice"))
	assert.False(t, w.issuer.hasRevoked("streams of "+id))
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/session").status)
}

// Who is disabled and has no token here can be let in by the admin's word and a
// public profile together.
func TestWebhookThawsAFrozenLogin(t *testing.T) {
	w := hookWorld(t)
	w.onlyDevices("alice")
	w.instance.SetState("alice", mastodontest.Disabled)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	w.instance.RevokeTokens("alice")
	require.Equal(t, standingDisabled, w.standing("alice"))
	w.instance.SetState("alice", mastodontest.Active)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	w.inTime("let in again", func() bool { return w.standing("alice") == standingGood })
}

func TestWebhookWhileMastodonIsSilent(t *testing.T) {
	w := hookWorld(t)
	w.onlyDevices("alice")
	w.instance.SetState("alice", mastodontest.Suspended)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	w.instance.SetState("alice", mastodontest.Active)
	w.instance.SetDown(mastodontest.Down503)
	require.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"))
	w.eventually("asked in vain", func() bool { return strings.Contains(w.log.String(), "cannot tell how") })
	assert.Equal(t, standingSuspended, w.standing("alice"))
	w.instance.SetDown(mastodontest.DownNo)
	w.clock.advance(time.Minute)
	w.inTime("the question is not forgotten", func() bool { return w.standing("alice") == standingGood })
}

func TestWebhooksOfNoInterest(t *testing.T) {
	w := hookWorld(t)
	w.in("alice")
	calls := w.instance.Counters().APICalls
	for _, event := range []string{"account.created", "account.approved", "report.created", "status.updated", "made.up"} {
		assert.Equal(t, http.StatusNoContent, w.tell(event, "alice"), event)
	}
	assert.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "alice"), "good, and asked a moment ago")
	w.instance.SetState("bob", mastodontest.Suspended)
	assert.Equal(t, http.StatusNoContent, w.tell(accountUpdated, "bob"), "who never signed in")
	id := w.instance.AccountID("alice")
	for _, object := range []string{
		`{"id":"` + id + `","username":"alice","domain":"elsewhere.example","suspended":true}`,
		`{"id":"","username":"alice","suspended":true}`,
	} {
		body := []byte(`{"event":"account.updated","created_at":"2030-01-01T00:00:00.000Z","object":` + object + `}`)
		assert.Equal(t, http.StatusNoContent, w.post(body, sign(body)).status, object)
	}
	assert.Equal(t, standingGood, w.standing("alice"))
	assert.Equal(t, calls, w.instance.Counters().APICalls)
	assert.Empty(t, w.s.hooked.take(w.clock.now().Add(time.Hour)))
}

func TestForgedWebhooks(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.WebhookSecret, c.Metrics = []byte(hookSecret), reg })
	w.in("alice")
	w.clock.advance(time.Second)
	w.instance.SetState("alice", mastodontest.Suspended)
	body := w.saved("alice")
	good := sign(body)
	forged := 0
	for name, signature := range map[string]string{
		"none": "", "empty": "sha256=", "other method": "sha1=" + good[7:], "no method": good[7:], "cut": good[:len(good)-2],
		"longer": good + "00", "one bit": good[:len(good)-1] + string(good[len(good)-1]^1), "not hex": "sha256=" + strings.Repeat("zz", 32),
		"twice": "sha256=" + good,
	} {
		a := w.post(body, signature)
		assert.Equal(t, http.StatusForbidden, a.status, name)
		assert.Equal(t, "bad_signature", a.code(), name)
		forged++
	}
	assert.Equal(t, "bad_signature", w.post(append(body, ' '), good).code(), "the raw body counts")
	assert.Equal(t, standingGood, w.standing("alice"))
	assert.InDelta(t, forged+1, w.metric(reg, "trunkline_mastodon_webhooks_total", "forged"), 0)
	for _, bad := range []string{``, `[]`, `{`, `{"event":"account.updated"}`, `{"event":"account.updated","object":7}`, `{"event":7}`} {
		assert.Equal(t, "bad_request", w.post([]byte(bad), sign([]byte(bad))).code(), bad)
	}
	large := append(bytes.Clone(body), bytes.Repeat([]byte(" "), hookBodyLimit)...)
	assert.Equal(t, "too_large", w.post(large, sign(large)).code())
	assert.NotContains(t, w.log.String(), hookSecret)
	assert.NotContains(t, w.log.String(), good[7:])

	assert.Equal(t, http.StatusMethodNotAllowed, w.user("").get("/hooks/mastodon").status)
	require.Equal(t, http.StatusNoContent, w.post(body, good).status)
	assert.Equal(t, standingSuspended, w.standing("alice"))
}

func TestNoWebhooks(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	body := []byte(`{"event":"account.created"}`)
	for _, signature := range []string{sign(body), "", emptyKey(body)} {
		assert.Equal(t, http.StatusNotFound, w.post(body, signature).status)
	}
}

// emptyKey signs with the secret of somebody who has configured none.
func emptyKey(body []byte) string {
	mac := hmac.New(sha256.New, nil)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// FuzzWebhook: whatever arrives is read without a fault; only an event about a local
// account can say something of somebody; and what it says is one of the words.
func FuzzWebhook(f *testing.F) {
	s := mastodontest.New(mastodontest.Options{})
	for _, state := range []mastodontest.State{mastodontest.Active, mastodontest.Suspended, mastodontest.Disabled,
		mastodontest.Moved, mastodontest.Unconfirmed, mastodontest.Deleted} {
		s.SetState("alice", state)
		r, err := s.Webhook(f.Context(), "http://chat.example", hookSecret, accountUpdated, "alice")
		if err != nil {
			f.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, r.Header.Get("X-Hub-Signature"))
	}
	f.Add([]byte(`{"event":"account.updated","object":{"account":{"moved":null}}}`), "sha256=")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if signedBy([]byte(hookSecret), signature, body) {
			require.True(t, strings.EqualFold(sign(body), signature))
		}
		require.True(t, signedBy([]byte(hookSecret), sign(body), body))
		e, err := parseHook(body)
		if err != nil {
			require.Equal(t, hookEvent{}, e)
			return
		}
		if e.event != accountUpdated {
			require.Equal(t, hookEvent{event: e.event}, e)
			return
		}
		_, bad := standingCodes[e.standing]
		require.True(t, bad || e.standing == standingGood, e.standing)
		require.False(t, e.enabled && e.standing == standingDeleted && !json.Valid(body))
	})
}
