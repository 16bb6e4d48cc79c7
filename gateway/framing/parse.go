package framing

import (
	"strings"
	"sync"
)

// ParseFrame reads one browser frame: exactly one element that declares every namespace it uses (RFC 7395 §3.3.3).
// White space after the element is allowed and left out of Raw; nothing may stand before it. Raw shares memory with b.
// The error is always an *Error.
func ParseFrame(b []byte, l Limits) (*Element, error) {
	l = l.orDefaults()
	if len(b) > l.MaxBytes {
		return nil, tooBig(l.MaxBytes)
	}
	p := parsers.Get().(*parser)
	defer p.release()
	p.begin(string(b), l, nil)
	e, err := p.document()
	if err != nil {
		return nil, err
	}
	for i := p.pos; i < len(p.src); i++ {
		if !isSpace(p.src[i]) {
			return nil, fail(NotWellFormed, i, "more than one element in the frame")
		}
	}
	e.setRaw(b[:p.pos:p.pos], 0)
	return e, nil
}

// binding is a namespace declaration in scope.
type binding struct{ prefix, uri string }

// level is an element whose end tag has not come yet.
type level struct {
	name     string   // as written, for its end tag
	bindings int      // how many were in scope outside it
	element  *Element // nil below Limits.TreeDepth
}

// rawAttr is an attribute as written, with its value decoded.
type rawAttr struct {
	prefix, local, value string
	offset               int
}

// parser reads one element. Its slices are reused; what it returns never points into them.
type parser struct {
	src       string
	limits    Limits
	pos       int
	elements  int
	depth     int // greatest so far
	inherited int // the first bindings come from the stream header
	used      []bool
	bindings  []binding
	levels    []level
	attrs     []rawAttr
	spare     []Element // memory for elements to come
	spareAttr []Attr
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

func (p *parser) begin(src string, l Limits, inherited []binding) {
	p.src, p.limits, p.pos, p.elements, p.depth = src, l, 0, 0, 0
	p.inherited = len(inherited)
	p.bindings = append(p.bindings[:0], inherited...)
	p.used = p.used[:0]
	for range inherited {
		p.used = append(p.used, false)
	}
	p.levels, p.attrs = p.levels[:0], p.attrs[:0]
}

// release gives the parser back without holding on to the frame.
func (p *parser) release() {
	clear(p.bindings[:cap(p.bindings)])
	clear(p.levels[:cap(p.levels)])
	clear(p.attrs[:cap(p.attrs)])
	p.src, p.spare, p.spareAttr = "", nil, nil
	const keep = 1 << 10
	if cap(p.levels) > keep || cap(p.bindings) > keep || cap(p.attrs) > keep {
		return
	}
	parsers.Put(p)
}

// document reads from the '<' of the root to the '>' that ends it.
func (p *parser) document() (*Element, error) {
	if err := checkChars(p.src); err != nil {
		return nil, err
	}
	if p.src == "" || p.src[0] != '<' {
		return nil, fail(NotWellFormed, 0, "a frame begins with an element")
	}
	root, err := p.startTag()
	for err == nil && len(p.levels) > 0 {
		err = p.content()
	}
	if err != nil {
		return nil, err
	}
	root.Depth = p.depth
	return root, nil
}

// content reads the text up to the next markup, and that.
func (p *parser) content() error {
	rest := p.src[p.pos:]
	n := strings.IndexByte(rest, '<')
	if n < 0 {
		return p.wrong("the element does not end")
	}
	if err := checkText(rest[:n], p.pos); err != nil {
		return err
	}
	p.pos += n
	rest = rest[n:]
	switch {
	case strings.HasPrefix(rest, "</"):
		return p.endTag()
	case strings.HasPrefix(rest, cdataStart):
		end := strings.Index(rest, "]]>")
		if end < 0 {
			return p.wrong("a CDATA section that does not end")
		}
		p.pos += end + len("]]>")
		return nil
	}
	_, err := p.startTag()
	return err
}

const cdataStart = "<![CDATA["

// startTag reads a start tag or an empty-element tag at p.pos, which is at a '<'.
func (p *parser) startTag() (*Element, error) {
	start := p.pos
	if len(p.src) > start+1 && (p.src[start+1] == '!' || p.src[start+1] == '?') {
		return nil, fail(RestrictedXML, start, "a declaration, document type, comment or processing instruction")
	}
	if p.elements++; p.elements > p.limits.MaxElements {
		return nil, fail(PolicyViolation, start, "too many elements")
	}
	if len(p.levels) >= p.limits.MaxDepth {
		return nil, fail(PolicyViolation, start, "elements nested too deeply")
	}
	p.pos++
	prefix, local, err := p.name()
	if err != nil {
		return nil, err
	}
	lv := level{name: p.src[start+1 : p.pos], bindings: len(p.bindings)}
	empty, err := p.attributes()
	if err != nil {
		return nil, err
	}
	space, err := p.resolve(prefix, start, true)
	if err != nil {
		return nil, err
	}
	if lv.element, err = p.keep(Name{space, local}, start); err != nil {
		return nil, err
	}
	p.depth = max(p.depth, len(p.levels)+1)
	if empty {
		p.bindings = p.bindings[:lv.bindings]
		lv.element.close(p.pos, p.pos)
	} else {
		p.levels = append(p.levels, lv)
	}
	return lv.element, nil
}

// endTag reads the end tag at p.pos, which must belong to the innermost level.
func (p *parser) endTag() error {
	start := p.pos
	top := p.levels[len(p.levels)-1]
	p.pos += len("</")
	if !strings.HasPrefix(p.src[p.pos:], top.name) {
		return p.wrong("an end tag that belongs to no start tag")
	}
	p.pos += len(top.name)
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '>' {
		return p.wrong("an end tag that belongs to no start tag")
	}
	p.pos++
	top.element.close(start, p.pos)
	p.bindings = p.bindings[:top.bindings]
	p.levels = p.levels[:len(p.levels)-1]
	return nil
}

// keep makes the Element of the tag just read, hangs it into its parent, and gives it its attributes. It returns nil
// where the tree ends; the attributes have been resolved and checked all the same.
func (p *parser) keep(name Name, start int) (*Element, error) {
	var e *Element
	if len(p.levels) < p.limits.TreeDepth {
		e = p.newElement()
		e.Name, e.start, e.open = name, start, p.pos
		e.root = e
		if len(p.levels) > 0 {
			parent := p.levels[len(p.levels)-1].element
			e.root = parent.root
			parent.adopt(e)
		}
	}
	attrs, err := p.resolveAttrs(e != nil)
	if err != nil {
		return nil, err
	}
	if e != nil {
		e.Attrs = attrs
	}
	return e, nil
}

// newElement takes an Element from a block, so that a stanza costs a few allocations rather than one for each element.
func (p *parser) newElement() *Element {
	if len(p.spare) == 0 {
		p.spare = make([]Element, min(4+p.elements/2, 256))
	}
	e := &p.spare[0]
	p.spare = p.spare[1:]
	return e
}

func (p *parser) space() (found bool) {
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
		found = true
	}
	return found
}

func (p *parser) wrong(text string) error { return fail(NotWellFormed, p.pos, text) }
