package framing

// Header is what opens a stream in one direction: <open/> (RFC 7395 §3.4) or <stream:stream> (RFC 6120 §4.7).
type Header struct {
	To, From, ID, Version, Lang string
}

// IsOpen reports whether e is an <open/> in RFC 7395's namespace.
func IsOpen(e *Element) bool { return e.Is(NSFraming, "open") }

// IsClose reports whether e is a <close/> in RFC 7395's namespace.
func IsClose(e *Element) bool { return e.Is(NSFraming, "close") }

// ParseOpen reads an <open/>. Errors: InvalidNamespace when e is anything else (a <stream:stream> or <open/> of another
// namespace, say), BadFormat when it holds elements, UnsupportedVersion when its version is not 1.x.
func ParseOpen(e *Element) (Header, error) { return Header{}, fail(InvalidNamespace, 0, "not yet") }

// AppendOpen writes <open/> with the attributes that are not "" (RFC 7395 §3.4). Version defaults to 1.0.
func AppendOpen(dst []byte, h Header) []byte { return dst }

// AppendClose writes <close/>, with see-other-uri when it is not "" (RFC 7395 §3.6.1).
func AppendClose(dst []byte, seeOtherURI string) []byte { return dst }

// AppendStreamHeader writes an XML declaration and <stream:stream> for a jabber:client stream (RFC 6120 §4.7).
func AppendStreamHeader(dst []byte, h Header) []byte { return dst }

// AppendStreamEnd writes </stream:stream> (RFC 6120 §4.4).
func AppendStreamEnd(dst []byte) []byte { return dst }

// AppendStreamError writes a <stream:error> that is complete in itself, for a frame (RFC 6120 §4.9.2, RFC 7395 §3.5), with
// a text when it is not "".
func AppendStreamError(dst []byte, c Condition, text string) []byte { return dst }

// ToServer returns the bytes to send for a parsed frame on a jabber:client stream: those that were parsed, so that the
// server reads what the policy read. They share memory with e.
func ToServer(e *Element) []byte { return e.Raw }

// AppendText writes s escaped as character data; characters XML does not allow become U+FFFD.
func AppendText(dst []byte, s string) []byte { return dst }

// AppendAttr writes name='value' with a space before it and the value escaped; nothing when the value is "".
func AppendAttr(dst []byte, name, value string) []byte { return dst }
