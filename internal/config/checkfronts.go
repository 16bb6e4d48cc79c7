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
		if net.ParseIP(c.SIP.Server) != nil {
			r.warn("sip.server", "is an address, for which no certificate and no records of the DNS can be made",
				"use a name, such as sip.example.org, for more than a test")
		}
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
	case !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api"):
		r.warn("ejabberd.api_url", "does not end in /api, where ejabberd.yml of docs/ejabberd.md has mod_http_api; unless yours has it elsewhere, no session is ended when its password is revoked",
			"compare it with request_handlers in ejabberd.yml; usually it is http://127.0.0.1:5280/api")
	}
	switch user, domain, ok := strings.Cut(e.APIUser, "@"); {
	case !ok || user == "" || domain == "":
		r.mistake("ejabberd.api_user", "is not an address", `write "trunkline@localhost"`)
	case strings.EqualFold(domain, c.XMPP.Domain):
		r.mistake("ejabberd.api_user", "is on the chat domain, where whoever has that name at Mastodon would have its rights",
			`make it on a host of its own, such as "trunkline@localhost"; see docs/ejabberd.md`)
	}
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
