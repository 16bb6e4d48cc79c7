package framing

// Kind says what an Item is.
type Kind int

// What a stream consists of.
const (
	StreamStart Kind = iota + 1 // the stream header: Item.Header
	Stanza                      // a first-level element, stanza or not: Item.Element
	StreamEnd                   // the closing tag
)

// Item is one thing that Splitter found.
type Item struct {
	Kind    Kind
	Header  Header   // StreamStart
	Element *Element // Stanza; Raw is its own and namespace-complete: it stands alone as a frame
}

// Splitter cuts the bytes of an RFC 6120 stream into items. One stream each: Reset it when the stream restarts.
type Splitter struct{ limits Limits }

// NewSplitter makes a Splitter at the beginning of a stream.
func NewSplitter(l Limits) *Splitter { return &Splitter{limits: l.orDefaults()} }

// Feed adds bytes from the network. It copies p.
func (s *Splitter) Feed(p []byte) {}

// Next returns the next item, ErrNeedMore when the bytes fed so far hold none, or an *Error that every later call repeats.
func (s *Splitter) Next() (Item, error) { return Item{}, ErrNeedMore }

// Reset starts over at a stream header, as after SASL (RFC 6120 §6.4.6). Bytes not yet consumed are kept.
func (s *Splitter) Reset() {}

// Buffered returns how many bytes wait for their rest.
func (s *Splitter) Buffered() int { return 0 }
