package webclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"rsc.io/qr"

	"github.com/trunkline-chat/trunkline/webclient/mastodon/mastodontest"
)

// deviceWorld is a world with device passwords, for phones too.
func deviceWorld(t *testing.T, paces ...pace) (*world, *keeper) {
	t.Helper()
	var k *keeper
	w := newPacedWorld(t, append(paces, usualPace())[0], mastodontest.Options{}, func(c *Config) {
		k = newKeeper(c.Now)
		c.Devices, c.SIPServer = k, "sip.social.example"
	})
	return w, k
}

func TestDevices(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	id := w.instance.AccountID("alice")
	var list devicesJSON
	a := alice.get("/api/v1/devices")
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	a.json(t, &list)
	assert.JSONEq(t, `{"devices":[],"limit":50,"services":[{"service":"xmpp"},{"service":"sip","server":"sip.social.example"}]}`, a.body)

	a = alice.do("POST", "/api/v1/devices", `{"name":"  Phone ☎ ","service":"xmpp"}`)
	require.Equal(t, http.StatusCreated, a.status, a.body)
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	var made newDeviceJSON
	a.json(t, &made)
	assert.Equal(t, "tld-secret-1", made.Secret)
	assert.Equal(t, "Phone ☎", made.Device.Name)
	assert.Equal(t, "alice@social.example", made.Login)
	assert.Equal(t, "alice@social.example", made.Device.Login)
	assert.Equal(t, "social.example", made.Server)
	assert.Nil(t, made.Device.LastUsedAt)
	assert.False(t, made.Device.Stale)
	assert.Equal(t, "xmpp:alice@social.example", made.QR.Text)
	checkCode(t, made.QR)
	assert.NotContains(t, made.QR.Text, made.Secret)

	a = alice.do("POST", "/api/v1/devices", `{"name":"Desk","service":"sip"}`)
	require.Equal(t, http.StatusCreated, a.status, a.body)
	a.json(t, &made)
	assert.Equal(t, "alice-abcde", made.Login)
	assert.Equal(t, "sip.social.example", made.Server)
	assert.Equal(t, "sip:alice@social.example", made.QR.Text)
	checkCode(t, made.QR)

	at := w.clock.now()
	k.change(func() {
		k.list[id][1].LastUsed, k.list[id][1].LastUsedFrom, k.list[id][1].LastUsedBy = &at, "203.0.113.0/24", "prosody"
	})
	alice.get("/api/v1/devices").json(t, &list)
	require.Len(t, list.Devices, 2)
	assert.Equal(t, "Desk", list.Devices[0].Name, "newest first")
	used := list.Devices[1]
	require.NotNil(t, used.LastUsedAt)
	assert.Equal(t, at.UTC().Format(time.RFC3339), *used.LastUsedAt)
	assert.Equal(t, "203.0.113.0/24", used.LastUsedFrom)
	assert.Equal(t, "prosody", used.LastUsedBy)

	assert.Equal(t, http.StatusNoContent, alice.do("DELETE", "/api/v1/devices/dev1", "").status)
	a = alice.do("DELETE", "/api/v1/devices/dev1", "")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Equal(t, "not_found", a.code())
	assert.Equal(t, "not_found", w.in("bob").do("DELETE", "/api/v1/devices/dev2", "").code(), "somebody else's")
	assert.NotContains(t, w.log.String(), "tld-")
}

// checkCode compares with what the library draws.
func checkCode(t *testing.T, c codeJSON) {
	t.Helper()
	want, err := qr.Encode(c.Text, qr.M)
	require.NoError(t, err)
	require.Equal(t, want.Size, c.Size)
	require.Len(t, c.Rows, c.Size)
	dark := 0
	for y, row := range c.Rows {
		require.Len(t, row, c.Size)
		for x, cell := range row {
			require.Equal(t, want.Black(x, y), cell == '1')
			dark += int(cell - '0')
		}
	}
	require.Greater(t, dark, c.Size)
	require.True(t, strings.HasPrefix(c.Rows[0], "1111111") && strings.HasSuffix(c.Rows[0], "1111111"), "finder patterns")
}

