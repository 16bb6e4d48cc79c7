package framing_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
	"github.com/trunkline-chat/trunkline/gateway/framing/framingtest"
)

func TestHostileFrames(t *testing.T) {
	cases := framingtest.Hostile()
	require.GreaterOrEqual(t, len(cases), 40)
	seen := map[string]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			require.False(t, seen[c.Name], "the name is taken")
			seen[c.Name] = true
			e, err := framing.ParseFrame(c.Frame, framing.ClientLimits)
			switch {
			case c.Binary:
				require.Equal(t, framing.ErrBinary.Condition, c.WantCondition)
				require.Equal(t, framing.ErrBinary.CloseCode, c.WantClose)
			case c.WellFormed:
				require.NoError(t, err)
				require.Equal(t, c.WantCondition.CloseCode(), c.WantClose)
				requireAgreement(t, e)
			default:
				var fe *framing.Error
				require.ErrorAs(t, err, &fe)
				require.Equal(t, c.WantCondition, fe.Condition, fe.Text)
				require.Equal(t, c.WantClose, fe.CloseCode)
				require.NotContains(t, err.Error(), framingtest.Marker, "errors hold nothing of the input")
			}
		})
	}
}

func TestGoodFrames(t *testing.T) {
	for _, frame := range framingtest.Good() {
		e, err := framing.ParseFrame(frame, framing.ClientLimits)
		require.NoError(t, err, "%s", frame)
		require.Equal(t, bytes.TrimSpace(frame), e.Raw)
		requireAgreement(t, e)
	}
}

func TestAttributesAreDecoded(t *testing.T) {
	e := frame(t, "<presence xmlns='jabber&#58;client' type='un&#x61;vailable' to=\"a&quot;\n&amp;&#10;&apos;&lt;&gt;\" p:type='x' xmlns:p='urn:p' xml:lang='de' id=''/>")
	require.Equal(t, framing.Name{Space: framing.NSClient, Local: "presence"}, e.Name)
	require.True(t, e.IsStanza())
	require.Equal(t, "unavailable", e.Type(), "an attribute of another namespace is another attribute")
	require.Equal(t, "a\" &\n'<>", e.To())
	require.Equal(t, "de", e.Lang())
	id, ok := e.Lookup("id")
	require.True(t, ok)
	require.Empty(t, id)
	_, ok = e.Lookup("from")
	require.False(t, ok)
	require.Empty(t, e.From())
}

func TestTree(t *testing.T) {
	e := frame(t, "<iq xmlns='jabber:client'><pubsub xmlns='urn:ps'><publish node='n'><item/></publish></pubsub><p:x xmlns:p='urn:x'/></iq>")
	require.Equal(t, 4, e.Depth)
	publish := e.Child("urn:ps", "pubsub").Child("*", "publish")
	require.Equal(t, "n", publish.Attr("node"))
	require.Equal(t, "<publish node='n'><item/></publish>", string(publish.Raw))
	require.Equal(t, "urn:ps", publish.First().Name.Space)
	require.NotNil(t, e.Child("urn:x", "x"))
	require.Nil(t, e.Child("urn:y", "x"))
	require.Nil(t, publish.First().First())
	require.Equal(t, "<publish node='n'/>", string(publish.WithContent(nil)))
	require.Equal(t, "<publish node='n'><x/></publish>", string(publish.WithContent([]byte("<x/>"))))
	require.Equal(t, "<pubsub xmlns='urn:ps'></pubsub>", string(e.First().Without(publish)))
}

func TestTreeDepthOnlyCutsTheTree(t *testing.T) {
	l := framing.Limits{TreeDepth: 2}
	e, err := framing.ParseFrame([]byte("<a><b>x<c d='1'>no<e/></c>y</b></a>"), l)
	require.NoError(t, err)
	require.Equal(t, 4, e.Depth)
	require.Nil(t, e.First().First())
	require.Equal(t, "xy", e.First().Text())
	for _, bad := range []string{"<a><b><c><e></c></e></b></a>", "<a><b><c><p:e/></c></b></a>", "<a><b><c x='1' x='2'/></b></a>"} {
		_, err := framing.ParseFrame([]byte(bad), l)
		require.Error(t, err, bad)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"<a/>":                                 "",
		"<a></a>":                              "",
		"<a>1 &lt; &#50;</a>":                  "1 < 2",
		"<a>x<b>no</b>y<c d='>'/>z</a>":        "xyz",
		"<a>x<![CDATA[<b>&amp;]]>y</a>":        "x<b>&amp;y",
		"<a>x<b><![CDATA[</b>]]></b>y</a>":     "xy",
		"<a>1\r\n2\r3\n</a>":                   "1\n2\n3\n",
		"<a><![CDATA[1\r\n2\r3]]></a>":         "1\n2\n3",
		"<a>x<b c=\"'>\" d='\">'>no</b >y</a>": "xy",
	} {
		e := frame(t, in)
		require.Equal(t, want, e.Text(), in)
		requireAgreement(t, e)
	}
}

func TestLimitsAreExact(t *testing.T) {
	l := framing.Limits{MaxBytes: 60, MaxDepth: 3, MaxAttrs: 3, MaxElements: 4, TreeDepth: 8}
	for _, ok := range []string{
		"<a><b><c/></b><d/></a>", "<a x='' y='' xmlns=''/>", "<a>" + strings.Repeat("x", 60-len("<a></a>")) + "</a>",
	} {
		_, err := framing.ParseFrame([]byte(ok), l)
		require.NoError(t, err, ok)
	}
	for _, bad := range []string{
		"<a><b><c><d/></c></b></a>", "<a><b/><c/><d/><e/></a>", "<a x='' y='' z='' xmlns=''/>",
		"<a>" + strings.Repeat("x", 61-len("<a></a>")) + "</a>",
	} {
		_, err := framing.ParseFrame([]byte(bad), l)
		var fe *framing.Error
		require.ErrorAs(t, err, &fe, bad)
		require.Equal(t, framing.PolicyViolation, fe.Condition)
	}
}

