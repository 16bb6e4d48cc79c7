package framing

import (
	"bytes"
	"sync"
)

// scanner finds where the items of a stream end, keeping its place between reads. Depth counts open elements, the stream
// itself being 1.
type scanner struct {
	buf      []byte
	block    *[blockSize]byte // what buf is in, nil if it had to grow
	start    int              // of the item under way
	pos      int              // next byte to look at
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

// blockSize is how much a stream buffers as a rule, and what one read can take.
const blockSize = 16 << 10

// blocks are buffers of streams that are not idle.
var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

func (s *scanner) feed(p []byte) {
	s.compact(len(p))
	s.buf = append(s.buf, p...)
}

// room returns memory behind the buffer for a read; took says how many bytes of it have been filled.
func (s *scanner) room() []byte {
	const least = 4 << 10
	s.compact(least)
	return s.buf[len(s.buf):cap(s.buf)]
}

func (s *scanner) took(n int) { s.buf = s.buf[:len(s.buf)+n] }

// compact sees to it that n bytes have room: in what is free, in what becomes free by moving the rest to the front, or in
// twice the memory.
func (s *scanner) compact(n int) {
	switch {
	case s.start == len(s.buf):
		s.pos, s.start, s.buf = s.pos-s.start, 0, s.buf[:0]
		if s.block == nil { // none yet, or one that had to grow
			s.block = blocks.Get().(*[blockSize]byte)
			s.buf = s.block[:0]
		}
	case cap(s.buf)-len(s.buf) < n && s.start > 0:
		rest := copy(s.buf, s.buf[s.start:])
		s.buf, s.pos, s.start = s.buf[:rest], s.pos-s.start, 0
	}
	if cap(s.buf)-len(s.buf) < n {
		s.grow(n)
	}
}

// grow leaves the block, if it was one, for memory of the stream's own. What is there begins at the front.
func (s *scanner) grow(n int) {
	s.buf = append(make([]byte, 0, max(2*cap(s.buf), len(s.buf)+n)), s.buf...)
	s.giveBack()
}

func (s *scanner) giveBack() {
	if s.block != nil {
		blocks.Put(s.block)
		s.block = nil
	}
}

// release lets go of memory that holds nothing.
func (s *scanner) release() {
	if s.start == len(s.buf) {
		s.buf, s.pos, s.start = nil, s.pos-s.start, 0
		s.giveBack()
	}
}

// between returns what is there of the next item when the one before it has ended in a stream, and at most limit bytes of it.
func (s *scanner) between(limit int) []byte {
	if s.depth != 1 || s.state != inText || s.pos != s.start {
		return nil
	}
	s.pos = skipSpace(s.buf, s.pos)
	s.start = s.pos
	return s.buf[s.start:min(len(s.buf), s.start+limit)]
}

// skip passes over an item of n bytes that is at pos.
func (s *scanner) skip(n int) {
	s.pos += n
	s.start = s.pos
}

// poison overwrites what has been taken out: see poisoning.
func (s *scanner) poison() { poisonBytes(s.buf[:s.start]) }

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
