// Package framingtest holds frames for tests: such as no server must ever see, and such as are well.
package framingtest

import (
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Case is one hostile frame and how the stream has to end for it, with the limits of framing.ClientLimits.
type Case struct {
	Name   string
	Frame  []byte
	Binary bool // to be sent as a binary WebSocket message

	// WellFormed frames pass framing; it is gateway/policy that ends the stream, on a stream that is bound.
	WellFormed bool

	WantCondition framing.Condition
	WantClose     int // WebSocket close code
}

// Marker stands somewhere in every hostile frame that is long enough for it: a server that saw it saw too much.
const Marker = "tl-hostile"

// Hostile returns the frames. Each call makes new ones.
func Hostile() []Case {
	var all []Case
	for _, part := range [][]Case{notOneElement(), restricted(), malformed(), characters(), namespaces(), sizes(), forbidden()} {
		all = append(all, part...)
	}
	for i := range all {
		c := &all[i]
		if c.WantClose == 0 {
			c.WantClose = c.WantCondition.CloseCode()
		}
	}
	return all
}

const (
	message = "<message xmlns='jabber:client' to='victim@social.example' id='" + Marker + "'><body>" + Marker + "</body></message>"
	stream  = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
)

func bad(name string, c framing.Condition, frame string) Case {
	return Case{Name: name, Frame: []byte(frame), WantCondition: c}
}

func notOneElement() []Case {
	const c = framing.NotWellFormed
	return []Case{
		bad("empty frame", c, ""),
		bad("white space only", c, " \n"),
		bad("white space before the element", c, " "+message),
		bad("text only", c, Marker),
		bad("two elements", c, message+message),
		bad("two elements with white space between", c, message+"\n"+message),
		bad("text before", c, "a"+message),
		bad("text after", c, message+"a"),
		bad("byte order mark before", c, "\ufeff"+message),
		bad("end of the stream", c, "</stream:stream>"),
		bad("end of the stream after a stanza", c, message+"</stream:stream>"),
		bad("end of the stream within a stanza", c, "<message xmlns='jabber:client' id='"+Marker+"'></stream:stream>"),
		bad("stream header", c, "<stream:stream "+stream+" to='"+Marker+"'>"),
		bad("element that does not end", c, "<message xmlns='jabber:client'><body>"+Marker+"</body>"),
		bad("CDATA section around nothing else", c, "<![CDATA["+Marker+"]]>").with(framing.RestrictedXML),
		{Name: "binary message", Frame: []byte(message), Binary: true, WantCondition: framing.BadFormat, WantClose: framing.CloseUnsupported},
	}
}

func (c Case) with(condition framing.Condition) Case {
	c.WantCondition = condition
	return c
}

func restricted() []Case {
	const c = framing.RestrictedXML
	in := func(s string) string {
		return "<message xmlns='jabber:client' id='" + Marker + "'><body>" + s + "</body></message>"
	}
	return []Case{
		bad("XML declaration", c, "<?xml version='1.0'?>"+message),
		bad("document type", c, "<!DOCTYPE message>"+message),
		bad("document type with entities", c,
			"<!DOCTYPE m [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>"+in("&b;")),
		bad("document type with an external entity", c, "<!DOCTYPE m [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"+in("&x;")),
		bad("processing instruction before", c, "<?php "+Marker+"?>"+message),
		bad("processing instruction within", c, in("<?x y?>")),
		bad("comment before", c, "<!-- "+Marker+" -->"+message),
		bad("comment within", c, in("<!-- -->")),
		bad("comment that hides an end", c, in("<!--</body></message><presence/>-->")),
		bad("comment after", c, message+"<!-- -->").with(framing.NotWellFormed),
		bad("entity beyond the five", c, in("&nbsp;")),
		bad("entity in an attribute", c, "<message xmlns='jabber:client' id='"+Marker+"&nbsp;'/>"),
		bad("element declaration within", c, in("<!ELEMENT a ANY>")),
	}
}

func malformed() []Case {
	const c = framing.NotWellFormed
	in := func(s string) string { return "<message xmlns='jabber:client' id='" + Marker + "'>" + s + "</message>" }
	return []Case{
		bad("tags crossed", c, in("<body><b></body></b>")),
		bad("end tag of another case", c, in("<body></BODY>")),
		bad("end tag with another prefix", c, in("<a:b xmlns:a='urn:a' xmlns:c='urn:a'></c:b>")),
		bad("end tag too many", c, in("</body>")),
		bad("attribute twice", c, in("<body a='1' a='2'/>")),
		bad("attribute twice by two prefixes", c, in("<x xmlns:a='urn:a' xmlns:b='urn:a' a:t='1' b:t='2'/>")),
		bad("namespace declared twice", c, in("<x xmlns='urn:a' xmlns='urn:b'/>")),
		bad("namespace with a line feed", c, in("<x xmlns='urn:a&#10;b'/>")).with(framing.BadFormat),
		bad("namespace of a prefix with a line feed", c, in("<p:x xmlns:p='urn:a&#xA;'/>")).with(framing.BadFormat),
		bad("namespace with a carriage return", c, in("<x xmlns='urn:a&#13;b'/>")).with(framing.BadFormat),
		bad("attribute without quotes", c, in("<body a=1/>")),
		bad("attribute without a value", c, in("<body a/>")),
		bad("attributes without a space", c, in("<body a='1'b='2'/>")),
		bad("less-than in an attribute", c, in("<body a='<'/>")),
		bad("quote that does not end", c, "<message xmlns='jabber:client' id='"+Marker+"/>"),
		bad("space before the name", c, in("< body/>")),
		bad("no name", c, in("<>")),
		bad("name that begins with a digit", c, in("<1a/>")),
		bad("name with two colons", c, in("<a:b:c xmlns:a='urn:a'/>")),
		bad("name beyond ASCII", c, in("<b\u00f6dy/>")),
		bad("ampersand alone", c, in("<body>a & b</body>")),
		bad("reference without an end", c, in("<body>&amp</body>")),
		bad("reference to NUL", c, in("<body>&#0;</body>")),
		bad("reference to a surrogate", c, in("<body>&#xD800;</body>")),
		bad("reference beyond Unicode", c, in("<body>&#x110000;</body>")),
		bad("end of CDATA in text", c, in("<body>]]></body>")),
		bad("CDATA that does not end", c, in("<body><![CDATA[ </body>")),
		bad("slash in the middle of a tag", c, in("<body / >")),
	}
}

func characters() []Case {
	in := func(s string) string {
		return "<message xmlns='jabber:client' id='" + Marker + "'><body>" + s + "</body></message>"
	}
	const enc, wf = framing.UnsupportedEncoding, framing.NotWellFormed
	return []Case{
		bad("broken UTF-8", enc, in("\xff\xfe")),
		bad("UTF-8 cut short", enc, in("\xc3")),
		bad("UTF-8 longer than need be", enc, in("\xc0\xbc")),
		bad("surrogate in UTF-8", enc, in("\xed\xa0\x80")),
		bad("UTF-16", enc, "\xff\xfe<\x00m\x00>\x00"),
		bad("NUL", wf, in("\x00")),
		bad("control character", wf, in("\x1b[2J")),
		bad("not a character", wf, in("\uffff")),
		bad("control character in an attribute", wf, "<message xmlns='jabber:client' id='"+Marker+"\x01'/>"),
	}
}

func namespaces() []Case {
	const c = framing.BadNamespacePrefix
	return []Case{
		bad("prefix of the element not declared", c, "<stream:error><"+Marker+"/></stream:error>"),
		bad("prefix of a child not declared", c, "<message xmlns='jabber:client'><tl:hostile id='"+Marker+"'/></message>"),
		bad("prefix of an attribute not declared", c, "<message xmlns='jabber:client' a:id='"+Marker+"'/>"),
		bad("prefix declared only beside", c, "<message xmlns='jabber:client'><a xmlns:p='urn:p'/><p:b id='"+Marker+"'/></message>"),
		bad("prefix undeclared again", c, "<message xmlns='jabber:client' xmlns:p='urn:p'><a xmlns:p=''/></message>"),
		bad("prefix xml bound elsewhere", c, "<message xmlns='jabber:client' xmlns:xml='urn:x'/>"),
		bad("prefix xmlns bound", c, "<message xmlns='jabber:client' xmlns:xmlns='urn:x'/>"),
		bad("namespace of declarations bound", c, "<message xmlns='jabber:client' xmlns:p='http://www.w3.org/2000/xmlns/'/>"),
		bad("namespace of declarations as default", c, "<message xmlns='http://www.w3.org/2000/xmlns/'/>"),
		bad("xml namespace under another prefix", c, "<message xmlns='jabber:client' xmlns:p='"+framing.NSXML+"'/>"),
	}
}

func sizes() []Case {
	const c = framing.PolicyViolation
	in := func(s string) string { return "<message xmlns='jabber:client' id='" + Marker + "'>" + s + "</message>" }
	big := bad("1 MiB", c, in("<body>"+strings.Repeat("a", 1<<20)+"</body>"))
	big.WantClose = framing.CloseTooBig
	edge := bad("one byte too many", c, in("<body>"+strings.Repeat("a", framing.ClientLimits.MaxBytes-len(in("<body></body>"))+1)+"</body>"))
	edge.WantClose = framing.CloseTooBig
	var attrs strings.Builder
	for i := range 100 {
		attrs.WriteString(" a" + strings.Repeat("a", i) + "=''")
	}
	return []Case{
		big, edge,
		bad("depth 10,000", c, in(strings.Repeat("<a>", 10_000)+strings.Repeat("</a>", 10_000))),
		bad("depth 10,000, never closed", c, strings.Repeat("<a>", 10_000)),
		bad("100 attributes", c, in("<body"+attrs.String()+"/>")),
		bad("20,000 elements", c, in(strings.Repeat("<a/>", 20_000))),
	}
}

func forbidden() []Case {
	wf := func(name string, c framing.Condition, frame string) Case {
		return Case{Name: name, Frame: []byte(frame), WellFormed: true, WantCondition: c}
	}
	const ns, kind = framing.InvalidNamespace, framing.UnsupportedStanzaType
	return []Case{
		wf("stanza without a namespace", ns, "<message to='victim@social.example'><body>"+Marker+"</body></message>"),
		wf("stanza of a server", ns, "<presence xmlns='jabber:server' id='"+Marker+"'/>"),
		wf("stanza of a component", ns, "<iq xmlns='jabber:component:accept' type='get' id='"+Marker+"'/>"),
		wf("namespace in another case", ns, "<message xmlns='JABBER:CLIENT' id='"+Marker+"'/>"),
		wf("stanza that does not exist", kind, "<query xmlns='jabber:client' id='"+Marker+"'/>"),
		wf("stanza name in another case", kind, "<Presence xmlns='jabber:client' id='"+Marker+"'/>"),
		wf("whole stream", kind, "<stream:stream "+stream+" to='"+Marker+"'/>"),
		wf("STARTTLS", kind, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls' id='"+Marker+"'/>"),
		wf("compression", kind, "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"),
		wf("SASL2", kind, "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>"+Marker+"</initial-response></authenticate>"),
		wf("SASL on a stream that has it behind itself", kind, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>"),
		wf("component handshake", kind, "<handshake xmlns='jabber:component:accept'>"+Marker+"</handshake>"),
		wf("dialback", kind, "<db:result xmlns:db='jabber:server:dialback' to='a' from='b'>"+Marker+"</db:result>"),
		wf("element of no one's", kind, "<"+Marker+" xmlns='urn:example:x'/>"),
	}
}
