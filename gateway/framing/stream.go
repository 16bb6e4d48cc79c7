package framing

import (
	"strings"
	"unicode/utf8"
)

// Header is what opens a stream in one direction: <open/> (RFC 7395 §3.4) or <stream:stream> (RFC 6120 §4.7).
type Header struct {
	To, From, ID, Version, Lang string
}

// headerOf collects the attributes, which outlive the frame.
func headerOf(e *Element) Header {
	return Header{
		To:      strings.Clone(e.To()),
		From:    strings.Clone(e.From()),
		ID:      strings.Clone(e.ID()),
		Version: strings.Clone(e.Attr("version")),
		Lang:    strings.Clone(e.Lang()),
	}
}

// IsOpen reports whether e is an <open/> in RFC 7395's namespace.
func IsOpen(e *Element) bool { return e.Is(NSFraming, "open") }

// IsClose reports whether e is a <close/> in RFC 7395's namespace.
func IsClose(e *Element) bool { return e.Is(NSFraming, "close") }

// ParseOpen reads an <open/>. Errors: InvalidNamespace when e is anything else (a <stream:stream> or <open/> of another
// namespace, say), BadFormat when it holds elements, UnsupportedVersion when its version is not 1.x (RFC 6120 §4.7.5).
func ParseOpen(e *Element) (Header, error) {
	switch {
	case !IsOpen(e):
		return Header{}, fail(InvalidNamespace, 0, "a stream begins with <open/> in "+NSFraming)
	case e.First() != nil:
		return Header{}, fail(BadFormat, 0, "<open/> holds nothing")
	case !version1(e.Attr("version")):
		return Header{}, fail(UnsupportedVersion, 0, "the version of the stream is 1.0")
	}
	return headerOf(e), nil
}

// version1 reports whether v is 1 and a minor version of digits.
func version1(v string) bool {
	minor, ok := strings.CutPrefix(v, "1.")
	return ok && minor != "" && strings.Trim(minor, "0123456789") == ""
}

// AppendOpen writes <open/> with the attributes that are not "" (RFC 7395 §3.4). Version defaults to 1.0.
func AppendOpen(dst []byte, h Header) []byte {
	dst = append(dst, "<open xmlns='"+NSFraming+"'"...)
	return append(appendHeader(dst, h), "/>"...)
}

// AppendClose writes <close/>, with see-other-uri when it is not "" (RFC 7395 §3.6.1).
func AppendClose(dst []byte, seeOtherURI string) []byte {
	dst = append(dst, "<close xmlns='"+NSFraming+"'"...)
	return append(AppendAttr(dst, "see-other-uri", seeOtherURI), "/>"...)
}

// AppendStreamHeader writes an XML declaration and <stream:stream> for a jabber:client stream (RFC 6120 §4.7).
func AppendStreamHeader(dst []byte, h Header) []byte {
	dst = append(dst, "<?xml version='1.0'?><stream:stream xmlns='"+NSClient+"' xmlns:stream='"+NSStream+"'"...)
	return append(appendHeader(dst, h), '>')
}

func appendHeader(dst []byte, h Header) []byte {
	if h.Version == "" {
		h.Version = "1.0"
	}
	dst = AppendAttr(dst, "to", h.To)
	dst = AppendAttr(dst, "from", h.From)
	dst = AppendAttr(dst, "id", h.ID)
	dst = AppendAttr(dst, "version", h.Version)
	return AppendAttr(dst, "xml:lang", h.Lang)
}

// AppendStreamEnd writes </stream:stream> (RFC 6120 §4.4).
func AppendStreamEnd(dst []byte) []byte { return append(dst, "</stream:stream>"...) }

// AppendStreamError writes a <stream:error> that is complete in itself, for a frame (RFC 6120 §4.9.2, RFC 7395 §3.5), with
// a text when it is not "".
func AppendStreamError(dst []byte, c Condition, text string) []byte {
	dst = append(dst, "<stream:error xmlns:stream='"+NSStream+"'><"...)
	dst = append(append(dst, c...), " xmlns='"+NSStreams+"'/>"...)
	if text != "" {
		dst = append(dst, "<text xmlns='"+NSStreams+"' xml:lang='en'>"...)
		dst = append(AppendText(dst, text), "</text>"...)
	}
	return append(dst, "</stream:error>"...)
}

// AppendText writes s escaped as character data; characters XML does not allow become U+FFFD.
func AppendText(dst []byte, s string) []byte { return appendEscaped(dst, s) }

// AppendAttr writes name='value' with a space before it and the value escaped; nothing when the value is "".
func AppendAttr(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, ' '), name...), "='"...)
	return append(appendEscaped(dst, value), '\'')
}

// escapes holds what a byte is written as; white space other than the space would not survive in an attribute.
var escapes = [256]string{
	'<': "&lt;", '>': "&gt;", '&': "&amp;", '\'': "&apos;", '"': "&quot;",
	'\n': "&#10;", '\r': "&#13;", '\t': "&#9;",
}

func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		b := s[i]
		if escapes[b] != "" {
			dst = append(dst, escapes[b]...)
			i++
			continue
		}
		if class[b]&plainByte != 0 {
			dst = append(dst, b)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isChar(r) {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}
