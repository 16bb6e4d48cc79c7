package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/trunkline-chat/trunkline/internal/origin"
)

// The bounds of what can be configured.
const (
	minStanza   = 10_000 // RFC 6120, section 13.12
	maxStanza   = 16 << 20
	minIdle     = 5 * time.Minute
	maxAbsolute = 400 * 24 * time.Hour // browsers keep no cookie for longer
)

// check holds every rule about values. It also brings values into the one
// spelling that the program compares, and fills in what follows from others.
func (r *reader) check(c *Config) {
	r.checkServer(c)
	r.checkMastodon(c)
	r.checkXMPP(c)
	r.checkStore(c)
	r.checkSecrets(&c.Secrets)
	r.checkSession(c)
	r.checkFronts(c)
	r.oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	r.checkLimits(&c.Limits)
	r.oneOf("log.format", c.Log.Format, "text", "json")
	r.checkSites(c)
}

func (r *reader) checkServer(c *Config) {
	s := &c.Server
	r.origin("server.public_url", &s.PublicURL, "https://chat.example.org")
	r.listen("server.listen", s.Listen, "127.0.0.1:8080, or unix:/run/trunkline/public.sock")
	r.listen("server.private_listen", s.PrivateListen, "127.0.0.1:8081, or unix:/run/trunkline/private.sock")
	r.checkPrivate(s)
	for i := range s.ChatOrigins {
		r.origin("server.chat_origins", &s.ChatOrigins[i], "https://client.example.org")
	}
	r.checkShutdown(s)
	for _, p := range s.TrustedProxies {
		if _, err := parsePrefix(p); err != nil {
			r.mistake("server.trusted_proxies", fmt.Sprintf("has %q, which is neither an address nor a network", p), "write 192.0.2.1 or 192.0.2.0/24")
		}
	}
}

// checkPrivate holds what is asked of the private listener beyond its spelling.
func (r *reader) checkPrivate(s *Server) {
	const key = "server.private_listen"
	if r.bad[key] {
		return
	}
	if n := r.together("server.private_tls_cert", s.PrivateTLSCert, "server.private_tls_key", s.PrivateTLSKey,
		"server.private_client_ca", s.PrivateClientCA); n == 0 && !s.InsecurePrivateListen && Reachable(s.PrivateListen) {
		r.mistake(key, fmt.Sprintf("can be reached from other machines (%s)", s.PrivateListen),
			"use 127.0.0.1, or set private_tls_cert, private_tls_key and private_client_ca, or write insecure_private_listen = true if the network between is safe")
	}
	if !r.bad["server.listen"] && s.Listen == s.PrivateListen && !strings.HasSuffix(s.Listen, ":0") {
		r.mistake(key, "is the same as listen", "choose another port")
	}
}

func (r *reader) checkMastodon(c *Config) {
	m := &c.Mastodon
	r.origin("mastodon.url", &m.URL, "https://example.org")
	if m.Domain == "" && !r.bad["mastodon.url"] && !r.bad["mastodon.domain"] {
		m.Domain = c.InstanceHost()
	}
	if m.Domain != "" {
		r.domain("mastodon.domain", &m.Domain)
	}
	if m.AppName == "" && !r.bad["mastodon.app_name"] {
		r.mistake("mastodon.app_name", "is empty", "write the name that people shall see, such as \"Trunkline\"")
	}
	for i := range m.MediaOrigins {
		r.origin("mastodon.media_origins", &m.MediaOrigins[i], "https://files.example.org")
	}
	if !r.bad["server.public_url"] && !r.bad["mastodon.url"] && c.Server.PublicURL == m.URL {
		r.mistake("server.public_url", "is Mastodon's own address", "use a name of its own, such as https://chat.example.org: the chat must not run in Mastodon's origin")
	}
}

func (r *reader) checkXMPP(c *Config) {
	x := &c.XMPP
	if x.Domain == "" && !r.bad["xmpp.domain"] && !r.bad["mastodon.domain"] {
		x.Domain = c.Mastodon.Domain
	}
	if x.Domain != "" {
		r.domain("xmpp.domain", &x.Domain)
	}
	host := ""
	if x.Address != "" && !r.bad["xmpp.address"] {
		h, port, err := net.SplitHostPort(x.Address)
		if n, perr := strconv.Atoi(port); err != nil || perr != nil || h == "" || n < 1 || n > 65535 {
			r.mistake("xmpp.address", fmt.Sprintf("is not HOST:PORT (%q)", x.Address), "write 127.0.0.1:5222, or leave it empty to look it up in DNS")
		}
		host = h
	}
	r.oneOf("xmpp.tls", x.TLS, "auto", "starttls", "direct", "plain", "insecure-plain")
	if x.TLS == "plain" && !r.bad["xmpp.address"] && !isLoopback(host) {
		r.mistake("xmpp.tls", "is plain, but xmpp.address is not a loopback address", "use \"starttls\" or \"direct\"; \"insecure-plain\" sends passwords unencrypted")
	}
	r.oneOf("xmpp.server", x.Server, "auto", "prosody", "ejabberd")
	if slices.ContainsFunc(x.ForbiddenCommands, func(node string) bool { return strings.Trim(node, "/#") == "" }) {
		r.mistake("xmpp.forbidden_commands", "has an entry that names no command", "write the beginning of a node, or [] to forbid none")
	}
	if x.TLS == "insecure-plain" && !r.bad["xmpp.address"] && x.Address == "" {
		r.mistake("xmpp.tls", "is insecure-plain, but xmpp.address is empty", "write the address; what DNS says is not believed without TLS")
	}
	if !r.bad["xmpp.max_stanza_bytes"] && (x.MaxStanzaBytes < minStanza || x.MaxStanzaBytes > maxStanza) {
		r.mistake("xmpp.max_stanza_bytes", fmt.Sprintf("is %d", x.MaxStanzaBytes), fmt.Sprintf("choose between %d and %d", minStanza, maxStanza))
	}
}

