package framing

import "bytes"

// poisonByte is in no UTF-8 text, and what it stands in is no XML.
const poisonByte = 0xFF

// poison overwrites what the tree's memory holds, for the tests: see poisoning.
func (t *tree) poison() {
	const nonsense = "\xff poisoned: this element was over \xff"
	bad := Attr{Name{nonsense, nonsense}, nonsense}
	t.elements.each(func(e *Element) {
		*e = Element{Raw: []byte(nonsense), Name: bad.Name, Attrs: []Attr{bad}, root: e, end: int32(len(nonsense))}
	})
	for i := range t.attrs {
		t.attrs[i] = bad
	}
	poisonBytes(t.decoded)
	poisonBytes(t.raw)
	poisonBytes(t.frame)
	*t = tree{} // whoever holds something of it finds nonsense for good
}

// poisonable is Frame with strings that the next one can turn into nonsense: those of b are the caller's.
func (p *Parser) poisonable(b []byte) (*Element, error) {
	src := bytes.Clone(b)
	e, err := p.core.frame(src, &p.limits)
	p.core.tree.frame = src
	if err != nil {
		return nil, err
	}
	p.core.tree.place(b, 0)
	return e, nil
}

func poisonBytes(b []byte) {
	for i := range b {
		b[i] = poisonByte
	}
}
