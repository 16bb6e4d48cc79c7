package ldap

import (
	"errors"
	"math"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// errMalformed means that a message is not as RFC 4511 has it; nothing of it
// can be trusted.
var errMalformed = errors.New("ldap: malformed message")

// request is one LDAPMessage (RFC 4511 section 4.1.1). Of bind, search and
// extended the one that op names is set.
type request struct {
	id       int64
	op       ber.Tag
	critical bool // a critical control is attached, of which we know none
	bind     bindRequest
	search   searchRequest
	extended extendedRequest
}

// bindRequest is section 4.2. simple is false for SASL and whatever else.
type bindRequest struct {
	version        int64
	name, password string
	simple         bool
}

// searchRequest is section 4.5.1, without what changes nothing for us.
type searchRequest struct {
	base       string
	scope      int64
	sizeLimit  int64
	typesOnly  bool
	filter     filter
	attributes []string
}

// extendedRequest is section 4.12.
type extendedRequest struct {
	name     string
	hasValue bool
}

// decode reads a message. Its errors are errMalformed.
func decode(p *ber.Packet) (request, error) {
	if !isElement(p, ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence) || len(p.Children) < 2 || len(p.Children) > 3 {
		return request{}, errMalformed
	}
	id, ok := integer(p.Children[0], ber.TagInteger)
	op := p.Children[1]
	if !ok || id < 1 || id > math.MaxInt32 || op.ClassType != ber.ClassApplication {
		return request{}, errMalformed
	}
	r := request{id: id, op: op.Tag}
	if len(p.Children) == 3 {
		if r.critical, ok = criticalControl(p.Children[2]); !ok {
			return request{}, errMalformed
		}
	}
	switch r.op {
	case goldap.ApplicationBindRequest:
		r.bind, ok = decodeBind(op)
	case goldap.ApplicationSearchRequest:
		r.search, ok = decodeSearch(op)
	case goldap.ApplicationExtendedRequest:
		r.extended, ok = decodeExtended(op)
	}
	if !ok {
		return request{}, errMalformed
	}
	return r, nil
}

func decodeBind(op *ber.Packet) (r bindRequest, ok bool) {
	if op.TagType != ber.TypeConstructed || len(op.Children) != 3 {
		return r, false
	}
	version, versionOK := integer(op.Children[0], ber.TagInteger)
	name, nameOK := octets(op.Children[1])
	if !versionOK || !nameOK || op.Children[2].ClassType != ber.ClassContext {
		return r, false
	}
	r = bindRequest{version: version, name: name}
	if auth := op.Children[2]; isElement(auth, ber.ClassContext, ber.TypePrimitive, 0) {
		r.simple, r.password = true, auth.Data.String()
	}
	return r, true
}

func decodeSearch(op *ber.Packet) (r searchRequest, ok bool) {
	if op.TagType != ber.TypeConstructed || len(op.Children) != 8 {
		return r, false
	}
	c := op.Children
	base, baseOK := octets(c[0])
	scope, scopeOK := integer(c[1], ber.TagEnumerated)
	deref, derefOK := integer(c[2], ber.TagEnumerated)
	size, sizeOK := integer(c[3], ber.TagInteger)
	time, timeOK := integer(c[4], ber.TagInteger)
	types, typesOK := boolean(c[5])
	if !baseOK || !scopeOK || !derefOK || !sizeOK || !timeOK || !typesOK {
		return r, false
	}
	inRange := scope >= goldap.ScopeBaseObject && scope <= goldap.ScopeWholeSubtree && deref >= 0 && deref <= 3 &&
		size >= 0 && size <= math.MaxInt32 && time >= 0 && time <= math.MaxInt32
	filter, filterOK := decodeFilter(c[6])
	if !inRange || !filterOK || !isElement(c[7], ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence) {
		return r, false
	}
	r = searchRequest{base: base, scope: scope, sizeLimit: size, typesOnly: types, filter: filter}
	for _, a := range c[7].Children {
		name, ok := octets(a)
		if !ok {
			return searchRequest{}, false
		}
		r.attributes = append(r.attributes, name)
	}
	return r, true
}

func decodeExtended(op *ber.Packet) (r extendedRequest, ok bool) {
	if op.TagType != ber.TypeConstructed || len(op.Children) < 1 || len(op.Children) > 2 {
		return r, false
	}
	if !isElement(op.Children[0], ber.ClassContext, ber.TypePrimitive, 0) {
		return r, false
	}
	r.name = op.Children[0].Data.String()
	if len(op.Children) == 2 {
		r.hasValue = true
		return r, isElement(op.Children[1], ber.ClassContext, ber.TypePrimitive, 1)
	}
	return r, true
}

// criticalControl says whether one of the controls must not be ignored
// (section 4.1.11).
func criticalControl(controls *ber.Packet) (critical, ok bool) {
	if !isElement(controls, ber.ClassContext, ber.TypeConstructed, 0) {
		return false, false
	}
	for _, c := range controls.Children {
		if !isElement(c, ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence) || len(c.Children) < 1 || len(c.Children) > 3 {
			return false, false
		}
		if _, ok := octets(c.Children[0]); !ok {
			return false, false
		}
		if len(c.Children) > 1 {
			if set, isBool := boolean(c.Children[1]); isBool && set {
				critical = true
			}
		}
	}
	return critical, true
}

func isElement(p *ber.Packet, class ber.Class, form ber.Type, tag ber.Tag) bool {
	return p != nil && p.ClassType == class && p.TagType == form && p.Tag == tag
}

func octets(p *ber.Packet) (string, bool) {
	if !isElement(p, ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString) {
		return "", false
	}
	return p.Data.String(), true
}

// integer reads an INTEGER or ENUMERATED of at most 8 bytes; of a longer one
// the decoder would make a zero.
func integer(p *ber.Packet, tag ber.Tag) (int64, bool) {
	if !isElement(p, ber.ClassUniversal, ber.TypePrimitive, tag) || len(p.ByteValue) == 0 || len(p.ByteValue) > 8 {
		return 0, false
	}
	n, ok := p.Value.(int64)
	return n, ok
}

func boolean(p *ber.Packet) (bool, bool) {
	if !isElement(p, ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean) || len(p.ByteValue) != 1 {
		return false, false
	}
	b, ok := p.Value.(bool)
	return b, ok
}
