package load

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNextItem(t *testing.T) {
	for _, c := range []struct{ item, rest string }{
		{"<?xml version='1.0'?>", "<stream:stream>"},
		{"<stream:stream to='a>b' version=\"1.0\">", "<stream:features/>"},
		{"<message><body>1</body><x/></message>", "<message"},
		{"<message a='/'>/></message>", ""},
		{"<presence from='</presence>'/>", " "},
		{" \n", "<a/>"},
		{"</stream:stream>", ""},
	} {
		n, err := NextItem([]byte(c.item + c.rest))
		require.NoError(t, err)
		assert.Equal(t, c.item, (c.item + c.rest)[:n])
	}
	_, err := NextItem([]byte("body"))
	assert.ErrorIs(t, err, errXML)
}

// What encoding/xml reads as an element is an item of the same length, and no
// beginning of it is one.
func FuzzNextItem(f *testing.F) {
	f.Add([]byte("<message to='a'><body>b</body></message><x/>"))
	f.Add([]byte(`<a b=">" c='"'><d/><e>&lt;</e ></a>`))
	f.Add([]byte("<stream:stream a='b'>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := NextItem(b)
		require.LessOrEqual(t, n, len(b))
		if n > 0 && b[0] == '<' {
			for _, k := range []int{n / 4, n / 2, n - 1} {
				short, err := NextItem(b[:k])
				require.NoError(t, err)
				require.Zero(t, short, "%q", b[:k])
			}
		}
		// Servers send no comments, CDATA sections and instructions.
		if bytes.Contains(b, []byte("<!")) || bytes.Contains(b, []byte("<?")) || bytes.HasPrefix(b, []byte("<stream:stream")) {
			return
		}
		if m := elementLength(b); m > 0 {
			require.NoError(t, err)
			require.Equal(t, m, n, "%q", b)
		}
	})
}

// elementLength is how long the element at the beginning of b is, 0 if there is
// none that is well formed.
func elementLength(b []byte) int {
	if len(b) == 0 || b[0] != '<' {
		return 0
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	for depth := 0; ; {
		token, err := d.RawToken()
		if err != nil {
			return 0
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth == 0 {
			var whole any
			if err := xml.Unmarshal(b[:d.InputOffset()], &whole); err != nil && !errors.Is(err, io.EOF) {
				return 0
			}
			return int(d.InputOffset())
		}
	}
}

func TestPartsOfAnItem(t *testing.T) {
	item := []byte(`<iq to="c" from='a' id="b&apos;"><jid>a/b</jid></iq>`)
	assert.Equal(t, "a", attribute(item, "from"))
	assert.Equal(t, "c", attribute(item, "to"))
	assert.Empty(t, attribute(item, "om"))
	jid, ok := text(item, "jid")
	assert.True(t, ok)
	assert.Equal(t, "a/b", string(jid))
	_, ok = text(item, "body")
	assert.False(t, ok)
}
