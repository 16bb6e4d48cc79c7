package framing

import "bytes"

// core reads one element in one pass. Positions are indices into src; a negative one means that failure says why.
// What it returns points into src and into tree, and nowhere else.
type core struct {
	src    []byte
	str    string // src again, for windows on it
	limits *Limits
	tree   tree

	failure Error // its close code is not filled in
	count   int   // elements so far
	deepest int
	levels  []level
	scope   scope
	tag     tagState
}

// level is an element whose end tag has not come yet.
type level struct {
	element    *Element // nil below Limits.TreeDepth
	last       *Element // its last child so far
	start, end int32    // its name as written, for its end tag
	bindings   int32    // how many were in scope outside it
	standard   int32    // which of them was the default namespace
}

// begin gets ready to read src. The tree of the frame before is over.
func (p *core) begin(src []byte, l *Limits, inherited []binding) {
	p.src, p.str, p.limits = src, window(src), l
	p.count, p.deepest = 0, 0
	p.levels = p.levels[:0]
	p.tree.reset()
	p.scope.begin(inherited)
}

// element reads from the '<' at the beginning of src and returns where the element ends.
func (p *core) element() (e *Element, end int) {
	if len(p.src) == 0 || p.src[0] != '<' {
		return nil, p.fail(NotWellFormed, 0, "a frame begins with an element")
	}
	i := p.startTag(0)
	for i >= 0 && len(p.levels) > 0 {
		i = p.content(i)
	}
	if i < 0 {
		return nil, i
	}
	e = p.tree.root()
	e.Depth = p.deepest
	return e, i
}

// content reads the text at i up to the next markup, and that.
func (p *core) content(i int) int {
	if i < len(p.src) && p.src[i] != '<' {
		i = p.text(i)
	}
	if i < 0 {
		return i
	}
	if i+1 >= len(p.src) {
		return p.fail(NotWellFormed, i, "the element does not end")
	}
	switch p.src[i+1] {
	case '/':
		return p.endTag(i)
	case '!':
		if bytes.HasPrefix(p.src[i:], []byte(cdataStart)) {
			return p.cdata(i)
		}
	}
	return p.startTag(i)
}

// text checks the character data at i (XML 1.0 §2.4) and returns where the next '<' is.
func (p *core) text(i int) int {
	src := p.src
	for start := i; ; {
		i = stopInText(src, i)
		if i >= len(src) {
			return p.fail(NotWellFormed, i, "the element does not end")
		}
		switch c := src[i]; {
		case c == '<':
			return i
		case c == '&':
			i = p.reference(i)
		case c == '>':
			if i-start >= 2 && src[i-1] == ']' && src[i-2] == ']' {
				return p.fail(NotWellFormed, i, "the end of a CDATA section that never began")
			}
			i++
		case isSpace(c):
			i++
		default:
			i = p.characters(i)
		}
		if i < 0 {
			return i
		}
	}
}

const cdataStart = "<![CDATA["

// cdata reads the CDATA section at i (XML 1.0 §2.7).
func (p *core) cdata(i int) int {
	start := i + len(cdataStart)
	n := bytes.Index(p.src[start:], []byte("]]>"))
	if n < 0 {
		return p.fail(NotWellFormed, i, "a CDATA section that does not end")
	}
	if err := checkChars(p.str[start : start+n]); err != nil {
		return p.fail(err.Condition, start+err.Offset, err.Text)
	}
	return start + n + len("]]>")
}

// startTag reads the start tag or empty-element tag at i, which is at a '<'.
func (p *core) startTag(i int) int {
	if i+1 < len(p.src) && (p.src[i+1] == '!' || p.src[i+1] == '?') {
		return p.fail(RestrictedXML, i, "a declaration, document type, comment or processing instruction")
	}
	if p.count++; p.count > p.limits.MaxElements {
		return p.fail(PolicyViolation, i, "too many elements")
	}
	if len(p.levels) >= p.limits.MaxDepth {
		return p.fail(PolicyViolation, i, "elements nested too deeply")
	}
	end, colon := p.qname(i + 1)
	if end < 0 {
		return end
	}
	lv := level{start: int32(i + 1), end: int32(end), bindings: int32(len(p.scope.bindings)), standard: int32(p.scope.standard)}
	next := p.attributes(end)
	if next < 0 {
		return next
	}
	name := Name{Local: p.str[i+1 : end]}
	if colon == 0 {
		name.Space = p.scope.standardSpace()
	} else {
		var ok bool
		if name.Space, ok = p.scope.resolve(p.str[i+1 : colon]); !ok {
			return p.undeclared(i)
		}
		name.Local = p.str[colon+1 : end]
	}
	if !p.resolveAttrs(i) {
		return -1
	}
	p.keep(&lv, name, i, next)
	return next
}

// endTag reads the end tag at i, which must belong to the innermost level.
func (p *core) endTag(i int) int {
	top := &p.levels[len(p.levels)-1]
	name := p.str[top.start:top.end]
	end := i + len("</") + len(name)
	if end >= len(p.src) || p.str[i+len("</"):end] != name {
		return p.fail(NotWellFormed, i, "an end tag that belongs to no start tag")
	}
	if p.src[end] != '>' {
		if end = skipSpace(p.src, end); end >= len(p.src) || p.src[end] != '>' {
			return p.fail(NotWellFormed, end, "an end tag that belongs to no start tag")
		}
	}
	end++
	if e := top.element; e != nil {
		e.shut, e.end = int32(i), int32(end)
		e.Raw = p.src[e.start:end:end]
	}
	p.scope.leave(int(top.bindings), int(top.standard))
	p.levels = p.levels[:len(p.levels)-1]
	return end
}

// keep makes the Element of the tag from start to open, hangs it into its parent, and goes into it unless it is empty.
// Where the tree ends it makes none.
func (p *core) keep(lv *level, name Name, start, open int) {
	depth := len(p.levels)
	p.deepest = max(p.deepest, depth+1)
	empty := p.src[open-2] == '/' // behind a value stands its quote
	if depth < p.limits.TreeDepth {
		e := p.tree.elements.take()
		*e = Element{Name: name, Attrs: p.tree.takeAttrs(p.tag.first), root: e, start: int32(start), open: int32(open)}
		if empty {
			e.shut, e.end = int32(open), int32(open)
			e.Raw = p.src[start:open:open]
		}
		if depth > 0 {
			p.levels[depth-1].adopt(e)
			e.root = p.levels[0].element
		}
		lv.element = e
	} else {
		p.tree.attrs = p.tree.attrs[:p.tag.first]
	}
	if empty {
		p.scope.leave(int(lv.bindings), int(lv.standard))
	} else {
		p.levels = append(p.levels, *lv)
	}
}

// adopt hangs c behind the other children.
func (lv *level) adopt(c *Element) {
	if lv.last == nil {
		lv.element.first = c
	} else {
		lv.last.next = c
	}
	lv.last = c
}

// fail notes what is wrong. It returns no position.
func (p *core) fail(c Condition, offset int, text string) int {
	p.failure.Condition, p.failure.Offset, p.failure.Text = c, offset, text
	return -1
}

func (p *core) undeclared(offset int) int {
	return p.fail(BadNamespacePrefix, offset, "a prefix that is not declared")
}

// err is the error of a frame that could not be read. Bytes that are no characters count before all else, wherever they are.
func (p *core) err() *Error {
	if err := checkChars(p.str); err != nil {
		return err
	}
	return fail(p.failure.Condition, p.failure.Offset, p.failure.Text)
}
