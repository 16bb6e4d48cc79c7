package config

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

const (
	minEvery     = time.Minute
	maxGrace     = 30 * 24 * time.Hour
	minRetention = time.Hour
)

// checkFronts holds the rules about what answers XMPP and SIP servers.
func (r *reader) checkFronts(c *Config) {
	r.checkStanding(&c.Standing)
	r.checkEjabberd(c)
	r.checkLDAP(c)
	r.checkRooms(c)
	if c.OAuth.Issuer != "" {
		r.origin("oauth.issuer", &c.OAuth.Issuer, "https://chat.example.org")
	}
	for key, name := range map[string]string{"oauth.client_id": c.OAuth.ClientID, "auth_http.user": c.AuthHTTP.User} {
		if !r.bad[key] && (name == "" || !visible(name) || strings.Contains(name, ":")) {
			r.mistake(key, "is not a name of visible ASCII characters without a colon", `write "prosody"`)
		}
	}
	if c.SIP.Server != "" {
		r.domain("sip.server", &c.SIP.Server)
	}
	if d := c.Audit.Retention.Std(); !r.bad["audit.retention"] && d < minRetention {
		r.mistake("audit.retention", "is too short: "+d.String(), `write at least "1h", such as "30d"`)
	}
}

func (r *reader) checkStanding(s *Standing) {
	if d := s.Every.Std(); !r.bad["standing.every"] && d < minEvery {
		r.mistake("standing.every", "is too short: "+d.String(), `write at least "1m", such as "15m"`)
	}
	if d := s.Grace.Std(); !r.bad["standing.grace"] && (d < 2*s.Every.Std() || d > maxGrace) {
		r.mistake("standing.grace", "is "+d.String(), `write at least twice standing.every and at most "30d", such as "24h"`)
	}
}

func (r *reader) checkEjabberd(c *Config) {
	e := &c.Ejabberd
	if n := r.together("ejabberd.api_url", e.APIURL, "ejabberd.api_user", e.APIUser,
		"secrets.ejabberd_password", c.Secrets.EjabberdPassword.text); n < 3 || r.bad["ejabberd.api_url"] {
		return
	}
	u, err := url.Parse(e.APIURL)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "":
		r.mistake("ejabberd.api_url", fmt.Sprintf("is not an address (%q)", e.APIURL), "write http://127.0.0.1:5280/api")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		r.mistake("ejabberd.api_url", "is not encrypted", "use https://; http:// is for this machine's own addresses only")
	}
	switch user, domain, ok := strings.Cut(e.APIUser, "@"); {
	case !ok || user == "" || domain == "":
		r.mistake("ejabberd.api_user", "is not an address", `write "trunkline@localhost"`)
	case strings.EqualFold(domain, c.XMPP.Domain):
		r.mistake("ejabberd.api_user", "is on the chat domain, where whoever has that name at Mastodon would have its rights",
			`make it on a host of its own, such as "trunkline@localhost"; see docs/ejabberd.md`)
	}
}

func (r *reader) checkLDAP(c *Config) {
	l := &c.LDAP
	r.together("ldap.tls_cert", l.TLSCert, "ldap.tls_key", l.TLSKey)
	dcs := "dc=" + strings.Join(strings.Split(c.XMPP.Domain, "."), ",dc=")
	if l.Base == "" && !r.bad["ldap.base"] {
		l.Base = "ou=people," + dcs
	}
	if l.ServiceDN == "" && !r.bad["ldap.service_dn"] {
		l.ServiceDN = "cn=service," + dcs
	}
	for key, listen := range map[string]string{"ldap.listen": l.Listen, "ldap.listen_tls": l.ListenTLS} {
		if listen == "" || r.bad[key] {
			continue
		}
		r.listen(key, listen)
		switch {
		case r.bad[key]:
		case c.Secrets.LDAPSecret.IsZero():
			r.mistake(key, "is set, but secrets.ldap_secret is not", howSecret)
		case key == "ldap.listen_tls" && l.TLSCert == "":
			r.mistake(key, "needs a certificate", "set ldap.tls_cert and ldap.tls_key")
		case Reachable(listen) && l.TLSCert == "" && !l.InsecureLDAP:
			r.mistake(key, fmt.Sprintf("can be reached from other machines (%s)", listen),
				"use 127.0.0.1, or set ldap.tls_cert and ldap.tls_key, or write insecure_listen = true if the network between is safe")
		}
	}
}

// roomWords are the rules of a room that take something behind a colon.
var roomWords = []string{"followers:", "mutuals:", "list:", "account:"}

func (r *reader) checkRooms(c *Config) {
	if len(c.Rooms) > 0 && c.Secrets.MUCSecret.IsZero() && !r.bad["secrets.muc_secret"] {
		r.mistake("rooms", "is set, but secrets.muc_secret is not", howSecret)
	}
	for i, room := range c.Rooms {
		key := fmt.Sprintf("rooms.%d", i+1)
		local, domain, ok := strings.Cut(room.JID, "@")
		if !r.bad[key+".jid"] && (!ok || local == "" || domain == "" || strings.ContainsAny(domain, "@/*")) {
			r.mistake(key+".jid", fmt.Sprintf("is not the address of a room (%q)", room.JID), `write "tea@rooms.example.org", or "*@rooms.example.org" for every room there`)
		}
		if !r.bad[key+".allow"] && len(room.Allow) == 0 {
			r.mistake(key+".allow", "is missing", `write who may join, such as ["local"]`)
		}
		for _, rule := range room.Allow {
			if !isRoomRule(rule) && !r.bad[key+".allow"] {
				r.mistake(key+".allow", fmt.Sprintf("has %q, which is no rule", rule),
					"choose from: local, moderators, followers:NAME, mutuals:NAME, list:ID@NAME, account:NAME")
			}
		}
	}
}

func isRoomRule(rule string) bool {
	if rule == "local" || rule == "moderators" {
		return true
	}
	for _, word := range roomWords {
		if rest, ok := strings.CutPrefix(rule, word); ok {
			return rest != "" && visible(rest)
		}
	}
	return false
}

// together complains if some of the keys are set and others are not, and counts
// those that are. keys are pairs of a name and a value.
func (r *reader) together(pairs ...string) (set int) {
	missing := ""
	for i := 0; i < len(pairs); i += 2 {
		switch {
		case r.bad[pairs[i]]:
			return len(pairs) / 2
		case pairs[i+1] != "":
			set++
		default:
			missing = pairs[i]
		}
	}
	if missing != "" && set > 0 {
		names := []string{}
		for i := 0; i < len(pairs); i += 2 {
			names = append(names, pairs[i])
		}
		r.mistake(missing, "is missing", "these are set together or not at all: "+strings.Join(names, ", "))
	}
	return set
}

// Reachable reports whether other machines reach a listen address.
func Reachable(listen string) bool {
	network, address := Network(listen)
	host, _, err := net.SplitHostPort(address)
	return network == "tcp" && err == nil && !isLoopback(host)
}
