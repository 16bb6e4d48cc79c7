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
	toNobody               // not an address
)

// target is the address a stanza goes to.
type target struct {
	class
	bare   string // normalised
	domain string
	full   bool // has a resource
}

// address is one that has been parsed, which costs more than all else about a message. People write several to the same.
type address struct {
	written      string
	bare, domain string // normalised
	local, full  bool   // has a localpart, a resource
	valid        bool
}

func readAddress(written string) address {
	a := address{written: strings.Clone(written)}
	j, err := jid.Parse(a.written)
	if err != nil {
		return a
	}
	a.bare, a.domain, a.valid = strings.Clone(j.Bare().String()), strings.Clone(j.Domainpart()), true
	a.local, a.full = j.Localpart() != "", j.Resourcepart() != ""
	return a
}

// own reports whether the target is the account or its server.
func (t target) own() bool { return t.class <= toServer }

// target classifies e's address. Anything that does not parse is toNobody, so that no rule takes it for harmless.
func (s *Stream) target(e *framing.Element) target {
	to, ok := e.Lookup("to")
	if !ok {
		return target{class: toAccount, bare: s.state.Bare}
	}
	if len(to) > maxAddress {
		return target{class: toNobody}
	}
	if to != s.last.written {
		s.last = readAddress(to)
	}
	j := &s.last
	if !j.valid {
		return target{class: toNobody}
	}
	t := target{bare: j.bare, domain: j.domain, full: j.full}
	_, joined := s.state.Directed[t.bare]
	switch {
	case t.bare == s.state.Bare && t.full:
		t.class = toSelf
	case t.bare == s.state.Bare:
		t.class = toAccount
	case !j.local && t.domain == s.state.Domain:
		t.class = toServer
	case joined && s.state.Directed[t.bare] == room:
		t.class = toRoom
	case !j.local:
		t.class = toService
	case t.full:
		t.class = toClient
	default:
		t.class = toPerson
	}
	return t
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
