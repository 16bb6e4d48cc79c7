package main

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/config"
	"github.com/trunkline-chat/trunkline/webclient"
	"github.com/trunkline-chat/trunkline/webclient/mastodon"
)

// built is what a node gives to its parts.
type built struct {
	gateway  gateway.Config
	web      webclient.Config
	instance mastodon.Config
}

// setKey changes one key of a configuration file; the value is given in TOML.
func setKey(t *testing.T, path, name, value string) {
	t.Helper()
	section, key, _ := strings.Cut(name, ".")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines, header := string(text), "["+section+"]\n"
	if !strings.Contains(lines, header) {
		lines += header
	}
	before, rest, _ := strings.Cut(lines, header)
	own, after, more := strings.Cut(rest, "\n[")
	if more {
		after = "\n[" + after
	}
	own = regexp.MustCompile(`(?m)^`+key+` = .*\n?`).ReplaceAllString(own, "")
	lines = before + header + key + " = " + value + "\n" + own + after
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
}

func build(t *testing.T, path string) (b built) {
	t.Helper()
	cfg, err := config.Load(path, nil)
	require.NoError(t, err)
	n, err := newNode(t.Context(), cfg, newLogger(cfg.Log, io.Discard))
	require.NoError(t, err)
	defer n.close()
	b.gateway, b.instance = n.gatewayConfig(), n.instanceConfig()
	b.web, err = n.webclientConfig()
	require.NoError(t, err)
	return b
}

// behind is the address that the web side believes of a request over a proxy.
func behind(proxy string) func(b built) any {
	return func(b built) any {
		return b.web.ClientAddr(&http.Request{RemoteAddr: proxy + ":1", Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}}).String()
	}
}

