package ldap

import (
	"slices"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// filter is what a search filter (RFC 4511 section 4.5.1.7) asks, as far as we
// answer it: the uids that must be equal, and object classes that must be there.
type filter struct {
	uids    []string // as they came; more than one is not answered
	classes []string
	other   bool // it asks something else too, and is not answered
}

// decodeFilter reads a filter. ok is false for what is no filter at all. The
// decoder has bounded the depth.
func decodeFilter(p *ber.Packet) (f filter, ok bool) {
	ok = f.add(p)
	return f, ok
}

// add takes one more condition that must hold.
func (f *filter) add(p *ber.Packet) bool {
	if p == nil || p.ClassType != ber.ClassContext {
		return false
	}
	switch p.Tag {
	case goldap.FilterAnd:
		if p.TagType != ber.TypeConstructed {
			return false
		}
		for _, c := range p.Children {
			if !f.add(c) {
				return false
			}
		}
		return true
	case goldap.FilterEqualityMatch:
		return f.addEquality(p)
	case goldap.FilterPresent:
		if p.TagType != ber.TypePrimitive {
			return false
		}
		f.other = f.other || !isObjectClass(p.Data.String())
		return true
	case goldap.FilterOr, goldap.FilterNot, goldap.FilterSubstrings, goldap.FilterGreaterOrEqual,
		goldap.FilterLessOrEqual, goldap.FilterApproxMatch, goldap.FilterExtensibleMatch:
		f.other = true
		return p.TagType == ber.TypeConstructed
	default: // RFC 4511 section 4.5.1.7: a choice that is not known is Undefined
		f.other = true
		return true
	}
}

func (f *filter) addEquality(p *ber.Packet) bool {
	if p.TagType != ber.TypeConstructed || len(p.Children) != 2 {
		return false
	}
	attribute, attributeOK := octets(p.Children[0])
	value, valueOK := octets(p.Children[1])
	switch {
	case !attributeOK || !valueOK:
		return false
	case isUID(attribute):
		f.uids = append(f.uids, value)
	case isObjectClass(attribute):
		f.classes = append(f.classes, value)
	default:
		f.other = true
	}
	return true
}

// isClassOf says whether entries of these classes pass what the filter asks of
// objectClass.
func (f filter) isClassOf(classes []string) bool {
	return !slices.ContainsFunc(f.classes, func(c string) bool { return !isOneOf(c, classes) })
}
