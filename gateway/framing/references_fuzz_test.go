package framing_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/framing/framingtest"
)

// addFrames adds what both targets start from.
func addFrames(f *testing.F) {
	for _, c := range framingtest.Hostile() {
		if len(c.Frame) < 2000 {
			f.Add(c.Frame)
		}
	}
	for _, frame := range framingtest.Good() {
		f.Add(frame)
	}
	for _, frame := range []string{
		rich,
		"<a xmlns='u\tv&#10;w' p:b='' xmlns:p='\r\n'/>",
		"<iq xmlns='jabber:client' to='&#x61;@b' type='get&#10;' id=\"'\n\"><a:q xmlns:a='urn:a'><a:r xmlns:a='urn:b' a:s='1'/></a:q></iq>",
		"<a xml:lang='x' xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:base=''/>",
		"<p:a xmlns:p='urn:p'><p:b xmlns:p='urn:q'/><p:c/><b xmlns=''><c/></b></p:a >",
		"<a><![CDATA[]]]]><![CDATA[>]]>]]&gt;</a>",
		"<a b='\u00e9\u20ac\U0001F339\u007f\u0085\u2028'>\u00e9\u20ac\U0001F339\u007f\u0085\u2028</a>",
		"<message xmlns='jabber:client'><b\u00f6dy gr\u00f6\u00dfe='' \u0100='' \u0e01='' \u1e9e=''/></message>",
	} {
		f.Add([]byte(frame))
	}
	addCorpus(f, "testdata/corpus.txt")
}

// addCorpus adds what long runs came upon: one Go string a line.
func addCorpus(f *testing.F, name string) {
	corpus, err := os.ReadFile(name)
	require.NoError(f, err)
	for line := range strings.Lines(string(corpus)) {
		input, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		require.NoError(f, err, line)
		f.Add([]byte(input))
	}
}

// FuzzFrameReferences: a frame that is accepted is one element to every other reader, and to each the same.
func FuzzFrameReferences(f *testing.F) {
	addFrames(f)
	others, p := startReferences(f), framing.NewParser(tight)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := framing.ParseFrame(b, tight)
		again, errAgain := p.Frame(b)
		require.Equal(t, err == nil, errAgain == nil, "the parser and ParseFrame disagree")
		if err != nil {
			require.Equal(t, err, errAgain)
			return
		}
		ours := reading{tree(e, 1), e.Text()}
		require.Equal(t, ours, reading{tree(again, 1), again.Text()})
		require.Equal(t, e.Raw, again.Raw)
		requireAgreement(t, e)
		others.requireSameReading(t, e.Raw, ours)
	})
}

// relayed are the limits for a server's stream, small, and with a tree that is whole.
var relayed = framing.Limits{MaxBytes: 4096, MaxDepth: 16, MaxAttrs: 8, MaxElements: 100, TreeDepth: 16, Trusted: true}

// streamHeaders begin the streams of the target: the one every server sends, and one with declarations that stanzas rest on.
var streamHeaders = []string{
	header,
	"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' xmlns:p='urn:p&amp;' xmlns:q='urn:p&amp;'>",
}

// FuzzStreamReferences: every element of a stream is to every other reader the same, in the stream and alone as the frame that
// the browser gets.
func FuzzStreamReferences(f *testing.F) {
	addFrames(f)
	f.Add([]byte("<stream:features/><iq/> <message p:a='' q:b=''><p:c/></message>\n<p:d/>"))
	others := startReferences(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range streamHeaders {
			others.requireSameStream(t, i, b)
		}
	})
}

// requireSameStream holds that what stands in a stream is the same to every other reader, if the stream is right.
func (r *references) requireSameStream(t *testing.T, header int, b []byte) {
	t.Helper()
	root := []string{"stream:stream", "s:stream"}[header]
	document := slices.Concat([]byte(streamHeaders[header]), b, []byte("</"+root+">"))
	elements, whole := r.split(t, document)
	if !whole || bytes.Contains(b, []byte("</"+root)) {
		return
	}
	for library, theirs := range r.ask(t, document) {
		if theirs == nil && library == "expat" && hasWideName(elements) {
			continue
		}
		require.NotNil(t, theirs, "%s refuses what was accepted: %q", library, document)
		require.Equal(t, elements, append([]oracleElement(nil), theirs.Elements[1:]...), "%s reads it differently: %q", library, document)
	}
}

// split takes a stream apart, compares each element as a frame with the references, and lists them all as they stand in the
// stream. whole says that the stream ended and was right.
func (r *references) split(t *testing.T, document []byte) (elements []oracleElement, whole bool) {
	s := framing.NewSplitter(relayed)
	if _, err := s.Fill(bytes.NewReader(document)); err != nil {
		return nil, false
	}
	for {
		item, err := s.Next()
		switch {
		case errors.Is(err, framing.ErrNeedMore) && len(document) > 16<<10:
			return nil, false
		case err != nil:
			return nil, false
		case item.Kind == framing.StreamEnd:
			return elements, s.Buffered() == 0
		case item.Kind == framing.Stanza:
			e := item.Element
			ours := reading{tree(e, 1), e.Text()}
			r.requireSameReading(t, e.Raw, ours)
			if !hasWideName(ours.Elements) {
				requireAgreement(t, e)
			}
			for _, o := range tree(e, 2) {
				elements = append(elements, o.own())
			}
		}
	}
}

// own is o in memory of its own.
func (o oracleElement) own() oracleElement {
	for i := range o.attrs {
		a := &o.attrs[i]
		a.Name.Space, a.Name.Local, a.Value = strings.Clone(a.Name.Space), strings.Clone(a.Name.Local), strings.Clone(a.Value)
	}
	o.name.Space, o.name.Local = strings.Clone(o.name.Space), strings.Clone(o.name.Local)
	return o
}