func TestStaleDevices(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	id := w.instance.AccountID("alice")
	day := 24 * time.Hour
	now := w.clock.now()
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	k.list[id] = []Device{
		{ID: "fresh", Created: *ago(time.Hour)},
		{ID: "never", Created: *ago(91 * day)},
		{ID: "used", Created: *ago(200 * day), LastUsed: ago(89 * day)},
		{ID: "unused", Created: *ago(200 * day), LastUsed: ago(91 * day)},
		{ID: "phone", Created: *ago(200 * day), Service: "sip"},
	}
	var list devicesJSON
	alice.get("/api/v1/devices").json(t, &list)
	stale := map[string]bool{}
	for _, d := range list.Devices {
		stale[d.ID] = d.Stale
	}
	assert.Equal(t, map[string]bool{"fresh": false, "never": true, "used": false, "unused": true, "phone": false}, stale)
}

func TestDevicesRefused(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	for body, code := range map[string]string{
		`{}`: "bad_name", `{"name":"","service":"xmpp"}`: "bad_name", `{"name":" ","service":"xmpp"}`: "bad_name",
		`{"name":"` + strings.Repeat("ü", 61) + `","service":"xmpp"}`: "bad_name",
		`{"name":"a\u0007b","service":"xmpp"}`:                        "bad_name",
		`{"name":"a\nb","service":"xmpp"}`:                            "bad_name",
		`{"name":"a","service":"irc"}`:                                "bad_service", `{"name":"a"}`: "bad_service",
		`{"name":7}`: "bad_request", `nonsense`: "bad_request", `{"name":"` + strings.Repeat("a", 5000) + `"}`: "too_large",
	} {
		assert.Equal(t, code, alice.do("POST", "/api/v1/devices", body).code(), body)
	}
	assert.Equal(t, http.StatusCreated, alice.do("POST", "/api/v1/devices", `{"name":"`+strings.Repeat("ü", 60)+`","service":"xmpp"}`).status)
	for err, code := range map[error]string{
		ErrTooManyDevices: "too_many_devices", ErrBadDeviceName: "bad_name", ErrBadService: "bad_service",
		slowDown{}: "rate_limited", errors.New("tokens: disk full"): "unavailable",
	} {
		k.change(func() { k.fail = err })
		a := alice.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`)
		assert.Equal(t, code, a.code())
		assert.NotContains(t, a.body, "disk")
	}
	for err, code := range map[error]string{
		ErrCannotTell: "mastodon_down", ErrSuspended: "account_suspended", ErrBlocked: "account_blocked",
	} {
		k.change(func() { k.fail = fmt.Errorf("tokens: %w", err) })
		carol := w.in("carol")
		a := carol.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`)
		assert.Equal(t, code, a.code())
		assert.Equal(t, code == "mastodon_down", a.header.Get("Retry-After") != "")
	}
	k.change(func() { k.fail = nil })
	body := `{"name":"Phone","service":"xmpp"}`
	out := w.user("bob")
	assert.Equal(t, "signed_out", out.get("/api/v1/devices").code())
	assert.Equal(t, "signed_out", out.do("POST", "/api/v1/devices", body).code())
	assert.Equal(t, "signed_out", out.do("DELETE", "/api/v1/devices/dev1", "").code())
	for _, site := range []string{"cross-site", "same-site"} {
		assert.Equal(t, "cross_origin", alice.do("POST", "/api/v1/devices", body, "Sec-Fetch-Site", site).code())
		assert.Equal(t, "cross_origin", alice.do("DELETE", "/api/v1/devices/dev1", "", "Sec-Fetch-Site", site).code())
		assert.Equal(t, "cross_origin", alice.get("/api/v1/devices", "Sec-Fetch-Site", site).code())
	}
	assert.Equal(t, "cross_origin", alice.do("POST", "/api/v1/devices", body, "Origin", "https://evil.example").code())
	assert.Equal(t, "not_json", alice.do("POST", "/api/v1/devices", body, "Content-Type", "text/plain").code())
	for path, allow := range map[string]string{"/api/v1/devices": "GET, POST, HEAD", "/api/v1/devices/dev1": "DELETE"} {
		a := alice.do("PATCH", path, "")
		assert.Equal(t, http.StatusMethodNotAllowed, a.status)
		assert.Equal(t, allow, a.header.Get("Allow"))
	}
}

