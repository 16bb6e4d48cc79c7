package framing

// Edit replaces one descendant element of a frame by other bytes; nil bytes take it out.
type Edit struct {
	Element *Element
	With    []byte
}

// Rewrite returns e's bytes with the edits made, in new memory. The elements must be descendants of e that do not overlap.
func (e *Element) Rewrite(edits ...Edit) []byte { return nil }

// Without returns e's bytes without these descendants, in new memory.
func (e *Element) Without(gone ...*Element) []byte { return nil }

// WithContent returns e's own tags around content, in new memory. Content has to be well-formed and to declare its namespaces.
func (e *Element) WithContent(content []byte) []byte { return nil }

// Appended returns e's bytes with content added at the end of the descendant in, in new memory.
func (e *Element) Appended(in *Element, content []byte) []byte { return nil }

// Text returns the decoded character data directly in e (not that of its children).
func (e *Element) Text() string { return "" }
