package framing

import (
	"bytes"
	"iter"
	"math"
)

// cloneLimits let everything pass that has passed before.
var cloneLimits = Limits{MaxBytes: math.MaxInt, MaxDepth: math.MaxInt, MaxAttrs: math.MaxInt, MaxElements: math.MaxInt, TreeDepth: math.MaxInt, Trusted: true}

// Element is one XML element and, as far as Limits.TreeDepth reaches, what is in it. It must not be changed.
// How long it lives is for what returned it to say: ParseFrame's for as long as it is held, that of a Parser or Splitter until
// the next one. Its strings are windows on one memory: clone (strings.Clone, bytes.Clone, Clone) what outlives it.
type Element struct {
	// Raw is exactly this element, from '<' to '>'. For the element that ParseFrame or Splitter returned it is complete
	// in itself: every prefix is declared in it. For those below it is a part of that, and may rest on declarations outside.
	Raw   []byte
	Name  Name
	Attrs []Attr

	// Depth is how deeply elements nest, this one counting 1. Known only for the element that was returned.
	Depth int

	root        *Element
	first, next *Element
	start, end  int32 // in root.Raw
	open, shut  int32 // end of the start tag, start of the end tag, in root.Raw; equal to end in an empty-element tag
}

// Clone returns a copy of e, which is the root of its frame, in memory of its own and with the whole tree.
func (e *Element) Clone() *Element {
	c, err := ParseFrame(bytes.Clone(e.Raw), cloneLimits)
	if err != nil {
		return &Element{} // Raw is not as it was parsed
	}
	return c
}

// Is reports whether e has this namespace and local name.
func (e *Element) Is(space, local string) bool { return e.Name.Local == local && e.Name.Space == space }

// Attr returns the value of the attribute without namespace called local, "" when there is none.
func (e *Element) Attr(local string) string {
	v, _ := e.Lookup(local)
	return v
}

// Lookup is Attr that can tell an empty attribute from none.
func (e *Element) Lookup(local string) (value string, ok bool) {
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name.Local == local && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

// ID, Type, To, From and Lang are the common attributes of RFC 6120 §8.1, "" when missing.
func (e *Element) ID() string   { return e.Attr("id") }
func (e *Element) Type() string { return e.Attr("type") }
func (e *Element) To() string   { return e.Attr("to") }
func (e *Element) From() string { return e.Attr("from") }

// Lang is xml:lang.
func (e *Element) Lang() string {
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name.Local == "lang" && a.Name.Space == NSXML {
			return a.Value
		}
	}
	return ""
}

// Children yields the direct child elements in their order.
func (e *Element) Children() iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		for c := e.first; c != nil; c = c.next {
			if !yield(c) {
				return
			}
		}
	}
}

// Child returns the first direct child with this name, nil when there is none. Space "*" means any namespace.
func (e *Element) Child(space, local string) *Element {
	for c := e.first; c != nil; c = c.next {
		if c.Name.Local == local && (space == "*" || c.Name.Space == space) {
			return c
		}
	}
	return nil
}

// First returns the first direct child, nil when there is none.
func (e *Element) First() *Element { return e.first }

// IsStanza reports whether e is a message, presence or iq of RFC 6120 §8: what XEP-0198 counts.
func (e *Element) IsStanza() bool {
	return e.Name.Space == NSClient &&
		(e.Name.Local == "message" || e.Name.Local == "presence" || e.Name.Local == "iq")
}
