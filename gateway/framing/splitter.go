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

// Item is one thing that Splitter found. Its Element and everything in it is valid until the next call of Next, Feed, Fill
// or Release; clone what has to live longer. Header is the caller's to keep.
type Item struct {
	Kind    Kind
	Header  Header   // StreamStart
	Element *Element // Stanza; Raw is namespace-complete: it stands alone as a frame
}

// Splitter cuts the bytes of an RFC 6120 stream into items, each read as strictly as a frame. White space between the items
// is a keep-alive and vanishes (RFC 6120 §4.6.1).
//
// An item that is there whole is read in one pass. Of one that is not, the scanner looks for the end as the bytes come in,
// and it is read when that is there: no way of cutting the bytes makes the work more than twice as much.
type Splitter struct {
	limits   Limits
	scan     scanner
	core     *core     // nil while idle
	bindings []binding // declared by the stream header
	root     string    // its name as written
	ended    bool
	err      error
}

// NewSplitter makes a Splitter at the beginning of a stream. It holds no memory until the first bytes.
func NewSplitter(l Limits) *Splitter { return &Splitter{limits: l.orDefaults()} }

// Fill reads once from r, into the Splitter's own memory, and returns what the read returned. After the end of the stream or
// an error the bytes are thrown away.
func (s *Splitter) Fill(r io.Reader) (n int, err error) {
	s.over()
	n, err = r.Read(s.scan.room())
	if n > 0 && s.err == nil && !s.ended {
		s.scan.took(n)
	}
	return n, err
}

// Feed adds bytes from the network. It copies p. After the end of the stream or an error they are ignored.
func (s *Splitter) Feed(p []byte) {
	s.over()
	if s.err == nil && !s.ended {
		s.scan.feed(p)
	}
}

// Release gives back the memory that is not needed while nothing arrives: all of it when Buffered is 0. Call it when the
// stream falls idle; the next Feed or Fill takes memory again.
func (s *Splitter) Release() {
	s.over()
	s.scan.release()
	if s.core != nil {
		s.core.release()
		s.core = nil
	}
}

// Buffered returns how many bytes wait for their rest.
func (s *Splitter) Buffered() int { return len(s.scan.buf) - s.scan.start }

// over ends the validity of the last item.
func (s *Splitter) over() {
	if poisoning {
		s.scan.poison()
		if s.core != nil {
			s.core.tree.reset()
		}
	}
}

// Next returns the next item, ErrNeedMore when the bytes fed so far hold none, or an *Error that every later call repeats.
func (s *Splitter) Next() (Item, error) {
	s.over()
	if s.err != nil {
		return Item{}, s.err
	}
	if s.ended {
		return Item{}, ErrNeedMore
	}
	if e := s.whole(); e != nil {
		return Item{Kind: Stanza, Element: e}, nil
	}
	kind, raw, err := s.scan.next(s.limits.MaxBytes)
	if err != nil {
		if err != ErrNeedMore {
			s.err = err
		}
		return Item{}, err
	}
	return s.item(kind, raw)
}

// whole reads the next element if it is there whole and right, else nothing: why not is for the scanner to say, which
// comes to the same however the bytes were cut.
func (s *Splitter) whole() *Element {
	src := s.scan.between(s.limits.MaxBytes)
	if len(src) < len("<a/>") || src[1] == '/' {
		return nil
	}
	e, end := s.read(src)
	if end < 0 {
		return nil
	}
	s.scan.skip(end)
	return e
}

// item reads what the scanner found.
func (s *Splitter) item(kind Kind, raw []byte) (item Item, err error) {
	item.Kind = kind
	switch kind {
	case StreamStart:
		item.Header, err = s.header(raw)
	case Stanza:
		item.Element, err = s.element(raw)
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

// parser is the memory to read with.
func (s *Splitter) parser() *core {
	if s.core == nil {
		s.core = cores.Get().(*core)
	}
	return s.core
}

// header reads <stream:stream> and remembers its declarations (RFC 6120 §4.7, §4.8).
func (s *Splitter) header(src []byte) (Header, error) {
	p := s.parser()
	p.begin(src, &s.limits, nil)
	end := p.startTag(0)
	if end < 0 {
		return Header{}, p.err()
	}
	e := p.tree.root()
	switch {
	case !e.Is(NSStream, "stream"):
		p.fail(InvalidNamespace, 0, "not the header of an XMPP stream")
		return Header{}, p.err()
	case end != len(src) || len(p.levels) != 1:
		p.fail(NotWellFormed, end, "the stream header does not end")
		return Header{}, p.err()
	}
	s.bindings = nil
	for _, b := range p.scope.bindings {
		name := xmlns
		if b.prefix != "" {
			name += ":" + b.prefix
		}
		s.bindings = append(s.bindings, binding{
			prefix: strings.Clone(b.prefix), uri: strings.Clone(b.uri), written: string(AppendAttr(nil, name, b.uri)),
		})
	}
	s.root = strings.Clone(p.str[p.levels[0].start:p.levels[0].end])
	return headerOf(e), nil
}

// element reads a first-level element that the scanner found.
func (s *Splitter) element(src []byte) (*Element, error) {
	e, end := s.read(src)
	switch {
	case end < 0:
		return nil, s.core.err()
	case end != len(src):
		return nil, fail(NotWellFormed, end, "an element that does not end where its tags say")
	}
	return e, nil
}

// read reads the first-level element at the beginning of src and declares in it what it takes from the stream header.
func (s *Splitter) read(src []byte) (e *Element, end int) {
	p := s.parser()
	p.begin(src, &s.limits, s.bindings)
	if e, end = p.element(); end < 0 {
		return nil, end
	}
	raw := p.tree.raw
	for i, b := range s.bindings {
		if !p.scope.used[i] {
			continue
		}
		if len(raw) == 0 {
			raw = append(raw, src[:nameEnd(src)]...)
		}
		raw = append(raw, b.written...)
	}
	if len(raw) > 0 {
		name := nameEnd(src)
		shift := len(raw) - name
		raw = append(raw, src[name:end]...)
		p.tree.place(raw, int32(shift))
		p.tree.raw = raw
	}
	return e, end
}

// nameEnd returns where the name of the element at the beginning of src ends.
func nameEnd(src []byte) int {
	i := 1
	for i < len(src) && src[i] != '>' && src[i] != '/' && !isSpace(src[i]) {
		i++
	}
	return i
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
