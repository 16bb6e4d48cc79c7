package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EjabberdConfig says what a server should be like. The zero value is a server
// for social.example with nobody on it and the modules that a chat server of
// today has: archive, stream management, carbons, PEP, rooms, privacy lists.
type EjabberdConfig struct {
	// Domain is the XMPP domain; "social.example" if empty. Rooms are at
	// "conference." before it.
	Domain string

	// Users are the people whom the server knows itself, name to password. A
	// name may have a host ("robot@localhost"), of a host that the
	// configuration names and whose auth_method is mnesia.
	Users map[string]string

	// Auth, if set, is used in place of Users' mnesia: the YAML lines of the
	// host's authentication, such as "auth_method: external".
	Auth string

	// Fail2Ban loads mod_fail2ban, which bans an address after 20 wrong
	// passwords, as Debian's own configuration does.
	Fail2Ban bool

	// Modules are YAML lines that are appended to the modules, not indented,
	// and Extra lines that are appended to the file.
	Modules, Extra string

	// Config, if set, is the whole file in place of all that but the Users, as
	// an administrator would write it: see fit for what is changed in it.
	Config string

	// C2SPort fixes the client port; 0 picks a free one.
	C2SPort int
}

// complete fills in the defaults.
func (c EjabberdConfig) complete() (EjabberdConfig, error) {
	if c.Domain == "" {
		c.Domain = "social.example"
	}
	if c.Config != "" && (c.Auth != "" || c.Modules != "" || c.Extra != "" || c.Fail2Ban) {
		return c, errors.New("integration: a whole Config has its own Auth, Modules, Extra and Fail2Ban")
	}
	if c.Auth == "" {
		c.Auth = "auth_method: mnesia"
	}
	return c, nil
}

const (
	accountsFile = "accounts.script" // Erlang that makes the accounts
	readyFile    = "accounts.made"   // written by it
)

// ejabberdModules is what every server loads.
const ejabberdModules = `
mod_admin_extra: {}
mod_avatar: {}
mod_blocking: {}
mod_caps: {}
mod_carboncopy: {}
mod_client_state: {}
mod_disco: {}
mod_http_api: {}
mod_last: {}
mod_mam: {assume_mam_usage: true, default: always}
mod_muc: {default_room_options: {mam: true}}
mod_muc_admin: {}
mod_offline: {}
mod_ping: {}
mod_privacy: {}
mod_private: {}
mod_pubsub: {plugins: [flat, pep]}
mod_roster: {versioning: true}
mod_stream_mgmt: {resend_on_timeout: if_offline}
mod_vcard: {search: false}
mod_vcard_xupdate: {}
mod_version: {}
`

// yaml renders the configuration.
func (c EjabberdConfig) yaml(ports ejabberdPorts) string {
	modules := ejabberdModules + c.Modules
	if c.Fail2Ban {
		modules += "\nmod_fail2ban: {}"
	}
	return fmt.Sprintf(`
loglevel: info
log_rotate_count: 0
hosts: [%q]
acme: {auto: false}
s2s_access: none
listen:
  - {port: %d, ip: "127.0.0.1", module: ejabberd_c2s, access: all, shaper: none, backlog: 1024, max_stanza_size: 262144}
  - {port: %d, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api, /ws: ejabberd_http_ws}}
# Whoever is on this machine may do anything.
api_permissions:
  all: {from: [mod_http_api], who: {ip: 127.0.0.1/32}, what: "*"}
shaper_rules: {max_user_sessions: infinity}
%s
%s
modules:
%s`, c.Domain, ports.c2s, ports.http, c.Auth, c.Extra, indent(modules))
}

// write puts configuration and accounts into dir.
func (c EjabberdConfig) write(dir string, ports ejabberdPorts) error {
	if err := os.MkdirAll(filepath.Join(dir, "spool"), 0o700); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	if err := writeCertificate(filepath.Join(dir, certificateFile), c.Domain); err != nil {
		return err
	}
	files := map[string]string{
		"ejabberd.yml": c.fit(dir, ports),
		"inetrc":       "{lookup, [file, native]}.\n",
		accountsFile:   c.accounts(filepath.Join(dir, readyFile)),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("integration: %w", err)
		}
	}
	return nil
}

// accounts is Erlang that makes the accounts and then the file ready.
func (c EjabberdConfig) accounts(ready string) string {
	var b strings.Builder
	for _, name := range sortedKeys(c.Users) {
		user, host, ok := strings.Cut(name, "@")
		if !ok {
			host = c.Domain
		}
		// One who is there from an earlier life keeps the account.
		fmt.Fprintf(&b, "case ejabberd_auth:try_register(%s, %s, %s) of ok -> ok; {error, exists} -> ok end,\n",
			binary(user), binary(host), binary(c.Users[name]))
	}
	fmt.Fprintf(&b, "ok = file:write_file(%s, <<>>).\n", binary(ready))
	return b.String()
}

// binary is s as an Erlang binary.
func binary(s string) string {
	list := make([]string, 0, len(s))
	for _, c := range []byte(s) {
		list = append(list, strconv.Itoa(int(c)))
	}
	return "<<" + strings.Join(list, ",") + ">>"
}

func sortedKeys(m map[string]string) []string {
	list := make([]string, 0, len(m))
	for key := range m {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// indent moves the lines of s two columns to the right.
func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

// fit is the configuration for this machine. In a whole Config it changes what
// cannot be the same in a test, and nothing else:
//
//   - example.org becomes Domain;
//   - the ports 5224 (plain), 5223 (TLS), 5222 (STARTTLS), 5269 (servers), 5280
//     (HTTP) and 5443 (HTTPS) become free ones, the addresses :: and 0.0.0.0
//     loopback;
//   - /etc/ejabberd/ejabberd.pem becomes a certificate made for the test.
func (c EjabberdConfig) fit(dir string, ports ejabberdPorts) string {
	if c.Config == "" {
		return c.yaml(ports)
	}
	port := func(from, to int) []string {
		return []string{fmt.Sprintf("port: %d\n", from), fmt.Sprintf("port: %d\n", to)}
	}
	pairs := slices.Concat(
		port(5224, ports.c2s), port(5223, ports.tls), port(5222, ports.starttls),
		port(5269, ports.s2s), port(5280, ports.http), port(5443, ports.https),
		[]string{`ip: "::"`, `ip: "127.0.0.1"`, `ip: "0.0.0.0"`, `ip: "127.0.0.1"`},
		[]string{"/etc/ejabberd/ejabberd.pem", filepath.Join(dir, certificateFile), "example.org", c.Domain},
	)
	return strings.NewReplacer(pairs...).Replace(c.Config)
}

const certificateFile = "cert.pem"

// writeCertificate makes a key and a certificate for the domain that nobody
// else trusts.
func writeCertificate(path, domain string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: domain},
		DNSNames:     []string{domain, "*." + domain, "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("integration: %w", err)
	}
	return nil
}
