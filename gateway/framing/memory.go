package framing

import (
	"sync"
	"unsafe"
)

// window returns b as a string without a copy. It is good for as long as nobody changes b.
func window(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// cores are the memories of Parsers and Splitters that are not idle.
var cores = sync.Pool{New: func() any { return new(core) }}

// Memory above these is not kept for later frames.
const (
	keptOthers = 1 << 10 // levels, bindings, attributes
	keptBytes  = 16 << 10
)

// release gives the core back without holding on to what it read.
func (p *core) release() {
	p.src, p.str, p.limits = nil, "", nil
	p.failure = Error{}
	p.tree.clear()
	p.scope.inherited, p.scope.innermost = 0, nil
	clear(p.scope.bindings[:cap(p.scope.bindings)])
	clear(p.levels[:cap(p.levels)])
	if cap(p.levels) <= keptOthers && cap(p.scope.bindings) <= keptOthers {
		cores.Put(p)
	}
}

// tree is the memory that an Element and its descendants are in.
type tree struct {
	elements arena
	attrs    []Attr
	most     int    // attributes in use at any time since clear
	decoded  []byte // attribute values that are not as they were written
	raw      []byte // a frame that is not as it was written
	frame    []byte // a copy, only when poisoning
}

// root is the first element of the frame.
func (t *tree) root() *Element { return &t.elements.blocks[0][0] }

// takeAttrs returns the attributes from the given one on, nil when there are none.
func (t *tree) takeAttrs(from int) []Attr {
	n := len(t.attrs)
	if n == from {
		return nil
	}
	return t.attrs[from:n:n]
}

// decode returns a checked attribute value with its references resolved. Growing the memory leaves earlier values where they
// are.
func (t *tree) decode(s string) string {
	from := len(t.decoded)
	t.decoded = appendDecoded(t.decoded, s, true)
	return window(t.decoded[from:])
}

// reset makes room for another frame in the same memory.
func (t *tree) reset() {
	if poisoning {
		t.poison()
	}
	t.most = max(t.most, len(t.attrs))
	t.elements.reset()
	t.attrs, t.decoded, t.raw = t.attrs[:0], t.decoded[:0], t.raw[:0]
	if cap(t.attrs) > keptOthers || cap(t.decoded) > keptBytes {
		t.attrs, t.most, t.decoded = nil, 0, nil
	}
	if cap(t.raw) > 4*keptBytes {
		t.raw = nil
	}
}

// clear forgets everything that was read.
func (t *tree) clear() {
	t.reset()
	t.elements.clear()
	clear(t.attrs[:t.most])
	t.most = 0
	clear(t.decoded[:cap(t.decoded)])
}

// arena hands out Elements, which stay where they are.
type arena struct {
	blocks [][]Element
	block  []Element // the one under way: blocks[at]
	at     int
	n      int // taken of it
	most   int // the greatest value of at since clear
}

func (a *arena) take() *Element {
	if a.n == len(a.block) {
		a.grow()
	}
	e := &a.block[a.n]
	a.n++
	return e
}

// grow goes on to the next block.
func (a *arena) grow() {
	if len(a.blocks) > 0 {
		a.at++
	}
	if a.at == len(a.blocks) {
		const first, largest = 16, 1024
		a.blocks = append(a.blocks, make([]Element, min(first<<min(a.at, 10), largest)))
	}
	a.block, a.n = a.blocks[a.at], 0
	a.most = max(a.most, a.at)
}

// each calls f with the elements taken, a parent before its children.
func (a *arena) each(f func(*Element)) {
	for i, block := range a.blocks {
		if i > a.at {
			return
		}
		if i == a.at {
			block = block[:a.n]
		}
		for j := range block {
			f(&block[j])
		}
	}
}

func (a *arena) reset() {
	const kept = 4 // blocks: 240 elements
	if len(a.blocks) > kept {
		clear(a.blocks[kept:])
		a.blocks, a.most = a.blocks[:kept], min(a.most, kept-1)
	}
	a.at, a.n = 0, 0
	if len(a.blocks) > 0 {
		a.block = a.blocks[0]
	}
}

func (a *arena) clear() {
	for _, block := range a.blocks[:min(a.most+1, len(a.blocks))] {
		clear(block)
	}
	a.most = 0
}