func TestNewDevicesArePaced(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	add := func(u *user) answer { return u.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`) }
	for range devicesAtOnce {
		require.Equal(t, http.StatusCreated, add(alice).status)
	}
	a := add(alice)
	assert.Equal(t, "rate_limited", a.code())
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.NotEmpty(t, a.header.Get("Retry-After"))
	assert.Equal(t, devicesAtOnce, k.made)
	assert.Equal(t, http.StatusCreated, add(w.in("bob")).status, "nobody takes another's")
	w.clock.advance(deviceEvery)
	assert.Equal(t, http.StatusCreated, add(alice).status)
	assert.Equal(t, "rate_limited", add(alice).code(), "a refusal costs nothing, and brings nothing")
}

func TestNoDevices(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, nil)
	alice := w.in("alice")
	for _, a := range []answer{alice.get("/api/v1/devices"),
		alice.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`), alice.do("DELETE", "/api/v1/devices/x", "")} {
		assert.Equal(t, http.StatusNotFound, a.status)
		assert.Equal(t, "not_available", a.code())
	}
}

func TestNoPhonesWithoutASIPServer(t *testing.T) {
	w := newWorld(t, mastodontest.Options{}, func(c *Config) { c.Devices = newKeeper(c.Now) })
	alice := w.in("alice")
	assert.Contains(t, alice.get("/api/v1/devices").body, `"services":[{"service":"xmpp"}]`)
	assert.Equal(t, "bad_service", alice.do("POST", "/api/v1/devices", `{"name":"Desk","service":"sip"}`).code())
}

// What outlives the login is not made on a word of Mastodon's that is old.
func TestDevicesNeedMastodonsYes(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	add := func() answer { return alice.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`) }
	w.instance.SetDown(mastodontest.Down503)
	require.Equal(t, http.StatusCreated, add().status, "it said yes a moment ago")
	w.clock.advance(6 * time.Minute)
	a := add()
	assert.Equal(t, "mastodon_down", a.code())
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.NotEmpty(t, a.header.Get("Retry-After"))
	assert.Equal(t, http.StatusOK, alice.get("/api/v1/credentials").status, "the panel goes on")
	w.instance.SetDown(mastodontest.DownNo)
	w.instance.SetState("alice", mastodontest.Disabled)
	// Not at once where a look of the watch's, begun while it was down, ends in vain only now.
	w.eventually("asked as soon as it answers", func() bool {
		w.clock.advance(time.Minute)
		a = add()
		return a.code() == "account_disabled"
	})
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.Equal(t, 1, k.made)
}

// A login that ends while its device password is made must not leave it behind.
func TestLogoutWhileMakingADevice(t *testing.T) {
	w, k := deviceWorld(t)
	alice := w.in("alice")
	login := alice.login()
	k.during = func() { w.s.endLogin(t.Context(), login, reasonSignedOut) }
	assert.Equal(t, "signed_out", alice.do("POST", "/api/v1/devices", `{"name":"Phone","service":"xmpp"}`).code())
	assert.Empty(t, k.list[w.instance.AccountID("alice")])
}

func TestAllowanceForgets(t *testing.T) {
	a := newAllowance(time.Minute, 2)
	now := time.Unix(1_800_000_000, 0)
	for i := range maxPacedAddresses + 10 {
		require.Zero(t, a.wait(string(rune('a'+i%26))+time.Duration(i).String(), now))
		now = now.Add(time.Second)
	}
	assert.LessOrEqual(t, len(a.byAccount), maxPacedAddresses)
}
