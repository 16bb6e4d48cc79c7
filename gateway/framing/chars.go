package framing

import (
	"strings"
	"unicode/utf8"
)

// plain marks the bytes that are a character of XML by themselves: ASCII without the controls XML forbids (XML 1.0 §2.2).
var plain = func() (t [256]bool) {
	for b := 0x20; b < 0x80; b++ {
		t[b] = true
	}
	t['\t'], t['\n'], t['\r'] = true, true, true
	return t
}()

// isChar reports whether r is in XML's Char production (XML 1.0 §2.2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// checkChars finds the first byte of s that is not UTF-8, or the first character that XML does not know.
func checkChars(s string) error {
	for i := 0; i < len(s); {
		if plain[s[i]] {
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

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// isNameStart and isNameByte are the NCName productions cut down to ASCII (Namespaces in XML §3); trusted lets every
// other character pass.
func isNameStart(b byte, trusted bool) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || trusted && b >= 0x80
}

func isNameByte(b byte, trusted bool) bool {
	return isNameStart(b, trusted) || b >= '0' && b <= '9' || b == '-' || b == '.'
}

// maxReference is the longest reference that is read, from '&' to ';': &#x10FFFF; and some leading zeros.
const maxReference = 16

// reference reads the reference at the start of s, which begins with '&'. It returns what it stands for and its length.
func reference(s string, offset int) (r rune, n int, err error) {
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
			if !isNameByte(name[i], true) {
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

// checkText checks character data between two tags: references, and no "]]>" (XML 1.0 §2.4).
func checkText(s string, offset int) error {
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '&')
		if j < 0 {
			break
		}
		i += j
		_, n, err := reference(s[i:], offset+i)
		if err != nil {
			return err
		}
		i += n
	}
	if i := strings.Index(s, "]]>"); i >= 0 {
		return fail(NotWellFormed, offset+i, "the end of a CDATA section that never began")
	}
	return nil
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
