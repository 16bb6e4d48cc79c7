package framing_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/framing/framingtest"
)

// oracleElement is an element as the standard library read it.
type oracleElement struct {
	name  framing.Name
	attrs []framing.Attr
	depth int
}

// oracle reads b with encoding/xml and lists its elements in document order. It fails unless b is exactly one element with
// nothing around it.
func oracle(b []byte) (list []oracleElement, text string, err error) {
	d := xml.NewDecoder(strings.NewReader(string(b)))
	var rootText strings.Builder
	depth, roots := 0, 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			e := oracleElement{name: framing.Name{Space: oneLine(tok.Name.Space), Local: tok.Name.Local}, depth: depth}
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
					continue
				}
				e.attrs = append(e.attrs, framing.Attr{Name: framing.Name{Space: oneLine(a.Name.Space), Local: a.Name.Local}, Value: oneLine(a.Value)})
			}
			list = append(list, e)
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 {
				return nil, "", errors.New("text outside the element")
			}
			if depth == 1 {
				rootText.Write(tok)
			}
		default:
			return nil, "", errors.New("something other than elements and text")
		}
	}
	if roots != 1 {
		return nil, "", errors.New("not one element")
	}
	return list, rootText.String(), nil
}

// oneLine levels what the two readers do differently: encoding/xml leaves white space in attribute values alone.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, s)
}

// flatten lists our tree like oracle does.
func flatten(e *framing.Element, depth int) (list []oracleElement) {
	level := func(n framing.Name) framing.Name { return framing.Name{Space: oneLine(n.Space), Local: n.Local} }
	o := oracleElement{name: level(e.Name), depth: depth}
	for _, a := range e.Attrs {
		o.attrs = append(o.attrs, framing.Attr{Name: level(a.Name), Value: oneLine(a.Value)})
	}
	list = append(list, o)
	for c := range e.Children() {
		list = append(list, flatten(c, depth+1)...)
	}
	return list
}

// requireAgreement holds what an accepted frame has to be: one element that the standard library reads the same way.
func requireAgreement(t *testing.T, e *framing.Element) {
	t.Helper()
	want, text, err := oracle(e.Raw)
	require.NoError(t, err, "encoding/xml refuses what was accepted: %q", e.Raw)
	require.Equal(t, want, flatten(e, 1))
	require.Equal(t, text, e.Text())
	deepest := slices.MaxFunc(want, func(a, b oracleElement) int { return a.depth - b.depth })
	require.Equal(t, deepest.depth, e.Depth)
}

var tight = framing.Limits{MaxBytes: 4096, MaxDepth: 16, MaxAttrs: 8, MaxElements: 100, TreeDepth: 16}

func FuzzParseFrame(f *testing.F) {
	for _, c := range framingtest.Hostile() {
		if len(c.Frame) < 2000 {
			f.Add(c.Frame)
		}
	}
	for _, frame := range framingtest.Good() {
		f.Add(frame)
	}
	f.Add([]byte("<a xmlns='u\tv&#10;w' p:b='' xmlns:p='\r\n'/>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := framing.ParseFrame(b, tight)
		if err != nil {
			var fe *framing.Error
			require.ErrorAs(t, err, &fe)
			require.NotEmpty(t, fe.Condition)
			require.NotZero(t, fe.CloseCode)
			require.Nil(t, e)
			return
		}
		requireAgreement(t, e)

		again, err := framing.ParseFrame(e.Raw, tight)
		require.NoError(t, err)
		require.Equal(t, e.Raw, again.Raw)
		require.Equal(t, flatten(e, 1), flatten(again, 1))
		requireEditable(t, e)
	})
}

// requireEditable edits e in every way there is; what comes out has to be a frame again, with the same root.
func requireEditable(t *testing.T, e *framing.Element) {
	t.Helper()
	root := flatten(e, 1)[0]
	check := func(raw []byte) []oracleElement {
		t.Helper()
		out, err := framing.ParseFrame(raw, framing.Limits{})
		require.NoError(t, err, "%q", raw)
		requireAgreement(t, out)
		list := flatten(out, 1)
		require.Equal(t, root, list[0])
		return list
	}
	require.Len(t, check(e.WithContent(nil)), 1)
	require.Len(t, check(e.WithContent([]byte("<new xmlns=''/>"))), 2)
	n := len(flatten(e, 1))
	require.Len(t, check(e.Appended(e, []byte("<new xmlns=''/>"))), n+1)
	for c := range e.Children() {
		below := len(flatten(c, 1))
		require.Len(t, check(e.Without(c)), n-below)
		require.Len(t, check(e.Appended(c, []byte("<new xmlns=''/>"))), n+1)
		for g := range c.Children() {
			require.Len(t, check(e.Without(g)), n-len(flatten(g, 1)))
		}
	}
	children := slices.Collect(e.Children())
	slices.Reverse(children)
	require.Len(t, check(e.Without(children...)), 1)
}
