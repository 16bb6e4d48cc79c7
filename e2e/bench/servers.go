package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

const (
	serverEjabberd = "ejabberd"
	serverProsody  = "prosody"
)

var allServers = []string{serverEjabberd, serverProsody}

// xmppServer is a server of the integration tests.
type xmppServer interface {
	Start(ctx context.Context) error
	Stop()
	PID() int
	Addr() string
	WebSocketURL() string
	Log() string
}

var (
	_ xmppServer = (*integration.Prosody)(nil)
	_ xmppServer = (*integration.Ejabberd)(nil)
)

// ejabberdFile is ejabberd without whatever slows clients down: no shaper, no
// bans, and no archive, whose disk would be what is measured.
const ejabberdFile = `
loglevel: warning
log_rotate_count: 0
hosts: ["example.org"]
acme: {auto: false}
s2s_access: none
listen:
  -
    port: 5224
    ip: "127.0.0.1"
    module: ejabberd_c2s
    access: all
    shaper: none
    backlog: 1024
    max_stanza_size: 262144
  -
    port: 5280
    ip: "127.0.0.1"
    module: ejabberd_http
    backlog: 1024
    request_handlers: {/ws: ejabberd_http_ws}
shaper_rules: {max_user_sessions: infinity}
auth_method: mnesia
modules:
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_pubsub: {plugins: [flat, pep]}
  mod_roster: {versioning: true}
  mod_stream_mgmt: {}
  mod_vcard: {search: false}
`

// prosodyFile is the same of Prosody, after what keeps it in its folder. As many
// may wait to be accepted as at ejabberd.
const prosodyFile = `
log = { { levels = { min = "warn" }, to = "file", filename = %q } }
http_ports = { %d }
http_interfaces = { "127.0.0.1" }
http_default_host = %q
consider_websocket_secure = true
modules_disabled = { "s2s", "s2s_auth_certs", "tls" }
modules_enabled = { "roster", "saslauth", "disco", "smacks", "carbons", "pep", "blocklist", "vcard4", "ping", "private",
  "offline", "privacy_lists", "websocket" }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
network_settings = { tcp_backlog = 1024 }
storage = "internal"
VirtualHost %q
authentication = "internal_plain"
`

// launch starts the server of this name in dir, with these people on it.
func launch(ctx context.Context, name, dir string, users map[string]string) (xmppServer, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	switch name {
	case serverEjabberd:
		s, err := integration.LaunchEjabberd(ctx, dir, integration.EjabberdConfig{Domain: domain, Users: users, Config: ejabberdFile})
		if err != nil {
			return nil, err
		}
		return s, forgetAccounts(dir)
	case serverProsody:
		s, err := integration.Launch(ctx, dir, integration.ProsodyConfig{
			Domain: domain, Users: users, WebSocket: true,
			Whole: func(dir string, _, webPort int, lead string) (string, error) {
				return lead + fmt.Sprintf(prosodyFile, filepath.Join(dir, "prosody.log"), webPort, domain, domain), nil
			},
		})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, fmt.Errorf("there is no server %q, only ejabberd and prosody", name)
}

// forgetAccounts takes the accounts out of the script with which ejabberd starts:
// it has them from now on. Making thousands again leaves garbage in its memory,
// which goes away while we measure what streams take.
func forgetAccounts(dir string) error {
	file := filepath.Join(dir, "accounts.script")
	script, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(script), []byte("\n"))
	return os.WriteFile(file, append(lines[len(lines)-1], '\n'), 0o600)
}

// tcp is the way straight to the server.
func tcp(s xmppServer) (load.Way, error) {
	addr, err := netip.ParseAddrPort(s.Addr())
	return load.Way{Domain: domain, Addr: addr}, err
}

// native is the way to the server's own WebSocket.
func native(s xmppServer) (load.Way, error) { return webSocket(s.WebSocketURL()) }

func webSocket(address string) (load.Way, error) {
	u, err := url.Parse(address)
	if err != nil {
		return load.Way{}, err
	}
	addr, err := netip.ParseAddrPort(u.Host)
	return load.Way{Domain: domain, Addr: addr, Path: u.Path}, err
}
