package load

import (
	"bytes"
	"errors"
)

var errXML = errors.New("what came is not XML")

// NextItem is the length of the first item of an RFC 6120 stream at the
// beginning of b: white space, an XML declaration, the stream's opening or
// closing tag, or one whole element. 0 means that it is not complete.
func NextItem(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if b[0] != '<' {
		n := 0
		for n < len(b) && (b[n] == ' ' || b[n] == '\n' || b[n] == '\r' || b[n] == '\t') {
			n++
		}
		if n == 0 {
			return 0, errXML
		}
		return n, nil
	}
	for depth, at := 0, 0; ; {
		end := tagEnd(b, at)
		if end < 0 {
			return 0, nil
		}
		tag := b[at:end]
		switch {
		case depth == 0 && (tag[1] == '?' || tag[1] == '/' || bytes.HasPrefix(tag, []byte("<stream:stream"))):
			return end, nil
		case tag[1] == '/':
			depth--
		case tag[len(tag)-2] != '/':
			depth++
		}
		if depth == 0 {
			return end, nil
		}
		next := bytes.IndexByte(b[end:], '<')
		if next < 0 {
			return 0, nil
		}
		at = end + next
	}
}

// tagEnd is where the tag that begins at b[at] ends, -1 if it does not yet.
func tagEnd(b []byte, at int) int {
	for i := at + 1; i < len(b); i++ {
		switch b[i] {
		case '>':
			if i < at+2 {
				continue
			}
			return i + 1
		case '"', '\'':
			n := bytes.IndexByte(b[i+1:], b[i])
			if n < 0 {
				return -1
			}
			i += n + 1
		}
	}
	return -1
}

// attribute is the value of the first attribute of this name in b, as it is
// written; "" if there is none.
func attribute(b []byte, name string) string {
	for _, quote := range []string{"'", `"`} {
		_, value, found := bytes.Cut(b, []byte(" "+name+"="+quote))
		if !found {
			continue
		}
		if value, _, found = bytes.Cut(value, []byte(quote)); found {
			return string(value)
		}
	}
	return ""
}

// text is what stands between the first <name> and </name> in b.
func text(b []byte, name string) ([]byte, bool) {
	_, rest, found := bytes.Cut(b, []byte("<"+name+">"))
	if !found {
		return nil, false
	}
	value, _, found := bytes.Cut(rest, []byte("</"+name+">"))
	return value, found
}
