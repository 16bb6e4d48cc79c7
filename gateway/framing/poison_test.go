//go:build race || poison

package framing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// held is what somebody kept of an element without cloning it.
type held struct {
	e          *framing.Element
	child      *framing.Element
	raw        []byte
	to, name   string
	id, parsed string // decoded, as it was
}

func hold(e *framing.Element) held {
	return held{e: e, child: e.First(), raw: e.Raw, to: e.To(), name: e.First().Name.Local, id: e.ID(), parsed: strings.Clone(e.ID())}
}

// requireNonsense holds that nothing of it can be taken for what it was. ownRaw says that Raw is not the caller's memory.
func (h held) requireNonsense(t *testing.T, ownRaw bool) {
	t.Helper()
	const bad = "\xff"
	require.Contains(t, h.to, bad)
	require.Contains(t, h.name, bad)
	require.Contains(t, h.id, bad)
	require.NotEqual(t, h.parsed, h.id)
	require.Contains(t, h.e.Name.Local, bad)
	require.Contains(t, h.child.Name.Local, bad)
	require.Empty(t, h.child.To())
	if ownRaw {
		require.Contains(t, string(h.raw), bad)
	}
}

func TestWhatAParserReturnedIsOver(t *testing.T) {
	for name, end := range map[string]func(*framing.Parser){
		"the next frame":    func(p *framing.Parser) { _, _ = p.Frame([]byte("<a/>")) },
		"a frame that ends": func(p *framing.Parser) { _, _ = p.Frame([]byte("<a>")) },
		"the same bytes":    func(p *framing.Parser) { _, _ = p.Frame([]byte(keepable)) },
		"release":           func(p *framing.Parser) { p.Release() },
	} {
		t.Run(name, func(t *testing.T) {
			p := framing.NewParser(framing.ClientLimits)
			e, err := p.Frame([]byte(keepable))
			require.NoError(t, err)
			require.Equal(t, "abc", e.ID())
			h, clone := hold(e), e.Clone()
			end(p)
			h.requireNonsense(t, false)
			require.Equal(t, keepable, string(clone.Raw))
			require.Equal(t, "query", clone.Child("urn:q", "query").Name.Local)
		})
	}
}

func TestWhatASplitterReturnedIsOver(t *testing.T) {
	for name, end := range map[string]func(*framing.Splitter){
		"next":                      func(s *framing.Splitter) { _, _ = s.Next() },
		"feed":                      func(s *framing.Splitter) { s.Feed(nil) },
		"fill":                      func(s *framing.Splitter) { _, _ = s.Fill(strings.NewReader("")) },
		"a stream that starts over": func(s *framing.Splitter) { s.Reset(); _, _ = s.Next() },
		"release":                   (*framing.Splitter).Release,
	} {
		t.Run(name, func(t *testing.T) {
			s := framing.NewSplitter(framing.ServerLimits)
			s.Feed([]byte(header + keepable))
			_, err := s.Next()
			require.NoError(t, err)
			item, err := s.Next()
			require.NoError(t, err)
			require.Equal(t, "abc", item.Element.ID())
			s.Reset() // as when what ends the login is still to be passed on
			require.Equal(t, "abc", item.Element.ID())
			h, clone := hold(item.Element), item.Element.Clone()
			end(s)
			h.requireNonsense(t, true)
			require.Contains(t, string(clone.Raw), "<iq xmlns='jabber:client' to='juliet")
		})
	}
}
