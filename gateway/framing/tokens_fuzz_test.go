package framing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// What frames are put together of here, so that most of them are right and the rest nearly: in a tag, in an element, and
// what is wrong in most places.
var (
	inTag = []string{
		">", "/>", " ", "\n", "\t", "\r\n", " xmlns='u'", " xmlns=''", " xmlns:p='u'", " xmlns:q=\"u\"", " xmlns:p='v'",
		" xmlns:q='w\n&amp;'", " xmlns:xml='" + framing.NSXML + "'", " id='1'", " to=\"a@b\"", " type='&#103;et'", " from = 'x\ny'",
		" p:id='2'", " q:id='3'", " p:to=''", " xml:lang='en'", " t\u00f6='\U0001F339'", " a='\u00e9&lt;>\"'", " b=\"'/>\"",
		" c='" + strings.Repeat("x", 17) + "\t'", " d='&#10;&#13;&#x9; '", " e='\r\n'", " f='\r'",
	}
	inElement = []string{
		"<a", "<b", "<p:a", "<q:b", "<\u00e9", end, end, end + "\n", " ", "\n", "\r\n", "\r", "text", ">", "]]", "]", "'\"", "=/",
		"&lt;", "&gt;", "&amp;", "&apos;", "&quot;", "&#10;", "&#13;", "&#x10FFFF;", "<![CDATA[]]>", "<![CDATA[<b>&amp;]]]]>",
		"<![CDATA[\r\n\r]]>", strings.Repeat("x", 17), "\u00e9", "\u0300", "\u20ac", "\ufffd", "\U0001F339", "\x7f", "\u0085", "\u2028",
	}
	anywhere = []string{
		"<", "</", "</a>", "<!--", "-->", "<?x ?>", "<!DOCTYPE a>", ":", "-", ".", "0", "xmlns", " id='", " to=\"", "'", "\"", "=", "&",
		"&x;", "&#0;", "&#xFFFE;", "]]>", "<![CDATA[", "\ufffe", "\x80", "\xe9", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x00", "\x1f",
	}
)

// end stands for the end tag that belongs there.
const end = "</>"

// assemble makes a frame of which each byte of the program is a piece. All that is open is closed in the end.
func assemble(program []byte) []byte {
	out, open, tag := []byte("<a xmlns:p='o' xmlns:q='o'>"), []string{"a"}, false
	leave := func() {
		if len(open) > 0 {
			out = append(append(append(out, "</"...), open[len(open)-1]...), '>')
			open = open[:len(open)-1]
		}
	}
	for _, b := range program {
		list := inElement
		switch {
		case b >= 0xE8:
			list, b = anywhere, b-0xE8+byte(len(out)) // which one depends on what came before
		case tag:
			list = inTag
		}
		piece := list[int(b)%len(list)]
		if after, ok := strings.CutPrefix(piece, end); ok {
			leave()
			out = append(out, after...)
			continue
		}
		out = append(out, piece...)
		switch {
		case tag && piece == ">":
			tag = false
		case tag && piece == "/>":
			tag, open = false, open[:len(open)-1]
		case !tag && piece[0] == '<' && !strings.HasPrefix(piece, "<!") && b < 0xE8:
			tag, open = true, append(open, piece[1:])
		}
	}
	if tag {
		out = append(out, '>')
	}
	for len(open) > 0 {
		leave()
	}
	return out
}

// FuzzTokenReferences is FuzzFrameReferences and FuzzStreamReferences on frames put together of pieces.
func FuzzTokenReferences(f *testing.F) {
	f.Add([]byte{0, 12, 5})
	f.Add([]byte{6, 8, 13, 0, 2, 14, 0, 12, 26, 27, 5, 7, 3, 17, 1})
	f.Add([]byte("a longer one, which comes to whatever it comes to: \xe8\xf0"))
	addCorpus(f, "testdata/programs.txt")
	others := startReferences(f)
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 64 {
			return
		}
		frame := assemble(program)
		l := relayed
		for _, l.Trusted = range []bool{false, true} {
			e, err := framing.ParseFrame(frame, l)
			if err != nil {
				continue
			}
			ours := reading{tree(e, 1), e.Text()}
			others.requireSameReading(t, e.Raw, ours)
			if !hasWideName(ours.Elements) {
				requireAgreement(t, e)
			}
		}
		for i := range streamHeaders {
			others.requireSameStream(t, i, frame)
		}
	})
}

// The target is of use only if much of what it makes is accepted.
func TestTokensMakeFrames(t *testing.T) {
	accepted := 0
	const tries = 4000
	random := uint32(1)
	for range tries {
		program := make([]byte, 8)
		for i := range program {
			random = random*1664525 + 1013904223
			program[i] = byte(random >> 24)
		}
		if _, err := framing.ParseFrame(assemble(program), relayed); err == nil {
			accepted++
		}
	}
	require.Greater(t, accepted, tries/4)
}
