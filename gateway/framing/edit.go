package framing

import (
	"bytes"
	"slices"
	"strings"
)

// Edit replaces one descendant element of a frame by other bytes; nil bytes take it out.
type Edit struct {
	Element *Element
	With    []byte
}

// Rewrite returns e's bytes with the edits made, in new memory. The elements must be descendants of e that do not overlap,
// and the bytes well-formed where they come to stand. Elements outside e are left alone.
func (e *Element) Rewrite(edits ...Edit) []byte {
	slices.SortFunc(edits, func(a, b Edit) int { return int(a.Element.start - b.Element.start) })
	src := e.root.Raw
	size := len(e.Raw)
	for _, d := range edits {
		size += len(d.With)
	}
	out := make([]byte, 0, size)
	at := e.start
	for _, d := range edits {
		if d.Element.root != e.root || d.Element.start < at || d.Element.end > e.end {
			continue
		}
		out = append(out, src[at:d.Element.start]...)
		out = append(out, d.With...)
		at = d.Element.end
	}
	return append(out, src[at:e.end]...)
}

// Without returns e's bytes without these descendants, in new memory.
func (e *Element) Without(gone ...*Element) []byte {
	edits := make([]Edit, len(gone))
	for i, g := range gone {
		edits[i].Element = g
	}
	return e.Rewrite(edits...)
}

// WithContent returns e's own tags around content, in new memory. Content has to be well-formed and to declare its
// namespaces. Without content it is an empty-element tag with e's name and attributes.
func (e *Element) WithContent(content []byte) []byte {
	tag := e.startTag()
	out := append(make([]byte, 0, 2*len(tag)+len(content)), tag...)
	if len(content) == 0 {
		return append(out, "/>"...)
	}
	out = append(append(out, '>'), content...)
	return e.appendEndTag(out)
}

// Appended returns e's bytes with content added at the end of in, which is e or a descendant, in new memory.
func (e *Element) Appended(in *Element, content []byte) []byte {
	inner := in.root.Raw[in.open:in.shut]
	if in.open == in.end {
		inner = nil
	}
	filled := in.WithContent(append(slices.Clone(inner), content...))
	if in == e {
		return filled
	}
	return e.Rewrite(Edit{in, filled})
}

// WithoutAttr returns e's bytes without its attribute called local that has no prefix, in new memory.
func (e *Element) WithoutAttr(local string) []byte {
	tag := e.startTag()
	at := 1
	for at < len(tag) && !isSpace(tag[at]) {
		at++
	}
	out := append(make([]byte, 0, len(e.Raw)), tag[:at]...)
	for at < len(tag) {
		name := skipSpace(tag, at)
		size := bytes.IndexByte(tag[name:], '=')
		if size < 0 {
			break // white space at the end
		}
		quote := skipSpace(tag, name+size+1)
		end := quote + 1 + bytes.IndexByte(tag[quote+1:], tag[quote]) + 1
		if string(bytes.TrimRight(tag[name:name+size], " \t\r\n")) != local {
			out = append(out, tag[at:end]...)
		}
		at = end
	}
	return append(out, e.Raw[len(tag):]...)
}

// startTag returns the start tag without what closes it.
func (e *Element) startTag() []byte {
	tag := bytes.TrimSuffix(e.root.Raw[e.start:e.open], []byte(">"))
	if e.open == e.end {
		tag = bytes.TrimSuffix(tag, []byte("/"))
	}
	return tag
}

func (e *Element) appendEndTag(dst []byte) []byte {
	tag := e.root.Raw[e.start+1 : e.open]
	n := 0
	for n < len(tag) && !isSpace(tag[n]) && tag[n] != '/' && tag[n] != '>' {
		n++
	}
	return append(append(append(dst, "</"...), tag[:n]...), '>')
}

// Text returns the decoded character data directly in e, not that of its children.
func (e *Element) Text() string { return string(e.AppendText(nil)) }

// AppendText adds Text to dst, which grows once at most. No other copy of it is made, so that a secret can be overwritten.
func (e *Element) AppendText(dst []byte) []byte {
	if e.open == e.end {
		return dst
	}
	rest := window(e.root.Raw[e.open:e.shut])
	out := slices.Grow(dst, len(rest)) // nothing is longer decoded than written
	for depth := 0; rest != ""; {
		n := strings.IndexByte(rest, '<')
		if n < 0 {
			n = len(rest)
		}
		if depth == 0 {
			out = appendDecoded(out, rest[:n], false)
		}
		if rest = rest[n:]; rest == "" {
			break
		}
		if strings.HasPrefix(rest, cdataStart) {
			n = strings.Index(rest, "]]>")
			if depth == 0 {
				out = appendLines(out, rest[len(cdataStart):n])
			}
			rest = rest[n+len("]]>"):]
			continue
		}
		n = tagLen(rest)
		switch {
		case rest[1] == '/':
			depth--
		case rest[n-2] != '/':
			depth++
		}
		rest = rest[n:]
	}
	return out
}

// appendLines adds text in which nothing but line ends needs work.
func appendLines(dst []byte, s string) []byte {
	for i := range len(s) {
		switch {
		case s[i] != '\r':
			dst = append(dst, s[i])
		case i+1 == len(s) || s[i+1] != '\n': // else the line feed stands for both
			dst = append(dst, '\n')
		}
	}
	return dst
}

// tagLen returns the length of the well-formed tag that s begins with.
func tagLen(s string) int {
	quote := byte(0)
	for i := range len(s) {
		switch b := s[i]; {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '\'' || b == '"':
			quote = b
		case b == '>':
			return i + 1
		}
	}
	return len(s)
}
