package policy

import (
	"strings"

	"mellium.im/xmpp/jid"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// class is what an address is to the person of the stream.
type class int

const (
	toAccount class = iota // none, or the own bare JID: servers treat both as the account itself
	toSelf                 // a full JID of the account
	toServer               // the own domain
	toRoom                 // a room that was joined, or someone in it
	toService              // another domain, without a localpart
	toPerson               // someone's bare JID, as far as anyone can tell
	toClient               // someone's full JID
	toNobody               // not an address, or one that reads as the account's or the own domain's to some servers only
)

// target is the address a stanza goes to.
type target struct {
	class
	bare   string // normalised
	domain string
	wide   string // the domain, folded
	local  bool   // has a localpart
	full   bool   // has a resource
	all    bool   // the resource is one to which announcements to everybody go
}

// address is one that has been parsed, which costs more than all else about a message. People write several to the same.
type address struct {
	written      string
	bare, domain string // normalised
	wide         folded
	local, full  bool // has a localpart, a resource
	all          bool // the resource is one to which announcements to everybody go
	valid        bool

	// Whether the whole, and whether the domain, is written in a way that some server may not normalise as we do.
	loose, looseDomain bool
}

// folded are the two parts that matter of an address, see fold. Those of an address that is not valid are never compared.
type folded struct{ bare, domain string }

func foldAddress(bare, domain string) folded {
	wide := foldDomain(domain)
	local, _, ok := strings.Cut(bare, "@")
	switch {
	case !ok:
		return folded{wide, wide}
	case wide == domain && ascii(local):
		return folded{bare, domain}
	}
	return folded{fold(local) + "@" + wide, wide}
}

func readAddress(written string) address {
	a := address{written: strings.Clone(written)}
	j, err := jid.Parse(a.written)
	if err != nil {
		// Prosody splits an address anew when it has prepared it, and finds what was no '@' or '/' before. To ejabberd a localpart
		// of which nothing is left is none.
		bare, resource, full := strings.Cut(fold(a.written), "/")
		a.local, a.full, a.all = strings.Index(bare, "@") > 0, full, toAll(resource)
		return a
	}
	a.bare, a.domain, a.valid = strings.Clone(j.Bare().String()), strings.Clone(j.Domainpart()), true
	a.local, a.full = j.Localpart() != "", j.Resourcepart() != ""
	a.all = a.full && !a.local && toAll(fold(j.Resourcepart()))
	a.wide = foldAddress(a.bare, a.domain)
	local, domain, _, _ := jid.SplitString(a.written)
	a.looseDomain = strings.HasSuffix(domain, ".") || !ascii(domain) && domain != a.domain
	a.loose = a.looseDomain || !ascii(local) && local != j.Localpart()
	return a
}

// toAll reports whether a folded resource of a domain is one to which Prosody's and ejabberd's announcements go.
func toAll(resource string) bool { return strings.HasPrefix(resource, "announce") }

// own reports whether the target is the account or its server.
func (t target) own() bool { return t.class <= toServer }

// target classifies e's address. Anything that does not parse is toNobody, so that no rule takes it for harmless.
func (s *Stream) target(e *framing.Element) target {
	to, ok := e.Lookup("to")
	if !ok {
		return target{class: toAccount, bare: s.state.Bare}
	}
	if len(to) > maxAddress {
		return target{class: toNobody, full: true}
	}
	if to != s.last.written {
		s.last = readAddress(to)
	}
	j := &s.last
	return target{class: s.classify(j), bare: j.bare, domain: j.domain, wide: j.wide.domain, local: j.local, full: j.full, all: j.all}
}

func (s *Stream) classify(a *address) class {
	switch {
	case !a.valid || s.alias(a):
		return toNobody
	case a.bare == s.state.Bare && a.full:
		return toSelf
	case a.bare == s.state.Bare:
		return toAccount
	case !a.local && a.domain == s.state.Domain:
		return toServer
	case s.state.Directed[a.bare] == room:
		return toRoom
	case !a.local:
		return toService
	case a.full:
		return toClient
	}
	return toPerson
}

// alias reports whether some servers take a for the account's address or for one of its domain, and others may not: what is good for
// the one is bad for the other. Clients write their own address, and their domain, as the server does.
func (s *Stream) alias(a *address) bool {
	return a.wide.domain == s.wide.domain && (a.looseDomain || a.domain != s.state.Domain) ||
		a.wide.bare == s.wide.bare && (a.loose || a.bare != s.state.Bare)
}

// fromServer reports whether a stanza of the server speaks for the account: only the server itself can send those.
func (s *Stream) fromServer(e *framing.Element) bool {
	from, ok := e.Lookup("from")
	if !ok {
		return true
	}
	j, err := jid.Parse(from)
	if err != nil {
		return false
	}
	return j.Bare().String() == s.state.Bare || j.Localpart() == "" && j.Domainpart() == s.state.Domain
}

// servesRoom reports whether domain is that of a room that was joined.
func (s *Stream) servesRoom(domain string) bool {
	for bare, kind := range s.state.Directed {
		if kind == room && strings.HasSuffix(bare, "@"+domain) {
			return true
		}
	}
	return false
}

// identity checks and normalises who the stream belongs to.
func (id Identity) normal() (Identity, error) {
	bare, err := jid.Parse(id.Bare)
	if err != nil {
		return id, err
	}
	domain, err := jid.Parse(id.Domain)
	if err != nil {
		return id, err
	}
	id.Bare, id.Domain = bare.Bare().String(), domain.Domainpart()
	return id, nil
}
