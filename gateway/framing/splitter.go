package framing

import (
	"io"
	"strings"
)

// Kind says what an Item is.
type Kind int

// What a stream consists of.
const (
	StreamStart Kind = iota + 1 // the stream header: Item.Header
	Stanza                      // a first-level element, stanza or not: Item.Element
	StreamEnd                   // the closing tag
)

// Item is one thing that Splitter found. Its Element and everything in it is valid until the next call of Next, Feed, Fill or
// Release; clone what has to live longer. Header is the caller's to keep.
type Item struct {
	Kind    Kind
	Header  Header   // StreamStart
	Element *Element // Stanza; Raw is its own and namespace-complete: it stands alone as a frame
}

// Splitter cuts the bytes of an RFC 6120 stream into items. It looks for their ends only; each is then read as strictly as
// a frame. White space between the items is a keep-alive and vanishes (RFC 6120 §4.6.1).
type Splitter struct {
	limits   Limits
	scan     scanner
	bindings []binding // declared by the stream header
	root     string    // its name as written
	ended    bool
	err      error
}

// NewSplitter makes a Splitter at the beginning of a stream.
func NewSplitter(l Limits) *Splitter { return &Splitter{limits: l.orDefaults()} }

// readRoom is the least room that Fill gives a read.
const readRoom = 4 << 10

// Fill reads once from r, into the Splitter's own memory, and returns what the read returned. After the end of the stream or
// an error the bytes are thrown away.
func (s *Splitter) Fill(r io.Reader) (n int, err error) {
	n, err = r.Read(s.scan.room(readRoom))
	if s.err != nil || s.ended {
		return n, err
	}
	s.scan.took(n)
	return n, err
}

// Release gives back memory that is not needed while nothing arrives: all of it when Buffered is 0. Call it when the stream
// falls idle; the next Feed or Fill takes memory again.
func (s *Splitter) Release() { s.scan.release() }

// Feed adds bytes from the network. It copies p. After the end of the stream or an error they are ignored.
func (s *Splitter) Feed(p []byte) {
	if s.err == nil && !s.ended {
		s.scan.feed(p)
	}
}

// Next returns the next item, ErrNeedMore when the bytes fed so far hold none, or an *Error that every later call repeats.
func (s *Splitter) Next() (Item, error) {
	if s.err != nil {
		return Item{}, s.err
	}
	if s.ended {
		return Item{}, ErrNeedMore
	}
	kind, raw, err := s.scan.next(s.limits.MaxBytes)
	if err != nil {
		if err != ErrNeedMore {
			s.err = err
		}
		return Item{}, err
	}
	item := Item{Kind: kind}
	switch kind {
	case StreamStart:
		item.Header, err = s.header(string(raw))
	case Stanza:
		item.Element, err = s.element(string(raw))
	case StreamEnd:
		err = s.end(string(raw))
	}
	if err != nil {
		s.err = err
		return Item{}, err
	}
	return item, nil
}

// Reset starts over at a stream header, as after SASL (RFC 6120 §6.4.6). Bytes not yet consumed are kept.
func (s *Splitter) Reset() {
	s.scan.restart()
	s.bindings, s.root, s.ended, s.err = nil, "", false, nil
}

// Buffered returns how many bytes wait for their rest.
func (s *Splitter) Buffered() int { return len(s.scan.buf) - s.scan.start }

// header reads <stream:stream> and remembers its declarations (RFC 6120 §4.7, §4.8).
func (s *Splitter) header(src string) (Header, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	if err := checkChars(src); err != nil {
		return Header{}, err
	}
	p.begin(src, s.limits, nil)
	e, err := p.startTag()
	switch {
	case err != nil:
		return Header{}, err
	case !e.Is(NSStream, "stream"):
		return Header{}, fail(InvalidNamespace, 0, "not the header of an XMPP stream")
	case p.pos != len(src) || len(p.levels) != 1:
		return Header{}, fail(NotWellFormed, p.pos, "the stream header does not end")
	}
	s.bindings = append([]binding(nil), p.bindings...)
	s.root = p.levels[0].name
	return headerOf(e), nil
}

// element reads a first-level element and declares in it what it takes from the stream header.
func (s *Splitter) element(src string) (*Element, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	p.begin(src, s.limits, s.bindings)
	e, err := p.document()
	if err != nil {
		return nil, err
	}
	if p.pos != len(src) {
		return nil, fail(NotWellFormed, p.pos, "an element that does not end where its tags say")
	}
	name := 1
	for name < len(src) && src[name] != '>' && src[name] != '/' && !isSpace(src[name]) {
		name++
	}
	raw := append(make([]byte, 0, len(src)+64), src[:name]...)
	for i, b := range s.bindings {
		switch {
		case !p.used[i]:
		case b.prefix == "":
			raw = AppendAttr(raw, "xmlns", b.uri)
		default:
			raw = AppendAttr(raw, "xmlns:"+b.prefix, b.uri)
		}
	}
	shift := len(raw) - name
	e.setRaw(append(raw, src[name:]...), shift)
	return e, nil
}

// end checks that the closing tag is the header's.
func (s *Splitter) end(src string) error {
	name := strings.TrimRight(strings.TrimSuffix(strings.TrimPrefix(src, "</"), ">"), " \t\r\n")
	if name != s.root {
		return fail(NotWellFormed, 0, "an end tag that belongs to no start tag")
	}
	s.ended = true
	return nil
}
