// Package config is the one place where Trunkline's configuration is described.
//
// Config is a typed struct whose tags hold everything else that is said about a
// key: its TOML name, its default, its documentation and an example. The
// commented example file is written from those tags, and so is the list of
// known keys: a key that the struct does not know is a mistake, not a comment.
//
// Load reads one file and reports every mistake in it at once, each by its key,
// its line and what to do about it. What Load returns without an error is
// complete: defaults are filled in, secrets are read, and URLs are in the one
// spelling that the rest of the program compares them in.
//
// A secret may stand in the file itself (token_key), in a file that the
// configuration names (token_key_file), or in a credential that systemd hands
// over ($CREDENTIALS_DIRECTORY/token_key). It is kept in the type Secret, which
// prints as *** wherever it is formatted, logged or marshalled.
//
// The package reads no clock, keeps no state and starts no goroutine.
package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config is the whole configuration. The zero value is not usable: get one from
// Load or Parse.
//
// Tags: toml is the key; default is its default as a TOML value, and a key
// without one is required; example is the value that the example file shows, as
// a TOML value, where it shows another than the default; doc is its
// documentation, one paragraph per line.
type Config struct {
	Server   Server   `toml:"server" doc:"Where Trunkline listens, and what browsers call it."`
	Mastodon Mastodon `toml:"mastodon" doc:"The Mastodon server whose people chat here. Any server with Mastodon's API will do."`
	XMPP     XMPP     `toml:"xmpp" doc:"The XMPP server behind the gateway."`
	Store    Store    `toml:"store" doc:"Where sessions, credentials and consent are kept."`
	Secrets  Secrets  `toml:"secrets" doc:"Keys. Make each one with: trunkline config secret\nA secret may be written here (token_key = \"…\"), in a file that is named here (token_key_file = \"/path\"), or be given by systemd as a credential of the same name (LoadCredential=token_key:/path); then it is left out here."`
	Session  Session  `toml:"session" doc:"How long a browser stays signed in."`
	Standing Standing `toml:"standing" doc:"Whether a person is still welcome at the Mastodon server: asked there, again and again, and not only when they sign in."`
	Ejabberd Ejabberd `toml:"ejabberd" doc:"ejabberd's HTTP API, through which native sessions are ended when their password is revoked. Prosody needs nothing here: its module asks by itself."`
	OAuth    OAuth    `toml:"oauth" doc:"The OAuth endpoints for Prosody's mod_auth_oauth_external. They exist once secrets.oauth_secret is set."`
	AuthHTTP AuthHTTP `toml:"auth_http" doc:"The questions of Prosody's mod_auth_http. They are answered once secrets.auth_http_secret is set."`
	LDAP     LDAP     `toml:"ldap" doc:"The read-only LDAP front, for servers that ask nothing else."`
	SIP      SIP      `toml:"sip" doc:"Passwords for SIP phones."`
	Audit    Audit    `toml:"audit" doc:"The record of who asked for which person's password, and what was answered. No passwords are in it."`
	Rooms    []Room   `toml:"rooms" doc:"Who may join which room, for Prosody's mod_muc_http_auth; one section for each room, the first that fits counts. They are asked for once secrets.muc_secret is set. Who fits no rule, and a room without one, is refused."`
	Limits   Limits   `toml:"limits" doc:"What one connection, one person and one address may use. The values suit a server of some thousand people; nobody notices them in ordinary use. docs/limits.md explains them."`
	Log      Log      `toml:"log" doc:"What is logged to standard error. Passwords, tokens and messages never are."`

	// Warnings are remarks on a configuration that works: each names a key
	// and says what would be better.
	Warnings Mistakes `toml:"-"`
}

