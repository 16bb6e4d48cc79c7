package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

func (r *reader) checkLDAP(c *Config) {
	l := &c.LDAP
	r.together("ldap.tls_cert", l.TLSCert, "ldap.tls_key", l.TLSKey)
	r.checkNames(c)
	for key, listen := range map[string]string{"ldap.listen": l.Listen, "ldap.listen_tls": l.ListenTLS} {
		if listen == "" || r.bad[key] {
			continue
		}
		example := map[string]string{"ldap.listen": "127.0.0.1:3389", "ldap.listen_tls": "127.0.0.1:6636"}[key]
		r.listen(key, listen, example)
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
	if l.Listen == "" && l.ListenTLS == "" && !c.Secrets.LDAPSecret.IsZero() && !r.bad["ldap.listen"] && !r.bad["ldap.listen_tls"] {
		r.warn("secrets.ldap_secret", "is set, but nothing listens for LDAP", `set ldap.listen, such as "127.0.0.1:3389", or remove it`)
	}
}

// checkNames looks at the two names of the directory, and fills in those that
// follow from the domain.
func (r *reader) checkNames(c *Config) {
	l := &c.LDAP
	dcs := "dc=" + strings.Join(strings.Split(c.XMPP.Domain, "."), ",dc=")
	base := r.name("ldap.base", &l.Base, "ou=people,"+dcs)
	service := r.name("ldap.service_dn", &l.ServiceDN, "cn=service,"+dcs)
	switch {
	case base == nil || service == nil:
	case service.EqualFold(base):
		r.mistake("ldap.service_dn", "is the same as ldap.base", `write another name, such as "cn=service,`+dcs+`"`)
	case base.AncestorOfFold(service) && slices.ContainsFunc(service.RDNs[0].Attributes, isUID):
		r.mistake("ldap.service_dn", "is the name of a person: uid= below ldap.base", `write another name, such as "cn=service,`+dcs+`"`)
	}
}

// name reads a distinguished name (RFC 4514), or nil.
func (r *reader) name(key string, text *string, follows string) *ldap.DN {
	if r.bad[key] {
		return nil
	}
	if *text == "" {
		*text = follows
		dn, err := ldap.ParseDN(follows)
		if err != nil { // then there is something wrong with the domain
			return nil
		}
		return dn
	}
	dn, err := ldap.ParseDN(*text)
	if err != nil || len(dn.RDNs) == 0 {
		r.mistake(key, fmt.Sprintf("is not a distinguished name (%q)", *text), fmt.Sprintf("write it like this: %q", follows))
		return nil
	}
	return dn
}

// isUID knows the attribute that names people (RFC 4519, section 2.39).
func isUID(a *ldap.AttributeTypeAndValue) bool {
	return slices.ContainsFunc([]string{"uid", "userid", "0.9.2342.19200300.100.1.1"}, func(t string) bool {
		return strings.EqualFold(t, a.Type)
	})
}
