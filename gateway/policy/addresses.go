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

// own reports whether the target is the account or its server.
func (t target) own() bool { return t.class <= toServer }

// target classifies e's address. Anything that does not parse is toNobody, so that no rule takes it for harmless.
func (s *Stream) target(e *framing.Element) target {
	to, ok := e.Lookup("to")
	if !ok {
		return target{class: toAccount, bare: s.state.Bare}
	}
	j, err := jid.Parse(to)
	if err != nil {
		return target{class: toNobody}
	}
	t := target{bare: strings.Clone(j.Bare().String()), domain: strings.Clone(j.Domainpart()), full: j.Resourcepart() != ""}
	_, joined := s.state.Directed[t.bare]
	switch {
	case t.bare == s.state.Bare && t.full:
		t.class = toSelf
	case t.bare == s.state.Bare:
		t.class = toAccount
	case j.Localpart() == "" && t.domain == s.state.Domain:
		t.class = toServer
	case joined && s.state.Directed[t.bare] == room:
		t.class = toRoom
	case j.Localpart() == "":
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
