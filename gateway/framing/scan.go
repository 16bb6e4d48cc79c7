package framing

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Eight bytes are looked at together, as a word w, its first byte in the lowest place. each puts one byte into all eight
// places. In (w-each)&high the top bit of the first zero byte is set; before it only bytes from 0x81 on have theirs set.
const (
	each = 0x0101010101010101
	high = 0x80 * each
)

// stopInText returns the first position from i on that is none of the plain bytes of text: '<', '&', '>', a control (white
// space among them), or beyond ASCII. It returns len(b) when there is none.
func stopInText(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		tags := (w | 2*each) ^ '>'*each // '<' and '>' differ in this bit alone
		amp := w ^ '&'*each
		if hit := ((tags - each) | (amp - each) | (w - ' '*each) | w) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '<' || c == '&' || c == '>' || c < ' ' || c >= 0x80 {
			return i
		}
	}
	return i
}

// stopInValue is stopInText for an attribute value: its quote, '<', '&', a control or beyond ASCII.
func stopInValue(b []byte, i int, quote byte) int {
	// Each quote differs from '&' in one bit alone.
	differ := uint64('&'^quote) * each
	both := uint64('&'|quote) * each
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		ends := (w | differ) ^ both
		tag := w ^ '<'*each
		if hit := ((ends - each) | (tag - each) | (w - ' '*each) | w) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == quote || c == '<' || c == '&' || c < ' ' || c >= 0x80 {
			return i
		}
	}
	return i
}

// characters checks the characters beyond ASCII at i and returns where the next of ASCII is. A control at i is wrong.
func (p *core) characters(i int) int {
	src := p.src
	for i < len(src) && src[i] >= 0x80 {
		c := src[i]
		switch {
		case c >= 0xC2 && c < 0xE0 && i+1 < len(src) && src[i+1]&0xC0 == 0x80:
			i += 2 // all of them are characters of XML
		case (c > 0xE0 && c < 0xED || c == 0xEE) && i+2 < len(src) && src[i+1]&0xC0 == 0x80 && src[i+2]&0xC0 == 0x80:
			i += 3 // so are these
		default:
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n <= 1 {
				return p.fail(UnsupportedEncoding, i, "the bytes are not UTF-8")
			}
			if !isChar(r) {
				return p.fail(NotWellFormed, i, "a character that XML does not allow")
			}
			i += n
		}
	}
	if i < len(src) && class[src[i]]&plainByte == 0 {
		return p.fail(NotWellFormed, i, "a character that XML does not allow")
	}
	return i
}

// reference checks the reference at i and returns where it ends.
func (p *core) reference(i int) int {
	_, n, err := reference(p.str[i:], i)
	if err != nil {
		return p.fail(err.Condition, err.Offset, err.Text)
	}
	return i + n
}
