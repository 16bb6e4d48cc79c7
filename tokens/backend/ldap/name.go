package ldap

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"
)

// maxName bounds a name as RFC 7622 bounds a localpart, in bytes.
const maxName = 1023

// uidTypes are the spellings of the one attribute that names people
// (RFC 4519 section 2.39).
var uidTypes = []string{"uid", "userid", "0.9.2342.19200300.100.1.1"}

func isUID(attribute string) bool { return isOneOf(attribute, uidTypes) }

// classTypes are the spellings of objectClass (RFC 4512 section 3.3).
var classTypes = []string{"objectClass", "2.5.4.0"}

func isObjectClass(attribute string) bool { return isOneOf(attribute, classTypes) }

func isOneOf(s string, list []string) bool {
	for _, l := range list {
		if strings.EqualFold(s, l) {
			return true
		}
	}
	return false
}

// parseDN reads a distinguished name (RFC 4514).
func parseDN(text string) (*goldap.DN, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("ldap: a distinguished name is not UTF-8")
	}
	dn, err := goldap.ParseDN(text)
	if err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	return dn, nil
}

// person is the name in a DN of the form uid=NAME,BASE. ok is false for every
// other DN.
func (s *Server) person(dn *goldap.DN) (name string, ok bool) {
	if len(dn.RDNs) != len(s.base.RDNs)+1 || !s.base.AncestorOfFold(dn) {
		return "", false
	}
	first := dn.RDNs[0].Attributes
	if len(first) != 1 || !isUID(first[0].Type) {
		return "", false
	}
	return normalName(first[0].Value)
}

// personDN is the DN of a person's entry.
func (s *Server) personDN(name string) string {
	return "uid=" + goldap.EscapeDN(name) + "," + s.baseText
}

// normalName is the name as accounts have it. ok is false for what cannot be
// one. Only ASCII letters lose their case: no other letter turns into one.
func normalName(name string) (normal string, ok bool) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name), true
}
