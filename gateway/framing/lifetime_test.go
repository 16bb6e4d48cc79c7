package framing_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const keepable = "<iq to='juliet@capulet.example' id='a&#98;c'><query xmlns='urn:q'/></iq>"

// ParseFrame's element and a clone are the caller's for good, whatever is read after them.
func TestWhatMayBeKept(t *testing.T) {
	others := func() {
		p, s := framing.NewParser(framing.ClientLimits), framing.NewSplitter(framing.ServerLimits)
		s.Feed([]byte(header + strings.Repeat("<x a='&gt;' b='2'><y/></x>", 3)))
		for range 3 {
			_, err := p.Frame([]byte("<a xmlns='u' b='&lt;' c='2'><d/><e/></a>"))
			require.NoError(t, err)
			_ = frame(t, "<b xmlns='v' c='&lt;' d='3'><f/></b>")
			_, err = s.Next()
			require.NoError(t, err)
		}
		p.Release()
		s.Release()
	}
	others() // leaves memory for the next to take
	e := frame(t, keepable)
	p := framing.NewParser(framing.ClientLimits)
	lent, err := p.Frame([]byte(keepable))
	require.NoError(t, err)
	clone := lent.Clone()
	p.Release()
	others()
	for _, kept := range []*framing.Element{e, clone} {
		require.Equal(t, keepable, string(kept.Raw))
		require.Equal(t, "abc", kept.ID())
		require.Equal(t, "juliet@capulet.example", kept.To())
		require.NotNil(t, kept.Child("urn:q", "query"))
		requireAgreement(t, kept)
	}
}

// What was read may have been secret: nothing that stays behind for later frames leads to it.
func TestReleaseLetsGoOfTheFrame(t *testing.T) {
	p := framing.NewParser(framing.ClientLimits)
	read := func() weak.Pointer[byte] {
		b := bytes.Clone([]byte("<a xmlns:p='u' b='c' p:d='e'><p:f g='h'>" + strings.Repeat("x", 4096) + "</p:f><i j='k' l='m'/></a>"))
		_, err := p.Frame(b)
		require.NoError(t, err)
		return weak.Make(&b[0])
	}
	frames := []weak.Pointer[byte]{read()}
	_, err := p.Frame([]byte("<a/>")) // smaller: it does not come over all of it
	require.NoError(t, err)
	p.Release()
	runtime.GC() // what is pooled outlives one collection
	for _, f := range frames {
		require.Nil(t, f.Value(), "something still leads to the frame")
	}
	runtime.KeepAlive(p)
}
