package framing

import "strings"

// tagState is what is known of the start tag under way.
type tagState struct {
	first    int    // its first attribute in tree.attrs; until resolveAttrs their Space is the prefix
	prefixed bool   // an attribute has a prefix
	seen     uint64 // a bit for each local name; which one says little
	twice    bool   // two may be the same
}

// qname reads the qualified name at i (Namespaces in XML §4): where it ends, and where its colon is, 0 without one.
func (p *core) qname(i int) (end, colon int) {
	end = p.ncName(i)
	if end > 0 && end < len(p.src) && p.src[end] == ':' {
		colon = end
		end = p.ncName(end + 1)
	}
	return end, colon
}

func (p *core) ncName(i int) int {
	src := p.src
	if i >= len(src) || class[src[i]]&nameStart == 0 {
		return p.wideName(i)
	}
	for i++; i < len(src) && class[src[i]]&nameByte != 0; i++ {
	}
	if i < len(src) && src[i] >= 0x80 {
		return p.wideName(i)
	}
	return i
}

// wideName goes on with a name at a character beyond ASCII, which may be its first.
func (p *core) wideName(i int) int {
	if p.limits.Trusted {
		first := i == 0 || class[p.src[i-1]]&nameByte == 0
		if end := endOfName(p.str, i, first); end > i {
			return end
		}
	}
	return p.fail(NotWellFormed, i, "not the name of an element or attribute")
}

// attributes reads from behind the tag's name to behind its '>', takes the namespace declarations into scope, and leaves the
// rest in tree.attrs.
func (p *core) attributes(i int) int {
	src := p.src
	p.tag = tagState{first: len(p.tree.attrs)}
	outside := len(p.scope.bindings)
	for n := 0; ; n++ {
		if i < len(src) && src[i] == '>' {
			return i + 1
		}
		j := skipSpace(src, i)
		switch {
		case j >= len(src):
			return p.fail(NotWellFormed, j, "a tag that does not end")
		case src[j] == '>':
			return j + 1
		case src[j] == '/' && j+1 < len(src) && src[j+1] == '>':
			return j + 2
		case j == i:
			return p.fail(NotWellFormed, j, "a tag that does not end")
		case n >= p.limits.MaxAttrs:
			return p.fail(PolicyViolation, j, "too many attributes")
		}
		if i = p.attribute(j, outside); i < 0 {
			return i
		}
	}
}

const xmlns = "xmlns"

// attribute reads name='value' at i. The bindings from outside on are this tag's.
func (p *core) attribute(i, outside int) int {
	end, colon := p.qname(i)
	if end < 0 {
		return end
	}
	j := end
	if j < len(p.src) && p.src[j] != '=' {
		j = skipSpace(p.src, j)
	}
	if j >= len(p.src) || p.src[j] != '=' {
		return p.fail(NotWellFormed, j, "an attribute without a value")
	}
	if j++; j < len(p.src) && isSpace(p.src[j]) {
		j = skipSpace(p.src, j)
	}
	if j >= len(p.src) || p.src[j] != '\'' && p.src[j] != '"' {
		return p.fail(NotWellFormed, j, "an attribute value without quotes")
	}
	value, next := p.value(j)
	if next < 0 {
		return next
	}
	switch name := p.str[i:end]; {
	case name == xmlns:
		return p.bind("", value, i, outside, next)
	case colon == 0:
		p.note(name, Attr{Name{Local: name}, value})
	case name[:colon-i] == xmlns:
		return p.bind(name[colon-i+1:], value, i, outside, next)
	default:
		p.tag.prefixed = true
		local := name[colon-i+1:]
		p.note(local, Attr{Name{Space: name[:colon-i], Local: local}, value})
	}
	return next
}

// note keeps an attribute, and marks the tag if its name may have come before.
func (p *core) note(local string, a Attr) {
	bit := uint64(1) << ((uint(local[0]) + 7*uint(local[len(local)-1]) + 13*uint(len(local))) & 63)
	p.tag.twice = p.tag.twice || p.tag.seen&bit != 0
	p.tag.seen |= bit
	p.tree.attrs = append(p.tree.attrs, a)
}

// value checks and decodes the attribute value whose quote is at i. Mostly it is a window on the frame.
func (p *core) value(i int) (value string, next int) {
	src, quote, same := p.src, p.src[i], true
	start := i + 1
	for i = start; ; {
		i = stopInValue(src, i, quote)
		if i >= len(src) {
			return "", p.fail(NotWellFormed, i, "an attribute value that does not end")
		}
		switch c := src[i]; {
		case c == quote:
			if same {
				return p.str[start:i], i + 1
			}
			return p.tree.decode(p.str[start:i]), i + 1
		case c == '<':
			return "", p.fail(NotWellFormed, i, "a '<' in an attribute value")
		case c == '&':
			same = false
			i = p.reference(i)
		case isSpace(c):
			same = same && c == ' '
			i++
		default:
			i = p.characters(i)
		}
		if i < 0 {
			return "", i
		}
	}
}

// bind takes a namespace declaration into scope (Namespaces in XML §3, §5).
func (p *core) bind(prefix, uri string, offset, outside, next int) int {
	switch {
	case p.scope.find(prefix) >= outside:
		return p.fail(NotWellFormed, offset, "an attribute given twice")
	case prefix == xmlns, uri == nsXMLNS, (prefix == "xml") != (uri == NSXML):
		return p.fail(BadNamespacePrefix, offset, "a reserved prefix or namespace")
	case prefix != "" && uri == "":
		return p.fail(BadNamespacePrefix, offset, "a prefix without a namespace")
	case !p.limits.Trusted && strings.ContainsAny(uri, "\t\n\r"):
		// By a reference, since plain ones are spaces. No URI holds them, and expat writes a line feed between a namespace and a
		// name: to a server it could be another name.
		return p.fail(BadFormat, offset, "a line break in the name of a namespace")
	}
	p.scope.bind(prefix, uri)
	return next
}

// resolveAttrs gives the tag's attributes their namespaces and looks for repeated ones. The tag is at offset.
func (p *core) resolveAttrs(offset int) bool {
	attrs := p.tree.attrs[p.tag.first:]
	if p.tag.prefixed {
		for i := range attrs {
			if attrs[i].Name.Space == "" {
				continue
			}
			space, ok := p.scope.resolve(attrs[i].Name.Space)
			if !ok {
				p.undeclared(offset)
				return false
			}
			attrs[i].Name.Space = space
		}
	}
	if p.tag.twice && repeated(attrs) {
		p.fail(NotWellFormed, offset, "an attribute given twice")
		return false
	}
	return true
}

// repeated reports whether two attributes have the same name, without taking the square of many.
func repeated(attrs []Attr) bool {
	const few = 32
	if len(attrs) > few {
		names := make(map[Name]struct{}, len(attrs))
		for i := range attrs {
			names[attrs[i].Name] = struct{}{}
		}
		return len(names) < len(attrs)
	}
	for i := range attrs {
		for j := range i {
			if attrs[j].Name == attrs[i].Name {
				return true
			}
		}
	}
	return false
}
