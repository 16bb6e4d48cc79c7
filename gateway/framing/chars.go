package framing

import (
	"strings"
	"unicode/utf8"
)

// class says what a byte can be in a frame.
var class = func() (t [256]uint8) {
	for b := range 256 {
		switch c := byte(b); {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[b] = nameStart | nameByte | plainByte
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[b] = nameByte | plainByte
		case c == '\t', c == '\n', c == '\r':
			t[b] = spaceByte | plainByte
		case c == ' ':
			t[b] = spaceByte | plainByte
		case c > ' ' && c < 0x80:
			t[b] = plainByte
		}
	}
	return t
}()

// nameStart and nameByte are the NCName productions cut down to ASCII (Namespaces in XML §3). plainByte is a character of XML
// by itself: ASCII without the controls XML forbids (XML 1.0 §2.2).
const (
	nameStart uint8 = 1 << iota
	nameByte
	spaceByte
	plainByte
)

func isSpace(b byte) bool { return class[b]&spaceByte != 0 }

// skipSpace returns the first position from i on that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// isChar reports whether r is in XML's Char production (XML 1.0 §2.2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// checkChars finds the first byte of s that is not UTF-8, or the first character that XML does not know.
func checkChars(s string) *Error {
	for i := 0; i < len(s); {
		if class[s[i]]&plainByte != 0 {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			return fail(UnsupportedEncoding, i, "the bytes are not UTF-8")
		case !isChar(r):
			return fail(NotWellFormed, i, "a character that XML does not allow")
		}
		i += n
	}
	return nil
}

// nameRanges are the characters beyond ASCII that a name may hold, first and last; those with first set may begin one
// (XML 1.0, fifth edition, §2.3).
var nameRanges = []struct {
	from, to rune
	first    bool
}{
	{0xB7, 0xB7, false}, {0xC0, 0xD6, true}, {0xD8, 0xF6, true}, {0xF8, 0x2FF, true}, {0x300, 0x36F, false}, {0x370, 0x37D, true},
	{0x37F, 0x1FFF, true}, {0x200C, 0x200D, true}, {0x203F, 0x2040, false}, {0x2070, 0x218F, true}, {0x2C00, 0x2FEF, true},
	{0x3001, 0xD7FF, true}, {0xF900, 0xFDCF, true}, {0xFDF0, 0xFFFD, true}, {0x10000, 0xEFFFF, true},
}

// endOfName returns where the NCName that goes on at i ends. first says that it begins there.
func endOfName(s string, i int, first bool) int {
	for i < len(s) {
		r, n := rune(s[i]), 1
		if r >= 0x80 {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if !inName(r, n, first) {
			return i
		}
		i, first = i+n, false
	}
	return i
}

// inName reports whether r, of n bytes, can stand in a name, at its beginning if first.
func inName(r rune, n int, first bool) bool {
	switch {
	case r < 0x80 && first:
		return class[r]&nameStart != 0
	case r < 0x80:
		return class[r]&nameByte != 0
	case r == utf8.RuneError && n == 1:
		return false
	}
	for _, c := range nameRanges {
		if r >= c.from && r <= c.to {
			return c.first || !first
		}
	}
	return false
}

// maxReference is the longest reference that is read, from '&' to ';': &#x10FFFF; and some leading zeros.
const maxReference = 16

// reference reads the reference at the start of s, which begins with '&'. It returns what it stands for and its length.
func reference(s string, offset int) (r rune, n int, err *Error) {
	n = strings.IndexByte(s[:min(len(s), maxReference)], ';') + 1
	if n < 3 {
		return 0, 0, fail(NotWellFormed, offset, "an ampersand that begins no reference")
	}
	name := s[1 : n-1]
	switch name {
	case "lt":
		return '<', n, nil
	case "gt":
		return '>', n, nil
	case "amp":
		return '&', n, nil
	case "apos":
		return '\'', n, nil
	case "quot":
		return '"', n, nil
	}
	if name[0] != '#' {
		for i := range len(name) {
			if class[name[i]]&nameByte == 0 && name[i] < 0x80 {
				return 0, 0, fail(NotWellFormed, offset, "an ampersand that begins no reference")
			}
		}
		return 0, 0, fail(RestrictedXML, offset, "an entity beyond the five of XML")
	}
	if r, ok := number(name[1:]); ok && isChar(r) {
		return r, n, nil
	}
	return 0, 0, fail(NotWellFormed, offset, "a character reference to no character")
}

// number reads the digits of a character reference: decimal, or hexadecimal behind an x.
func number(digits string) (r rune, ok bool) {
	base := rune(10)
	if strings.HasPrefix(digits, "x") {
		base, digits = 16, digits[1:]
	}
	if digits == "" {
		return 0, false
	}
	for i := range len(digits) {
		d := rune(99)
		switch b := digits[i]; {
		case b >= '0' && b <= '9':
			d = rune(b - '0')
		case b >= 'a' && b <= 'f':
			d = rune(b-'a') + 10
		case b >= 'A' && b <= 'F':
			d = rune(b-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, true
}

// appendDecoded adds character data or an attribute value to dst with its references resolved and its line ends
// normalised (XML 1.0 §2.11); in an attribute white space becomes a space (§3.3.3). s has been checked.
func appendDecoded(dst []byte, s string, attribute bool) []byte {
	for i := 0; i < len(s); {
		switch b := s[i]; {
		case b == '&':
			r, n, err := reference(s[i:], i)
			if err != nil {
				return dst
			}
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case b == '\r' && i+1 < len(s) && s[i+1] == '\n': // the line feed that follows stands for both
		case b == '\r' && !attribute:
			dst = append(dst, '\n')
		case attribute && isSpace(b):
			dst = append(dst, ' ')
		default:
			dst = append(dst, b)
		}
		i++
	}
	return dst
}
