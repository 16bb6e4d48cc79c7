package framing

// binding is a namespace declaration in scope.
type binding struct {
	prefix, uri string // prefix "" is the default namespace
	written     string // as an attribute; of the stream header's only
	shadows     int    // the binding of the same prefix outside, -1 for none; known in a crowd only
}

// crowd is from how many bindings on they are looked up in a map, so that no frame can make looking them up expensive.
const crowd = 16

// scope holds the namespace declarations in scope, the innermost last.
type scope struct {
	bindings  []binding
	standard  int            // index of the default namespace, -1 for none
	inherited int            // the first ones come from the stream header
	used      []bool         // which of those
	innermost map[string]int // nil unless the frame has had a crowd
}

func (s *scope) begin(inherited []binding) {
	s.bindings = append(s.bindings[:0], inherited...)
	s.inherited, s.standard, s.innermost = len(inherited), -1, nil
	s.used = s.used[:0]
	for i := range inherited {
		s.used = append(s.used, false)
		if inherited[i].prefix == "" {
			s.standard = i
		}
	}
}

// standardSpace is the namespace of an element without a prefix.
func (s *scope) standardSpace() string {
	i := s.standard
	if i < 0 {
		return ""
	}
	if i < s.inherited {
		s.used[i] = true
	}
	return s.bindings[i].uri
}

// find returns the index of the innermost binding of a prefix, -1 for none.
func (s *scope) find(prefix string) int {
	if prefix == "" {
		return s.standard
	}
	if s.innermost != nil {
		if i, ok := s.innermost[prefix]; ok {
			return i
		}
		return -1
	}
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return i
		}
	}
	return -1
}

// resolve finds the namespace of a prefix, which is not "".
func (s *scope) resolve(prefix string) (uri string, ok bool) {
	i := s.find(prefix)
	if i < 0 {
		return NSXML, prefix == "xml"
	}
	if i < s.inherited {
		s.used[i] = true
	}
	return s.bindings[i].uri, true
}

func (s *scope) bind(prefix, uri string) {
	s.bindings = append(s.bindings, binding{prefix: prefix, uri: uri})
	last := len(s.bindings) - 1
	switch {
	case s.innermost != nil:
		s.index(last)
	case last == crowd:
		s.innermost = make(map[string]int, 2*crowd)
		for i := range s.bindings {
			s.index(i)
		}
	}
	if prefix == "" {
		s.standard = last
	}
}

// index puts a binding into the map.
func (s *scope) index(i int) {
	b := &s.bindings[i]
	b.shadows = -1
	if j, ok := s.innermost[b.prefix]; ok {
		b.shadows = j
	}
	s.innermost[b.prefix] = i
}

// leave goes back to the first n bindings.
func (s *scope) leave(n, standard int) {
	s.standard = standard
	if s.innermost != nil {
		for i := len(s.bindings) - 1; i >= n; i-- {
			if b := &s.bindings[i]; b.shadows < 0 {
				delete(s.innermost, b.prefix)
			} else {
				s.innermost[b.prefix] = b.shadows
			}
		}
	}
	s.bindings = s.bindings[:n]
}
