package framing

import (
	"bytes"
	"slices"
)

// scanner finds where the items of a stream end, keeping its place between reads. Depth counts open elements, the stream
// itself being 1.
type scanner struct {
	buf      []byte
	start    int // of the item under way
	pos      int // next byte to look at
	state    state
	quote    byte
	depth    int
	declared bool // the XML declaration has been read
}

// state is what pos stands in.
type state int

const (
	inText   state = iota
	atMarkup       // at a '<'
	inDecl
	inTag
	inQuote
	inEndTag
	inCDATA
)

// progress is what one step came to. Neither field set: there is another step to make.
type progress struct {
	kind Kind // an item has ended at pos
	more bool // the window is used up
}

var hungry = progress{more: true}

func (s *scanner) feed(p []byte) {
	s.compact()
	s.buf = append(s.buf, p...)
}

// room returns at least min bytes of memory behind the buffer; took says how many of them have been filled.
func (s *scanner) room(min int) []byte {
	s.compact()
	s.buf = slices.Grow(s.buf, min)
	return s.buf[len(s.buf):cap(s.buf)]
}

func (s *scanner) took(n int) { s.buf = s.buf[:len(s.buf)+n] }

// release lets go of memory that holds nothing.
func (s *scanner) release() {
	if s.start == len(s.buf) {
		s.buf, s.pos, s.start = nil, 0, 0
	}
}

// compact moves what is left to the front of the buffer.
func (s *scanner) compact() {
	if s.start > 0 && (s.start == len(s.buf) || s.start >= cap(s.buf)/2) {
		n := copy(s.buf, s.buf[s.start:])
		s.buf, s.pos, s.start = s.buf[:n], s.pos-s.start, 0
		const keep = 1 << 16
		if n == 0 && cap(s.buf) > keep {
			s.buf = nil
		}
	}
}

// restart forgets the stream, not the bytes.
func (s *scanner) restart() {
	s.pos, s.state, s.depth, s.declared = s.start, inText, 0, false
}

// next returns the next whole item, which lives until the next feed. An item longer than limit is an error at the same byte
// however the bytes arrived: nothing beyond the limit is looked at.
func (s *scanner) next(limit int) (Kind, []byte, error) {
	for {
		end := min(len(s.buf), s.start+limit)
		done, err := s.step(s.buf[s.pos:end])
		switch {
		case err != nil:
			return 0, nil, err
		case done.kind != 0:
			raw := s.buf[s.start:s.pos]
			s.start = s.pos
			return done.kind, raw, nil
		case !done.more:
		case len(s.buf) < s.start+limit:
			return 0, nil, ErrNeedMore
		case end == s.start+limit:
			return 0, nil, tooBig(limit)
		}
	}
}

// step looks at rest, which begins at pos, up to the next change of state.
func (s *scanner) step(rest []byte) (progress, error) {
	switch s.state {
	case inText:
		return s.text(rest)
	case atMarkup:
		return s.markup(rest)
	case inDecl:
		return s.declaration(rest)
	case inTag:
		return s.tag(rest), nil
	case inQuote:
		if !s.upTo(rest, string(s.quote)) {
			return hungry, nil
		}
		s.state = inTag
	case inEndTag:
		return s.endTag(rest), nil
	case inCDATA:
		if !s.upTo(rest, "]]>") {
			return hungry, nil
		}
		s.state = inText
	}
	return progress{}, nil
}

// upTo moves behind the next occurrence of mark, or as far as it cannot begin.
func (s *scanner) upTo(rest []byte, mark string) bool {
	n := bytes.Index(rest, []byte(mark))
	if n < 0 {
		s.pos += max(0, len(rest)-len(mark)+1)
		return false
	}
	s.pos += n + len(mark)
	return true
}

// text passes over character data; between items that may be white space only.
func (s *scanner) text(rest []byte) (progress, error) {
	n := bytes.IndexByte(rest, '<')
	found := n >= 0
	if !found {
		n = len(rest)
	}
	if s.depth <= 1 {
		for _, b := range rest[:n] {
			if !isSpace(b) {
				return progress{}, fail(BadFormat, 0, "text between stanzas")
			}
		}
		s.start = s.pos + n
	}
	s.pos += n
	if !found {
		return hungry, nil
	}
	s.state = atMarkup
	return progress{}, nil
}

// markup looks at what follows a '<'.
func (s *scanner) markup(rest []byte) (progress, error) {
	if len(rest) < 2 {
		return hungry, nil
	}
	switch rest[1] {
	case '/':
		if s.depth == 0 {
			return progress{}, fail(NotWellFormed, 0, "an end tag that belongs to no start tag")
		}
		s.pos, s.state = s.pos+2, inEndTag
	case '?':
		if s.depth > 0 || s.declared {
			return progress{}, restricted()
		}
		s.pos, s.state = s.pos+2, inDecl
	case '!':
		n := min(len(rest), len(cdataStart))
		if s.depth < 2 || string(rest[:n]) != cdataStart[:n] {
			return progress{}, restricted()
		}
		if n < len(cdataStart) {
			return hungry, nil
		}
		s.pos, s.state = s.pos+n, inCDATA
	default:
		s.pos, s.state = s.pos+1, inTag
	}
	return progress{}, nil
}

// tag goes on to the end of a start tag or to the next quoted value in it.
func (s *scanner) tag(rest []byte) progress {
	for i, b := range rest {
		switch b {
		case '\'', '"':
			s.pos, s.quote, s.state = s.pos+i+1, b, inQuote
			return progress{}
		case '>':
			s.pos, s.state = s.pos+i+1, inText
			empty := s.buf[s.pos-2] == '/'
			switch {
			case s.depth == 0:
				s.depth = 1
				return progress{kind: StreamStart}
			case s.depth == 1 && empty:
				return progress{kind: Stanza}
			case !empty:
				s.depth++
			}
			return progress{}
		}
	}
	s.pos += len(rest)
	return hungry
}

func (s *scanner) endTag(rest []byte) progress {
	if !s.upTo(rest, ">") {
		return hungry
	}
	s.state = inText
	s.depth--
	switch s.depth {
	case 0:
		return progress{kind: StreamEnd}
	case 1:
		return progress{kind: Stanza}
	}
	return progress{}
}

// declaration checks the XML declaration that may precede the stream header (RFC 6120 §11.4, §11.6).
func (s *scanner) declaration(rest []byte) (progress, error) {
	if !s.upTo(rest, "?>") {
		return hungry, nil
	}
	raw := bytes.ToLower(s.buf[s.start:s.pos])
	if !bytes.HasPrefix(raw, []byte("<?xml")) || !isSpace(raw[len("<?xml")]) {
		return progress{}, restricted()
	}
	if i := bytes.Index(raw, []byte("encoding")); i >= 0 && !bytes.Contains(raw[i:], []byte("utf-8")) {
		return progress{}, fail(UnsupportedEncoding, 0, "the stream is not in UTF-8")
	}
	s.declared, s.state, s.start = true, inText, s.pos
	return progress{}, nil
}

func restricted() *Error {
	return fail(RestrictedXML, 0, "a declaration, document type, comment or processing instruction")
}
