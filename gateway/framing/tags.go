package framing

import "strings"

// name reads a qualified name at p.pos (Namespaces in XML §4).
func (p *parser) name() (prefix, local string, err error) {
	first, err := p.ncName()
	if err != nil || p.pos >= len(p.src) || p.src[p.pos] != ':' {
		return "", first, err
	}
	p.pos++
	second, err := p.ncName()
	return first, second, err
}

func (p *parser) ncName() (string, error) {
	start := p.pos
	if start >= len(p.src) || !isNameStart(p.src[start], p.limits.Trusted) {
		return "", p.wrong("not the name of an element or attribute")
	}
	for p.pos < len(p.src) && isNameByte(p.src[p.pos], p.limits.Trusted) {
		p.pos++
	}
	return p.src[start:p.pos], nil
}

// attributes reads up to the end of the tag, takes the namespace declarations into scope, and leaves the rest in p.attrs.
func (p *parser) attributes() (empty bool, err error) {
	p.attrs = p.attrs[:0]
	outside := len(p.bindings)
	for n := 0; ; n++ {
		spaced := p.space()
		switch rest := p.src[p.pos:]; {
		case strings.HasPrefix(rest, ">"):
			p.pos++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.pos += 2
			return true, nil
		case !spaced:
			return false, p.wrong("a tag that does not end")
		case n >= p.limits.MaxAttrs:
			return false, fail(PolicyViolation, p.pos, "too many attributes")
		}
		a, err := p.attribute()
		if err != nil {
			return false, err
		}
		switch {
		case a.prefix == "" && a.local == "xmlns":
			err = p.bind("", a, outside)
		case a.prefix == "xmlns":
			err = p.bind(a.local, a, outside)
		default:
			p.attrs = append(p.attrs, a)
		}
		if err != nil {
			return false, err
		}
	}
}

// attribute reads name='value' and decodes the value.
func (p *parser) attribute() (a rawAttr, err error) {
	a.offset = p.pos
	if a.prefix, a.local, err = p.name(); err != nil {
		return a, err
	}
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '=' {
		return a, p.wrong("an attribute without a value")
	}
	p.pos++
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '\'' && p.src[p.pos] != '"' {
		return a, p.wrong("an attribute value without quotes")
	}
	quote := p.src[p.pos]
	p.pos++
	n := strings.IndexByte(p.src[p.pos:], quote)
	if n < 0 {
		return a, p.wrong("an attribute value that does not end")
	}
	raw := p.src[p.pos : p.pos+n]
	if a.value, err = attrValue(raw, p.pos); err != nil {
		return a, err
	}
	p.pos += n + 1
	return a, nil
}

// attrValue checks and decodes what stood between the quotes; mostly that is the value itself.
func attrValue(raw string, offset int) (string, error) {
	same := true
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '<':
			return "", fail(NotWellFormed, offset+i, "a '<' in an attribute value")
		case '&':
			_, n, err := reference(raw[i:], offset+i)
			if err != nil {
				return "", err
			}
			i += n - 1
			same = false
		case '\n', '\t', '\r':
			same = false
		}
	}
	if same {
		return raw, nil
	}
	return string(appendDecoded(make([]byte, 0, len(raw)), raw, true)), nil
}

// bind takes a namespace declaration into scope (Namespaces in XML §3, §5). The bindings from outside on are this tag's.
func (p *parser) bind(prefix string, a rawAttr, outside int) error {
	for _, b := range p.bindings[outside:] {
		if b.prefix == prefix {
			return fail(NotWellFormed, a.offset, "an attribute given twice")
		}
	}
	switch {
	case prefix == "xmlns", a.value == nsXMLNS, (prefix == "xml") != (a.value == NSXML):
		return fail(BadNamespacePrefix, a.offset, "a reserved prefix or namespace")
	case prefix != "" && a.value == "":
		return fail(BadNamespacePrefix, a.offset, "a prefix without a namespace")
	}
	p.bindings = append(p.bindings, binding{prefix, a.value})
	return nil
}

// resolve finds the namespace of a prefix. An attribute without a prefix is in none.
func (p *parser) resolve(prefix string, offset int, element bool) (string, error) {
	if prefix == "" && !element {
		return "", nil
	}
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if p.bindings[i].prefix == prefix {
			if i < p.inherited {
				p.used[i] = true
			}
			return p.bindings[i].uri, nil
		}
	}
	switch prefix {
	case "":
		return "", nil
	case "xml":
		return NSXML, nil
	}
	return "", fail(BadNamespacePrefix, offset, "a prefix that is not declared")
}

// resolveAttrs resolves p.attrs and looks for repeated ones; keep says whether to return them.
func (p *parser) resolveAttrs(keep bool) ([]Attr, error) {
	n := len(p.attrs)
	if n == 0 {
		return nil, nil
	}
	if len(p.spareAttr) < n {
		p.spareAttr = make([]Attr, max(n, 12))
	}
	attrs := p.spareAttr[:n:n]
	for i, a := range p.attrs {
		space, err := p.resolve(a.prefix, a.offset, false)
		if err != nil {
			return nil, err
		}
		attrs[i] = Attr{Name{space, a.local}, a.value}
		if p.limits.Trusted {
			continue
		}
		for j := range i {
			if attrs[j].Name == attrs[i].Name {
				return nil, fail(NotWellFormed, a.offset, "an attribute given twice")
			}
		}
	}
	if !keep {
		return nil, nil
	}
	p.spareAttr = p.spareAttr[n:]
	return attrs, nil
}