// Server is the section [server].
type Server struct {
	PublicURL             string   `toml:"public_url" example:"'https://chat.example.org'" doc:"The chat origin: the address of this service as browsers see it. Use a name of its own on the same site as Mastodon, such as chat.example.org beside example.org. https:// is required; http:// is for tests on this machine only (127.0.0.1, ::1, localhost)."`
	Listen                string   `toml:"listen" default:"'127.0.0.1:8080'" doc:"The public listener, HOST:PORT or unix:/path. A reverse proxy with TLS stands before it. Port 0 picks a free one, which the log names."`
	PrivateListen         string   `toml:"private_listen" default:"'127.0.0.1:8081'" doc:"The private listener, HOST:PORT or unix:/path: the XMPP server asks here whether a password is right (/verify); /metrics, /healthz and /readyz are here too. It must be a loopback address or a Unix socket, unless the keys below let other machines in."`
	PrivateTLSCert        string   `toml:"private_tls_cert" default:"''" example:"'/etc/trunkline/private.pem'" doc:"A certificate in PEM for the private listener, with private_tls_key and private_client_ca: who asks must then show a certificate of that authority, and the listener may be reached from other machines."`
	PrivateTLSKey         string   `toml:"private_tls_key" default:"''" example:"'/etc/trunkline/private.key'" doc:"The key of private_tls_cert."`
	PrivateClientCA       string   `toml:"private_client_ca" default:"''" example:"'/etc/trunkline/clients.pem'" doc:"The authority, in PEM, that signs the certificates of those who ask."`
	InsecurePrivateListen bool     `toml:"insecure_private_listen" default:"false" doc:"Allow private_listen to be reached from other machines. Passwords then cross the network unencrypted unless you encrypt it yourself."`
	ChatOrigins           []string `toml:"chat_origins" default:"[]" example:"['https://client.example.org']" doc:"Further web origins whose pages may open a chat connection. They get no passwords: people type in one of their own there. A Converse.js page of yours needs no entry, its place is the chat origin itself (docs/converse.md). Pages of public_url always may; all others are refused."`
	TrustedProxies        []string `toml:"trusted_proxies" default:"['127.0.0.1/32', '::1/128']" doc:"Addresses or networks of the reverse proxies whose X-Forwarded-For is believed."`

	SeeOtherURL string   `toml:"see_other_url" default:"''" example:"'wss://chat2.example.org/xmpp-websocket'" doc:"Where clients are sent when this process is told to end (SIGTERM): the WebSocket address of another node. Empty: they are told that it is shut down and come back to the same address by themselves, which is right behind a load balancer."`
	DrainTime   Duration `toml:"drain_time" default:"'5s'" doc:"How long streams have, at the most, to end in an orderly way when this process is told to end. Whatever stops it (systemd, a container runtime) must give it 5s more than that before it kills."`
}

// Mastodon is the section [mastodon].
type Mastodon struct {
	URL          string   `toml:"url" example:"'https://example.org'" doc:"The address of the Mastodon web site, without a path."`
	Domain       string   `toml:"domain" default:"''" example:"'example.org'" doc:"The domain in people's handles (LOCAL_DOMAIN). Empty: the host in url."`
	AppName      string   `toml:"app_name" default:"'Trunkline'" doc:"The name under which Trunkline registers itself at Mastodon. People see it when they are asked to allow the login."`
	MediaOrigins []string `toml:"media_origins" default:"[]" example:"['https://files.example.org']" doc:"Further origins that avatars may be loaded from, such as Mastodon's media host."`

	ForwardAddress bool `toml:"forward_address" default:"false" doc:"Tell Mastodon the address of the person it is asked for, in X-Forwarded-For. Only where Mastodon trusts this machine as a proxy (TRUSTED_PROXY_IP); then its limits count people and not all of them as one."`
}

// XMPP is the section [xmpp].
type XMPP struct {
	Domain         string `toml:"domain" default:"''" example:"'example.org'" doc:"The domain of the chat addresses. Empty: the same as mastodon.domain, so that a chat address reads like the handle."`
	Address        string `toml:"address" default:"''" example:"'127.0.0.1:5222'" doc:"HOST:PORT of the XMPP server's client port. Empty: looked up in DNS (SRV records of the domain, by priority and weight)."`
	TLS            string `toml:"tls" default:"'auto'" doc:"How the connection to the XMPP server is protected: 'auto' (STARTTLS to an address that is given; without one whatever DNS offers, STARTTLS and direct TLS); 'starttls'; 'direct' (TLS from the first byte); 'plain' (none; only to a loopback address); 'insecure-plain' (none, to any address: passwords cross the network unencrypted)."`
	ProxyProtocol  bool   `toml:"proxy_protocol" default:"false" doc:"Tell the XMPP server each browser's address, in a PROXY header (version 2) at the start of each connection. Its limits and bans then count people and not all of them as one. Set it exactly if the server expects such headers on this port (ejabberd: use_proxy_protocol; Prosody: mod_net_proxy)."`
	MaxStanzaBytes int64  `toml:"max_stanza_bytes" default:"262144" doc:"The largest stanza that passes, in bytes. Not more than the XMPP server accepts; Prosody's own default is 262144."`

	Server            string   `toml:"server" default:"'auto'" doc:"Which XMPP server it is: 'prosody', 'ejabberd' or 'auto' ('ejabberd' if secrets.extauth_secret or ejabberd.api_url is set). At ejabberd contacts can find out a little more about people who hide; those are told so when they are asked for their consent. See docs/consent.md."`
	ForbiddenCommands []string `toml:"forbidden_commands" default:"['admin']" example:"['admin', 'http://example.org/my-command']" doc:"Ad-hoc commands (XEP-0050) at your domain, and at others that your server may have, that nobody may run from a browser, by the beginnings of their nodes. The word admin stands for those that administer Prosody and ejabberd, see docs/consent.md. With [] an administrator's browser may run them, and so may whatever gets into that browser."`
}