// wired are the keys that gateway and web side get, and what becomes of them.
// A key may have several rows.
var wired = []struct {
	key, value string // in TOML; not the default, nor what writeConfig has
	got        func(b built) any
	want       any
}{
	{"server.public_url", `"http://localhost:7777"`, func(b built) any { return b.gateway.Origins }, []string{"http://localhost:7777"}},
	{"server.public_url", `"http://localhost:7777"`, func(b built) any { return b.web.PublicURL }, "http://localhost:7777"},
	{"server.public_url", `"http://localhost:7777"`, func(b built) any { return b.web.WebSocketURL }, "ws://localhost:7777/xmpp-websocket"},
	{"server.public_url", `"http://localhost:7777"`, func(b built) any { return b.instance.UserAgent }, "Trunkline (+http://localhost:7777)"},
	{"server.chat_origins", `["https://a.example"]`, func(b built) any { return b.gateway.Origins }, []string{"http://127.0.0.1:8080", "https://a.example"}},
	{"server.trusted_proxies", `["192.0.2.0/24"]`, func(b built) any { return b.gateway.TrustedProxies }, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	{"server.trusted_proxies", `["192.0.2.0/24"]`, behind("192.0.2.1"), "203.0.113.7"},
	{"server.see_other_url", `"wss://b.example/xmpp-websocket"`, func(b built) any { return b.gateway.SeeOtherURL }, "wss://b.example/xmpp-websocket"},

	{"mastodon.url", `"http://localhost:3000"`, func(b built) any { return b.web.InstanceURL }, "http://localhost:3000"},
	{"mastodon.url", `"http://localhost:3000"`, func(b built) any { return b.instance.BaseURL }, "http://localhost:3000"},
	{"mastodon.domain", `"other.example"`, func(b built) any { return b.web.LocalDomain }, "other.example"},
	{"mastodon.domain", `"other.example"`, func(b built) any { return b.web.InstanceName }, "other.example"},
	{"mastodon.domain", `"other.example"`, func(b built) any { return b.gateway.Domain }, "other.example"},
	{"mastodon.app_name", `"Chat"`, func(b built) any { return b.web.AppName }, "Chat"},
	{"mastodon.media_origins", `["https://m.example"]`, func(b built) any { return b.web.MediaOrigins }, []string{"https://m.example"}},
	{"mastodon.forward_address", `true`, func(b built) any { return b.instance.ForwardClientAddr }, true},

	{"xmpp.domain", `"xmpp.example"`, func(b built) any { return b.gateway.Domain }, "xmpp.example"},
	{"xmpp.domain", `"xmpp.example"`, func(b built) any { return b.web.XMPPDomain }, "xmpp.example"},
	{"xmpp.address", `"127.0.0.1:5333"`, func(b built) any { return b.gateway.Upstream.Address }, "127.0.0.1:5333"},
	{"xmpp.tls", `"direct"`, func(b built) any { return b.gateway.Upstream.TLS }, "direct"},
	{"xmpp.proxy_protocol", `true`, func(b built) any { return b.gateway.Upstream.ProxyProtocol }, true},
	{"xmpp.max_stanza_bytes", `100000`, func(b built) any { return b.gateway.Limits.Frame.MaxBytes }, 100_000 - stanzaRoom},
	{"xmpp.server", `"ejabberd"`, func(b built) any { return b.web.Discoverable }, true},
	{"xmpp.forbidden_commands", `["x"]`, func(b built) any { return b.gateway.ForbiddenCommands }, []string{"x"}},
	{"xmpp.forbidden_commands", `[]`, func(b built) any { return b.gateway.ForbiddenCommands }, []string{}},

	{"session.idle", `"3d"`, func(b built) any { return b.web.SessionIdle }, 72 * time.Hour},
	{"session.absolute", `"30d"`, func(b built) any { return b.web.SessionAbsolute }, 720 * time.Hour},
	{"session.cross_site", `true`, func(b built) any { return b.web.CrossSite }, true},
	{"standing.every", `"7m"`, func(b built) any { return b.web.StandingEvery }, 7 * time.Minute},
	{"standing.grace", `"7h"`, func(b built) any { return b.web.Grace }, 7 * time.Hour},
	{"sip.server", `"sip.example"`, func(b built) any { return b.web.SIPServer }, "sip.example"},
}

// elsewhere are the keys of the same sections that other parts get, and the test
// that holds each.
var elsewhere = map[string]string{
	"server.listen":                  "startServing",
	"server.private_listen":          "startServing",
	"server.private_tls_cert":        "TestServeWantsCertificatesOnThePrivateListener",
	"server.private_tls_key":         "TestServeWantsCertificatesOnThePrivateListener",
	"server.private_client_ca":       "TestServeWantsCertificatesOnThePrivateListener",
	"server.insecure_private_listen": "it only allows a private_listen, when the file is read",
	"server.drain_time":              "TestDrainTimeIsGivenToStreams",
}

// TestEveryKeyReachesItsPart changes one key of the file after the other and
// looks at what the gateway and the web side are then built with. The keys of
// [limits] have TestConfiguredLimitsReachTheGateway.
func TestEveryKeyReachesItsPart(t *testing.T) {
	usual := build(t, writeConfig(t, jsonLog))
	held := map[string]bool{}
	for _, row := range wired {
		held[row.key] = true
		path := writeConfig(t, jsonLog)
		setKey(t, path, row.key, row.value)
		if row.key == "session.cross_site" { // for https alone
			setKey(t, path, "server.public_url", `"https://chat.example.org"`)
		}
		assert.NotEqual(t, row.want, row.got(usual), "%s: without it", row.key)
		assert.Equal(t, row.want, row.got(build(t, path)), row.key)
	}
	for _, section := range []any{config.Server{}, config.Mastodon{}, config.XMPP{}, config.Session{}, config.Standing{}, config.SIP{}} {
		of := reflect.TypeOf(section)
		for i := range of.NumField() {
			key := strings.ToLower(of.Name()) + "." + of.Field(i).Tag.Get("toml")
			assert.True(t, held[key] || elsewhere[key] != "", "%s is held by no test", key)
		}
	}
	// What the parts get of one another.
	given := reflect.ValueOf(usual.gateway)
	for i := range given.NumField() {
		switch name := given.Type().Field(i).Name; name {
		case "SeeOtherURL", "Now", "Rand": // a key above; for tests
		default:
			assert.False(t, given.Field(i).IsZero(), "the gateway has no %s", name)
		}
	}
}

// TestDrainTimeIsGivenToStreams: the log says how long the streams had.
func TestDrainTimeIsGivenToStreams(t *testing.T) {
	path := writeConfig(t, jsonLog)
	setKey(t, path, "server.drain_time", `"7s"`)
	r := startServing(t, path, nil)
	require.Equal(t, exitOK, r.stop())
	assert.Contains(t, r.text(), fmt.Sprintf(`"what":"streams","within":%d`, 7*time.Second))
}
