package ldap

import (
	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// result is an LDAPResult (RFC 4511 section 4.1.9). text is for people.
type result struct {
	code int64
	text string
}

var success = result{code: goldap.LDAPResultSuccess}

// entry is a SearchResultEntry (section 4.5.2).
type entry struct {
	dn         string
	attributes []attribute
}

type attribute struct {
	name   string
	values []string
}

// answerTo is the tag of the response to a request (section 4.2 and on). ok is
// false for what has none, or is no request.
func answerTo(op ber.Tag) (tag ber.Tag, ok bool) {
	switch op {
	case goldap.ApplicationBindRequest, goldap.ApplicationModifyRequest, goldap.ApplicationAddRequest, goldap.ApplicationDelRequest,
		goldap.ApplicationModifyDNRequest, goldap.ApplicationCompareRequest, goldap.ApplicationExtendedRequest:
		return op + 1, true
	case goldap.ApplicationSearchRequest:
		return goldap.ApplicationSearchResultDone, true
	default:
		return 0, false
	}
}

// envelope wraps an operation into an LDAPMessage.
func envelope(id int64, op *ber.Packet) []byte {
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	message.AppendChild(op)
	return message.Bytes()
}

func encodeResult(tag ber.Tag, r result) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, r.code, ""))
	op.AppendChild(octetString("")) // matchedDN
	op.AppendChild(octetString(r.text))
	return op
}

func octetString(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func encodeEntry(e entry, typesOnly bool) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octetString(e.dn))
	list := ber.NewSequence("")
	for _, a := range e.attributes {
		one, values := ber.NewSequence(""), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		if !typesOnly {
			for _, v := range a.values {
				values.AppendChild(octetString(v))
			}
		}
		one.AppendChild(octetString(a.name))
		one.AppendChild(values)
		list.AppendChild(one)
	}
	op.AppendChild(list)
	return op
}

// The context tags of an ExtendedResponse (section 4.12).
const (
	tagResponseName  = 10
	tagResponseValue = 11
)

// encodeExtended is an ExtendedResponse; without a name if that is empty,
// without a value if that is nil.
func encodeExtended(r result, name string, value *string) *ber.Packet {
	op := encodeResult(goldap.ApplicationExtendedResponse, r)
	if name != "" {
		op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, tagResponseName, name, ""))
	}
	if value != nil {
		op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, tagResponseValue, *value, ""))
	}
	return op
}
