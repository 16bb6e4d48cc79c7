package integration

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ProsodyConfig says what a server should be like. The zero value is a server
// for social.example with nobody on it.
type ProsodyConfig struct {
	// Domain is the XMPP domain; "social.example" if empty.
	Domain string

	// VerifyURL is the POST /verify endpoint that mod_auth_trunkline asks, and
	// VerifySecret the shared secret it sends. Without a VerifyURL the server
	// knows Users (name to password) itself.
	VerifyURL    string
	VerifySecret string
	Users        map[string]string

	// AuthLua, if set, is used in place of all that: the Lua lines of the host's
	// authentication.
	AuthLua string

	// PrivacyLists loads Debian's mod_privacy_lists (XEP-0016).
	PrivacyLists bool

	// WebSocket opens Prosody's own RFC 7395 endpoint, see WebSocketURL.
	WebSocket bool

	// ModulePath is the folder that holds mod_auth_trunkline; the source tree's
	// contrib/prosody if empty.
	ModulePath string

	// Whole, if set, writes the whole configuration in place of all that: dir is
	// the server's folder, where it keeps its log as prosody.log; port is where it
	// listens for clients, tlsPort where it does with TLS from the first byte.
	// lead holds what keeps a server in its folder and on loopback; it goes first.
	Whole func(dir string, port, tlsPort int, lead string) (string, error)

	// PluginPaths are folders of further modules, looked at before ModulePath.
	PluginPaths []string

	// C2SPort fixes the client port; 0 picks a free one.
	C2SPort int

	// GlobalExtra and HostExtra are Lua lines appended to the global section
	// and after the host's section (where a Component may follow).
	GlobalExtra, HostExtra string
}

// modules is what every server loads beside Prosody's own core.
var modules = []string{
	"roster", "saslauth", "disco", "mam", "smacks", "carbons", "pep", "blocklist",
	"vcard4", "ping", "private", "offline",
}

// complete fills in the defaults.
func (c ProsodyConfig) complete() (ProsodyConfig, error) {
	if c.Domain == "" {
		c.Domain = "social.example"
	}
	if c.VerifyURL == "" && c.AuthLua == "" {
		return c, nil
	}
	if _, err := url.Parse(c.VerifyURL); err != nil {
		return c, fmt.Errorf("integration: verify URL: %w", err)
	}
	if c.ModulePath == "" {
		path, err := modulePath()
		if err != nil {
			return c, err
		}
		c.ModulePath = path
	}
	return c, nil
}

// modulePath is contrib/prosody of the source tree: above the working folder,
// or where this file was compiled.
func modulePath() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("integration: %w", err)
	}
	roots := []string{}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		roots = append(roots, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		roots = append(roots, filepath.Join(filepath.Dir(file), "..", ".."))
	}
	for _, root := range roots {
		path := filepath.Join(root, "contrib", "prosody")
		if _, err := os.Stat(filepath.Join(path, "mod_auth_trunkline", "mod_auth_trunkline.lua")); err == nil {
			return path, nil
		}
	}
	return "", errors.New("integration: contrib/prosody/mod_auth_trunkline not found; set ModulePath")
}

// lua renders the configuration for a server in dir. The ports are fixed.
func (c ProsodyConfig) lua(dir string, c2sPort, httpPort int) string {
	var b strings.Builder
	set := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
	set("run_as_root", "true")
	set("data_path", quote(filepath.Join(dir, "data")))
	set("certificates", quote(filepath.Join(dir, "certs")))
	set("pidfile", quote(filepath.Join(dir, "prosody.pid")))
	fmt.Fprintf(&b, "log = { { levels = { min = \"debug\" }, to = \"file\", filename = %s } }\n",
		quote(filepath.Join(dir, "prosody.log")))
	set("interfaces", `{ "127.0.0.1" }`)
	set("c2s_ports", fmt.Sprintf("{ %d }", c2sPort))
	for _, key := range []string{"c2s_direct_tls_ports", "legacy_ssl_ports", "https_ports", "s2s_ports"} {
		set(key, "{ }")
	}
	set("modules_disabled", `{ "s2s", "s2s_auth_certs", "tls" }`)
	enabled := modules
	if c.PrivacyLists {
		enabled = append(enabled[:len(enabled):len(enabled)], "privacy_lists")
	}
	if c.WebSocket {
		enabled = append(enabled[:len(enabled):len(enabled)], "websocket")
		set("http_ports", fmt.Sprintf("{ %d }", httpPort))
		set("http_interfaces", `{ "127.0.0.1" }`)
		set("http_default_host", quote(c.Domain))
		set("consider_websocket_secure", "true")
	} else {
		set("http_ports", "{ }")
	}
	fmt.Fprintf(&b, "modules_enabled = { \"%s\" }\n", strings.Join(enabled, `", "`))
	// Plain text is for loopback alone, where the gateway sits.
	set("c2s_require_encryption", "false")
	set("allow_unencrypted_plain_auth", "true")
	set("storage", `"internal"`)
	set("archive_expires_after", `"never"`)
	b.WriteString("plugin_paths = {")
	for _, path := range append(c.PluginPaths[:len(c.PluginPaths):len(c.PluginPaths)], c.ModulePath) {
		if path != "" {
			b.WriteString(" " + quote(path) + ";")
		}
	}
	b.WriteString(" }\n")
	b.WriteString(c.GlobalExtra + "\n")
	fmt.Fprintf(&b, "VirtualHost %s\n", quote(c.Domain))
	switch {
	case c.AuthLua != "":
		b.WriteString(c.AuthLua + "\n")
	case c.VerifyURL == "":
		set("authentication", `"internal_plain"`)
	default:
		set("authentication", `"trunkline"`)
		set("trunkline_url", quote(c.VerifyURL))
		set("trunkline_secret", quote(c.VerifySecret))
	}
	b.WriteString(c.HostExtra + "\n")
	return b.String()
}

// write puts configuration and accounts into dir.
func (c ProsodyConfig) write(dir string, c2sPort, httpPort int) error {
	accounts := filepath.Join(dir, "data", encode(c.Domain), "accounts")
	for _, path := range []string{accounts, filepath.Join(dir, "certs")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("integration: %w", err)
		}
	}
	for user, password := range c.Users {
		data := fmt.Sprintf("return { [\"password\"] = %s; };\n", quote(password))
		if err := os.WriteFile(filepath.Join(accounts, encode(user)+".dat"), []byte(data), 0o600); err != nil {
			return fmt.Errorf("integration: %w", err)
		}
	}
	lua := c.lua(dir, c2sPort, httpPort)
	if c.Whole != nil {
		lead := fmt.Sprintf("run_as_root = true\ndata_path = %s\ninterfaces = { \"127.0.0.1\" }\nc2s_ports = { %d }\n"+
			"s2s_ports = { }\nhttp_ports = { }\nhttps_ports = { }\n", quote(filepath.Join(dir, "data")), c2sPort)
		var err error
		if lua, err = c.Whole(dir, c2sPort, httpPort, lead); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "prosody.cfg.lua"), []byte(lua), 0o600); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	return nil
}

// encode is how Prosody's file storage spells a name.
func encode(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if isAlnum(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// quote is s as a Lua string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if isAlnum(c) || strings.IndexByte("/.:-_ ", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\%03d", c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
