package framing

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadReadsTheStartTagAlone(t *testing.T) {
	for frame, id := range map[string]string{
		"<message xmlns='jabber:client' id='a' to='b@c'><body>" + strings.Repeat("x", 1000): "a",
		"<message xmlns='jabber:client' id='a&gt;\">'/>":                                    "a>\">",
		"<message xmlns='jabber:client' id=\"a/\" ><<<<":                                    "a/",
		"<p:message xmlns:p='jabber:client' id='a'>":                                        "a",
	} {
		e, err := Head([]byte(frame))
		require.NoError(t, err, frame)
		require.True(t, e.Is(NSClient, "message"), frame)
		require.Equal(t, id, e.ID(), frame)
		require.Nil(t, e.First())
	}
	for _, frame := range []string{"", "<", "<message id='>", "message>", "<!DOCTYPE m>", "<?xml?>", "<p:message>", "<m a='<'>", "<m a='1'b='2'>", "<m\x00>"} {
		_, err := Head([]byte(frame))
		require.Error(t, err, frame)
	}
}

func TestHeadIsBounded(t *testing.T) {
	tag := func(n int) []byte {
		var b strings.Builder
		b.WriteString("<message xmlns='jabber:client' id='a'")
		for i := range n {
			fmt.Fprintf(&b, " xmlns:a%d='urn:%d'", i, i)
		}
		return []byte(b.String() + ">")
	}
	_, err := Head(tag(1000))
	require.NoError(t, err)
	_, err = Head(tag(10_000))
	require.Error(t, err)
}

// FuzzHead holds that Head reads the start tag of a good frame as ParseFrame does, whatever comes after it.
func FuzzHead(f *testing.F) {
	for _, s := range []string{"<message xmlns='jabber:client' id='1>2' a=\"'\"><body/></message>", "<a/>", "<a b='/'/>", "<a:b xmlns:a='c'></a:b>", "<a ", "<m a='"} {
		f.Add([]byte(s), []byte("<"))
	}
	f.Fuzz(func(t *testing.T, b, junk []byte) {
		head, headErr := Head(b)
		e, err := ParseFrame(bytes.Clone(b), ClientLimits)
		if err != nil {
			return
		}
		require.NoError(t, headErr)
		require.Equal(t, e.Name, head.Name)
		require.Equal(t, e.Attrs, head.Attrs)
		cut := append(bytes.Clone(b[:startTagEnd(b)+1]), junk...)
		again, err := Head(cut)
		require.NoError(t, err)
		require.Equal(t, e.Attrs, again.Attrs)
	})
}
