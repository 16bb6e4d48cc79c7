package framing

// Namespaces that framing itself has to know.
const (
	NSFraming = "urn:ietf:params:xml:ns:xmpp-framing" // RFC 7395 §3.3.2
	NSStream  = "http://etherx.jabber.org/streams"    // RFC 6120 §4.8.1
	NSClient  = "jabber:client"                       // RFC 6120 §4.8.2
	NSStreams = "urn:ietf:params:xml:ns:xmpp-streams" // RFC 6120 §4.9.2
	NSStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas" // RFC 6120 §8.3.2
	NSXML     = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS   = "http://www.w3.org/2000/xmlns/"
)

// Name is an expanded XML name: the namespace itself, never a prefix.
type Name struct {
	Space string // "" is no namespace
	Local string
}

// Attr is one attribute that is not a namespace declaration, its value decoded and normalised (XML 1.0 §3.3.3).
// An attribute without a prefix has Name.Space "".
type Attr struct {
	Name  Name
	Value string
}