// Attributes beyond a few are compared another way.
func TestManyAttributes(t *testing.T) {
	l := framing.Limits{MaxAttrs: 100}
	attrs := func(n int, more string) []byte {
		var b strings.Builder
		for i := range n {
			b.WriteString(" a" + strings.Repeat("b", i) + "=''")
		}
		return []byte("<a xmlns:p='u' xmlns:q='u'" + b.String() + more + "/>")
	}
	for _, n := range []int{1, 31, 32, 33, 90} {
		_, err := framing.ParseFrame(attrs(n, " p:a='' q:b=''"), l)
		require.NoError(t, err)
		for _, more := range []string{" a=''", " p:x='' q:x=''", " a" + strings.Repeat("b", n-1) + "=''"} {
			_, err := framing.ParseFrame(attrs(n, more), l)
			require.ErrorContains(t, err, "given twice", "%d and %s", n, more)
			trusted := l
			trusted.Trusted = true
			_, err = framing.ParseFrame(attrs(n, more), trusted)
			require.ErrorContains(t, err, "given twice", "%d and %s", n, more)
		}
	}
}

// Prefixes beyond a few are looked up another way.
func TestManyPrefixes(t *testing.T) {
	for _, n := range []int{0, 14, 15, 16, 17, 40} {
		var b strings.Builder
		b.WriteString("<p:a xmlns:p='outside' xmlns='standard'>")
		for i := range n {
			b.WriteString("<b xmlns:n" + strings.Repeat("n", i) + "='" + strings.Repeat("u", i+1) + "'>")
		}
		b.WriteString("<p:c xmlns:p='inside' xmlns='other'><p:d p:x=''/><e/></p:c><p:f/><g/>")
		for range n {
			b.WriteString("</b>")
		}
		b.WriteString("<p:h/><i/></p:a>")
		e := frame(t, b.String())
		requireAgreement(t, e)
		got := map[string]string{}
		for _, o := range flatten(e, 1) {
			got[o.name.Local] = o.name.Space
		}
		delete(got, "b")
		require.Equal(t, map[string]string{"a": "outside", "c": "inside", "d": "inside", "e": "other", "f": "outside",
			"g": "standard", "h": "outside", "i": "standard"}, got, n)
		gone := strings.Replace(b.String(), "<p:h/>", "<n:h/>", 1)
		_, err := framing.ParseFrame([]byte(gone), framing.ClientLimits)
		require.ErrorContains(t, err, "not declared", "a prefix is over with its element")
	}
}

// Text is looked at eight bytes at a time: every byte is tried at every place.
func TestEveryByteAtEveryPlace(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			text := strings.Repeat("x", at) + string([]byte{byte(c)}) + strings.Repeat("y", 16-at)
			for _, in := range []string{"<a>" + text + "</a>", "<a b='" + text + "'/>", "<a b=\"" + text + "\"/>", "<a><![CDATA[" + text + "]]></a>"} {
				e, err := framing.ParseFrame([]byte(in), framing.ClientLimits)
				_, _, wrong := oracle([]byte(in))
				require.Equal(t, wrong == nil, err == nil, "%q: %v", in, err)
				if err == nil {
					requireAgreement(t, e)
				}
			}
		}
	}
}

func TestNamesBeyondASCII(t *testing.T) {
	l := framing.Limits{Trusted: true}
	for name, ok := range map[string]bool{
		"\u00e9": true, "a\u00b7": true, "a\u0300": true, "a\u203f\u00e9": true, "\U00010000": true, "\u3042:\u3044": true,
		"\u00b7a": false, "\u0300": false, "a\u00d7": false, "\u2028": false, "a\ufffe": false, "a\xc3": false, "\u00e9:\u0300": false,
	} {
		e, err := framing.ParseFrame([]byte("<x xmlns:\u3042='u' xmlns:\u00e9='u'><"+name+" "+name+"=''/></x>"), l)
		require.Equal(t, ok, err == nil, "%q: %v", name, err)
		if ok {
			_, local, found := strings.Cut(name, ":")
			if !found {
				local = name
			}
			require.Equal(t, local, e.First().Name.Local)
			require.Equal(t, local, e.First().Attrs[0].Name.Local)
		}
		_, err = framing.ParseFrame([]byte("<x xmlns:\u3042='u' xmlns:\u00e9='u'><"+name+"/></x>"), framing.ClientLimits)
		require.Error(t, err, "not from a browser")
	}
}

func TestCloseCodes(t *testing.T) {
	for condition, code := range map[framing.Condition]int{
		framing.NotWellFormed:   framing.CloseInvalidData,
		framing.PolicyViolation: framing.ClosePolicy,
		framing.NotAuthorized:   framing.ClosePolicy,
		framing.Reset:           framing.CloseNormal,
		framing.SystemShutdown:  framing.CloseGoingAway,
		"made-up":               framing.CloseNormal,
	} {
		require.Equal(t, code, condition.CloseCode(), condition)
	}
}

// frame parses a frame that has to be right.
func frame(t testing.TB, s string) *framing.Element {
	t.Helper()
	e, err := framing.ParseFrame([]byte(s), framing.ClientLimits)
	require.NoError(t, err, s)
	return e
}