func (r *reader) checkSession(c *Config) {
	s := &c.Session
	if !r.bad["session.idle"] && s.Idle.Std() < minIdle {
		r.mistake("session.idle", "is too short: "+s.Idle.Std().String(), "write at least 5m, such as \"14d\"")
	}
	if !r.bad["session.absolute"] && s.Absolute.Std() > maxAbsolute {
		r.mistake("session.absolute", "is longer than browsers keep a cookie", "write at most \"400d\"")
	}
	if !r.bad["session.absolute"] && !r.bad["session.idle"] && s.Absolute < s.Idle {
		r.mistake("session.absolute", "is shorter than session.idle", "make it the longer of the two")
	}
	if s.CrossSite && strings.HasPrefix(c.Server.PublicURL, "http://") {
		r.mistake("session.cross_site", "needs an https:// address", "browsers take such a cookie from https only; change server.public_url")
	}
}

// checkSites compares the sites of the two origins: a cookie of another site is
// not sent in a frame.
func (r *reader) checkSites(c *Config) {
	if r.bad["server.public_url"] || r.bad["mastodon.url"] || r.bad["session.cross_site"] {
		return
	}
	chat, instance := site(c.Server.PublicURL), site(c.Mastodon.URL)
	switch {
	case chat != instance && !c.Session.CrossSite:
		r.warn("server.public_url", fmt.Sprintf("is on another site (%s) than Mastodon (%s), so browsers will not send the session's cookie in the chat's frame", chat, instance),
			"use a subdomain of Mastodon's site, or set session.cross_site = true")
	case chat == instance && c.Session.CrossSite:
		r.warn("session.cross_site", "is not needed: both addresses are on "+chat, "remove it; the stricter cookie is safer")
	}
}

// site returns scheme and registrable domain, which is what browsers compare.
func site(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return origin
	}
	host := u.Hostname()
	if net.ParseIP(host) == nil {
		if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
			host = d
		}
	}
	return u.Scheme + "://" + host
}

// origin checks that *s is scheme://host[:port] and nothing more, and brings it
// into the spelling of the Origin header.
func (r *reader) origin(key string, s *string, example string) {
	if r.bad[key] {
		return
	}
	if *s == "" {
		r.mistake(key, "is missing", "write "+example)
		return
	}
	u, err := url.Parse(*s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		r.mistake(key, fmt.Sprintf("is not an address (%q)", *s), "write "+example)
		return
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		r.mistake(key, "has more than scheme and host", "write "+example)
		return
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		r.mistake(key, "is not encrypted", "use https://; http:// is for this machine's own addresses only")
		return
	}
	spelt, err := origin.Of(u)
	if err != nil {
		r.mistake(key, fmt.Sprintf("is not an address (%q)", *s), "write "+example)
		return
	}
	*s = spelt
}

// domain checks a host name and lower-cases it.
func (r *reader) domain(key string, s *string) {
	if r.bad[key] {
		return
	}
	lower := strings.ToLower(*s)
	if _, err := idna.Lookup.ToASCII(lower); err != nil || strings.ContainsAny(lower, "/@: \t") || strings.Trim(lower, ".") != lower {
		r.mistake(key, fmt.Sprintf("is not a domain (%q)", *s), "write it without https:// and @, such as example.org")
		return
	}
	*s = lower
}

// listen checks where a listener listens; example is what else to write.
func (r *reader) listen(key, s, example string) {
	if r.bad[key] {
		return
	}
	network, address := Network(s)
	if network == "unix" {
		if !filepath.IsAbs(address) {
			r.mistake(key, "is not the absolute path of a socket", "write "+example)
		}
		return
	}
	_, port, err := net.SplitHostPort(address)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		r.mistake(key, fmt.Sprintf("is not HOST:PORT (%q)", s), "write "+example)
	}
}

func (r *reader) oneOf(key, s string, words ...string) {
	if !r.bad[key] && !slices.Contains(words, s) {
		r.mistake(key, fmt.Sprintf("is %q", s), "choose one of: "+strings.Join(words, ", "))
	}
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}
