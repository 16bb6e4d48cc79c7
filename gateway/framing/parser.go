package framing

import "bytes"

// Parser reads one frame after another into the same memory. What Frame returns is valid until the next call of Frame or
// Release, and for as long as the bytes that were given are left alone: its strings are windows on them. Clone what has to
// live longer.
type Parser struct {
	limits Limits
	core   *core // nil while idle
}

// NewParser makes a Parser. It holds no memory until its first frame.
func NewParser(l Limits) *Parser { return &Parser{limits: l.orDefaults()} }

// Frame is ParseFrame without memory of its own. Raw shares memory with b. The error is always an *Error.
func (p *Parser) Frame(b []byte) (*Element, error) {
	if p.core == nil {
		p.core = cores.Get().(*core)
	}
	if poisoning {
		return p.poisonable(b)
	}
	e, err := p.core.frame(b, &p.limits)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Release gives the memory back, for a stream that falls idle. The next Frame takes some again.
func (p *Parser) Release() {
	if p.core != nil {
		p.core.release()
		p.core = nil
	}
}

// ParseFrame reads one browser frame: exactly one element that declares every namespace it uses (RFC 7395 §3.3.3).
// White space after the element is allowed and left out of Raw; nothing may stand before it. Raw shares memory with b, the
// rest is its own and lives for as long as it is held. The error is always an *Error.
func ParseFrame(b []byte, l Limits) (*Element, error) {
	l = l.orDefaults()
	p := cores.Get().(*core)
	defer p.release()
	kept := p.tree
	p.tree = tree{attrs: make([]Attr, 0, 12)}
	e, err := p.frame(bytes.Clone(b), &l)
	if err == nil {
		p.tree.place(b, 0)
	}
	p.tree = kept // what was read is the caller's
	if err != nil {
		return nil, err
	}
	return e, nil
}

// frame reads src as one frame.
func (p *core) frame(src []byte, l *Limits) (*Element, *Error) {
	if len(src) > l.MaxBytes {
		return nil, tooBig(l.MaxBytes)
	}
	p.begin(src, l, nil)
	e, end := p.element()
	if end < 0 {
		return nil, p.err()
	}
	if rest := skipSpace(src, end); rest < len(src) {
		p.fail(NotWellFormed, rest, "more than one element in the frame")
		return nil, p.err()
	}
	return e, nil
}

// place moves the elements into raw, which holds what they were read from; what is behind the root's name has moved by shift.
func (t *tree) place(raw []byte, shift int32) {
	t.elements.each(func(e *Element) {
		if e.start > 0 {
			e.start += shift
		}
		e.open, e.shut, e.end = e.open+shift, e.shut+shift, e.end+shift
		e.Raw = raw[e.start:e.end:e.end]
	})
}
