package framing

// Limits bound what one frame or element may cost. A zero field means the default of the same name in ClientLimits. More than
// 1 GiB is never read.
type Limits struct {
	MaxBytes    int // length of one frame or element in bytes
	MaxDepth    int // nesting; the element itself has depth 1
	MaxAttrs    int // attributes of one element, namespace declarations included
	MaxElements int // elements in one frame or element
	TreeDepth   int // levels of the tree that are kept in Element, the element itself being 1; deeper ones are only checked

	// Trusted says that the bytes come from an XMPP server, which has parsed them itself: names may then hold the characters
	// beyond ASCII that XML allows in them.
	Trusted bool
}

// ClientLimits are for what a browser sends: below the 262,144 bytes at which common servers end the stream, with room for
// what the gateway may add.
var ClientLimits = Limits{MaxBytes: 262144 - 4096, MaxDepth: 64, MaxAttrs: 64, MaxElements: 8192, TreeDepth: 64}

// ServerLimits are for what an XMPP server sends. They are wide on purpose: a limit that a stanza of some third person could
// break would let that person end the stream of another, again and again.
var ServerLimits = Limits{MaxBytes: 8 << 20, MaxDepth: 1 << 18, MaxAttrs: 1 << 17, MaxElements: 1 << 21, TreeDepth: 4, Trusted: true}

// orDefaults fills the fields that are zero.
func (l Limits) orDefaults() Limits {
	fill := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	fill(&l.MaxBytes, ClientLimits.MaxBytes)
	fill(&l.MaxDepth, ClientLimits.MaxDepth)
	fill(&l.MaxAttrs, ClientLimits.MaxAttrs)
	fill(&l.MaxElements, ClientLimits.MaxElements)
	fill(&l.TreeDepth, ClientLimits.TreeDepth)
	l.MaxBytes = min(l.MaxBytes, 1<<30)
	return l
}