// IsEjabberd reports whether ejabberd is the XMPP server, as far as the configuration says.
func (c *Config) IsEjabberd() bool {
	return c.XMPP.Server == "ejabberd" ||
		c.XMPP.Server == "auto" && (!c.Secrets.ExtauthSecret.IsZero() || c.Ejabberd.APIURL != "")
}

// Store is the section [store].
type Store struct {
	URL string `toml:"url" default:"'sqlite:/var/lib/trunkline/trunkline.db'" doc:"The database: sqlite: and the absolute path of a file, or postgres://USER@HOST/DATABASE for several nodes (the password goes into secrets.store_password). The folder must exist and be writable for Trunkline only."`
}

// Secrets is the section [secrets]. DataKeys and TokenKey hold 32 bytes each,
// base64url-encoded; Bytes decodes them.
type Secrets struct {
	DataKeys     []Secret `toml:"data_keys" doc:"The keys that encrypt Mastodon's tokens in the database. The first one encrypts, all of them decrypt: to change the key put a new one first and keep the old one. As a file or credential: one key per line."`
	TokenKey     Secret   `toml:"token_key" doc:"The key for the stored hashes of chat passwords. Changing it makes every chat password invalid at once."`
	VerifySecret Secret   `toml:"verify_secret" doc:"What the XMPP server shows when it asks about a password (trunkline_secret in Prosody's configuration)."`

	ExtauthSecret    Secret `toml:"extauth_secret" optional:"" doc:"What trunkline extauth shows for ejabberd. Only with it is the address /extauth there."`
	EjabberdPassword Secret `toml:"ejabberd_password" optional:"" doc:"The password of ejabberd.api_user."`
	OAuthSecret      Secret `toml:"oauth_secret" optional:"" doc:"oauth_external_client_secret in Prosody's configuration."`
	AuthHTTPSecret   Secret `toml:"auth_http_secret" optional:"" doc:"The password in http_auth_credentials of Prosody's configuration."`
	LDAPSecret       Secret `toml:"ldap_secret" optional:"" doc:"The password of ldap.service_dn."`
	MUCSecret        Secret `toml:"muc_secret" optional:"" doc:"muc_http_auth_authorization_header in Prosody's configuration is the word Bearer, a space and this."`
	WebhookSecret    Secret `toml:"webhook_secret" optional:"" doc:"The signing secret that Mastodon shows for the webhook to /hooks/mastodon (Preferences, Administration, Webhooks; event account.updated)."`
	ListToken        Secret `toml:"list_token" optional:"" doc:"An access token of Mastodon with read:lists, for rooms that are open to a list's members."`
	JWTKey           Secret `toml:"jwt_key" optional:"" doc:"Makes the panel's passwords JSON web tokens that ejabberd checks by itself with the key that trunkline config jwk prints."`
	MastodonDBURL    Secret `toml:"mastodon_db_url" optional:"" doc:"postgres://… of Mastodon's own database, read-only: Mastodon passwords then work in chat apps, for people without a second factor. Read docs/mastodon-database.md before."`
	StorePassword    Secret `toml:"store_password" optional:"" doc:"The password for store.url, if PostgreSQL wants one."`
}

// Session is the section [session].
type Session struct {
	Idle      Duration `toml:"idle" default:"'14d'" doc:"A browser that was away for this long has to sign in again. Units: d, h, m, s."`
	Absolute  Duration `toml:"absolute" default:"'90d'" doc:"A browser has to sign in again after this long in any case."`
	CrossSite bool     `toml:"cross_site" default:"false" doc:"Set this if the chat origin is on another site than Mastodon (chat.example.net beside example.org). The session cookie is then sent in a frame of another site (SameSite=None; Partitioned), which some browsers still refuse. Better: use a subdomain of Mastodon's site."`
}

// Log is the section [log].
type Log struct {
	Level  string `toml:"level" default:"'info'" doc:"trace, debug, info, warn or error. At trace each frame that passes the gateway is logged by its structure: names, and the length of every text in its place."`
	Format string `toml:"format" default:"'text'" doc:"text or json."`
}

// InstanceHost returns the host of the Mastodon web site, without a port.
func (c *Config) InstanceHost() string {
	u, err := url.Parse(c.Mastodon.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// WebSocketURL returns the address of the gateway as browsers see it: the chat
// origin with ws or wss, and the path /xmpp-websocket.
func (c *Config) WebSocketURL() string {
	return "ws" + strings.TrimPrefix(c.Server.PublicURL, "http") + "/xmpp-websocket"
}

// TrustedProxies returns server.trusted_proxies as prefixes; a single address
// is a prefix of full length.
func (c *Config) TrustedProxies() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range c.Server.TrustedProxies {
		if p, err := parsePrefix(s); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// Network splits a listen address into what net.Listen takes: "tcp" and
// HOST:PORT, or "unix" and the path.
func Network(listen string) (network, address string) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", listen
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// isLoopback tells whether a host names this machine and nothing else.
func isLoopback(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Duration is a time.Duration that is written with days too: 14d, 36h, 90m.
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
