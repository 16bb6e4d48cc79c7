package framing_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const header = `<?xml version='1.0'?><stream:stream from='capulet.example' id='s1' version='1.0' xml:lang='en' ` +
	`xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

// transcript is what a Splitter made of some bytes: one line an item, and the error.
type transcript struct {
	lines []string
	err   error
}

// split feeds the bytes in pieces of the given lengths, then the rest, and takes the items out after each.
func split(t *testing.T, l framing.Limits, b []byte, pieces ...byte) (out transcript) {
	t.Helper()
	s := framing.NewSplitter(l)
	for len(b) > 0 {
		n := len(b)
		if len(pieces) > 0 {
			n, pieces = min(n, int(pieces[0])), pieces[1:]
		}
		if n%2 == 0 { // the two ways in are one
			s.Feed(b[:n])
		} else {
			var err error
			n, err = s.Fill(bytes.NewReader(b[:n]))
			require.NoError(t, err)
		}
		b = b[n:]
		for {
			item, err := s.Next()
			if errors.Is(err, framing.ErrNeedMore) {
				if n%3 == 0 {
					s.Release()
				}
				break
			}
			if err != nil {
				_, again := s.Next()
				require.Equal(t, err, again, "an error stays")
				out.err = err
				return out
			}
			out.lines = append(out.lines, line(item))
			if item.Kind == framing.Stanza {
				requireStandalone(t, item.Element)
			}
		}
	}
	return out
}

func line(item framing.Item) string {
	switch item.Kind {
	case framing.StreamStart:
		h := item.Header
		return strings.Join([]string{"start", h.From, h.To, h.ID, h.Version, h.Lang}, " ")
	case framing.Stanza:
		return string(item.Element.Raw)
	}
	return "end"
}

// requireStandalone holds that the element needs no stream around it: it reads as a frame, to the same tree.
func requireStandalone(t *testing.T, e *framing.Element) {
	t.Helper()
	again, err := framing.ParseFrame(e.Raw, framing.Limits{MaxBytes: 1 << 20, MaxDepth: 1 << 20, MaxAttrs: 1 << 20, MaxElements: 1 << 20, TreeDepth: framing.ServerLimits.TreeDepth, Trusted: true})
	require.NoError(t, err, "%s", e.Raw)
	require.Equal(t, e.Raw, again.Raw)
	require.Equal(t, flatten(e, 1), flatten(again, 1))
	require.Equal(t, e.Text(), again.Text())
	for c := range e.Children() {
		require.NotEmpty(t, c.Raw)
		require.Equal(t, byte('<'), c.Raw[0])
		require.Contains(t, string(e.Raw), string(c.Raw))
	}
}

func TestSplitter(t *testing.T) {
	in := header + "\n<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features> \n" +
		"<message from='a@b'><body>x > y <![CDATA[</message>]]></body></message>" +
		"<presence xmlns='jabber:client' a='/>'/>" + "<r xmlns='urn:xmpp:sm:3'/>" +
		"<x xmlns='urn:x'><y><message xmlns='jabber:client'/></y></x>" +
		"<stream:error><p:x xmlns:p='urn:p'/><iq/></stream:error>" + "</stream:stream >" + "ignored"
	want := []string{
		"start capulet.example  s1 1.0 en",
		"<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
		"<message xmlns='jabber:client' from='a@b'><body>x > y <![CDATA[</message>]]></body></message>",
		"<presence xmlns='jabber:client' a='/>'/>",
		"<r xmlns='urn:xmpp:sm:3'/>",
		"<x xmlns='urn:x'><y><message xmlns='jabber:client'/></y></x>",
		"<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><p:x xmlns:p='urn:p'/><iq/></stream:error>",
		"end",
	}
	got := split(t, framing.ServerLimits, []byte(in))
	require.NoError(t, got.err)
	require.Equal(t, want, got.lines)

	ones := make([]byte, len(in))
	for i := range ones {
		ones[i] = 1
	}
	require.Equal(t, got, split(t, framing.ServerLimits, []byte(in), ones...))
}

func TestSplitterEditsLandWhereTheyShould(t *testing.T) {
	s := framing.NewSplitter(framing.ServerLimits)
	s.Feed([]byte(header + "<iq id='b' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b/c</jid></bind></iq>"))
	_, err := s.Next()
	require.NoError(t, err)
	item, err := s.Next()
	require.NoError(t, err)
	bind := item.Element.First()
	require.Equal(t, "a@b/c", bind.Child("*", "jid").Text())
	require.Equal(t, "<iq xmlns='jabber:client' id='b' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b/c</jid><hidden xmlns='urn:h'/></bind></iq>",
		string(item.Element.Appended(bind, []byte("<hidden xmlns='urn:h'/>"))))
	require.Equal(t, "<iq xmlns='jabber:client' id='b' type='result'></iq>", string(item.Element.Without(bind)))
}

func TestSplitterErrors(t *testing.T) {
	for _, c := range []struct {
		name, in  string
		items     int
		condition framing.Condition
	}{
		{"text between stanzas", header + "<r xmlns='urn:x'/>hello", 2, framing.BadFormat},
		{"text before the header", "hello" + header, 0, framing.BadFormat},
		{"another stream's header", "<stream xmlns='urn:x'>", 0, framing.InvalidNamespace},
		{"header that is empty", strings.TrimSuffix(header, ">") + "/>", 0, framing.NotWellFormed},
		{"comment between stanzas", header + "<!-- x -->", 1, framing.RestrictedXML},
		{"comment in a stanza", header + "<iq><!-- x --></iq>", 1, framing.RestrictedXML},
		{"document type", "<?xml version='1.0'?><!DOCTYPE x>", 0, framing.RestrictedXML},
		{"document type in a stanza", header + "<iq><!DOCTYPE x></iq>", 1, framing.RestrictedXML},
		{"two declarations", "<?xml version='1.0'?>" + header, 0, framing.RestrictedXML},
		{"processing instruction", header + "<?php ?>", 1, framing.RestrictedXML},
		{"processing instruction first", "<?php ?>" + header, 0, framing.RestrictedXML},
		{"another encoding", "<?xml version='1.0' encoding='UTF-16'?>" + header, 0, framing.UnsupportedEncoding},
		{"end before the beginning", "</stream:stream>", 0, framing.NotWellFormed},
		{"end of something else", header + "</stream>", 1, framing.NotWellFormed},
		{"crossed tags", header + "<iq><a></iq></a>", 1, framing.NotWellFormed},
		{"broken UTF-8", header + "<iq a='\xff'/>", 1, framing.UnsupportedEncoding},
		{"prefix not declared", header + "<a:iq/>", 1, framing.BadNamespacePrefix},
		{"too big", header + "<iq>" + strings.Repeat("x", 400), 1, framing.PolicyViolation},
		{"too big before it is wrong", header + "<iq>" + strings.Repeat("x", 400) + "<!--", 1, framing.PolicyViolation},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := framing.ServerLimits
			l.MaxBytes = 300
			got := split(t, l, []byte(c.in))
			var fe *framing.Error
			require.ErrorAs(t, got.err, &fe)
			require.Equal(t, c.condition, fe.Condition, fe.Text)
			require.Len(t, got.lines, c.items)
		})
	}
}

// A third person's stanza must not be able to end the stream of who receives it.
func TestSplitterTakesWhatServersRelay(t *testing.T) {
	var attrs strings.Builder
	for i := range 5000 {
		attrs.WriteString(" " + strings.Repeat("a", 1+i/26) + string(rune('a'+i%26)) + "=''")
	}
	for name, stanza := range map[string]string{
		"depth 30,000":       "<message>" + strings.Repeat("<a>", 30_000) + strings.Repeat("</a>", 30_000) + "</message>",
		"60,000 elements":    "<message>" + strings.Repeat("<a/>", 60_000) + "</message>",
		"5,000 attributes":   "<message" + attrs.String() + "/>",
		"names beyond ASCII": "<message><b\u00f6dy gr\u00f6\u00dfe=''/></message>",
		"large roster":       "<iq><query xmlns='jabber:iq:roster'>" + strings.Repeat("<item jid='romeo@montague.example' subscription='both'><group>Mastodon</group></item>", 20_000) + "</query></iq>",
	} {
		t.Run(name, func(t *testing.T) {
			s := framing.NewSplitter(framing.ServerLimits)
			s.Feed([]byte(header + stanza + "<r xmlns='urn:xmpp:sm:3'/>"))
			for range 3 {
				_, err := s.Next()
				require.NoError(t, err)
			}
			require.Zero(t, s.Buffered())
		})
	}
}

func TestSplitterReset(t *testing.T) {
	s := framing.NewSplitter(framing.ServerLimits)
	s.Feed([]byte(header + "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n" + header + "<iq/>"))
	for range 2 {
		_, err := s.Next()
		require.NoError(t, err)
	}
	s.Reset()
	item, err := s.Next()
	require.NoError(t, err)
	require.Equal(t, framing.StreamStart, item.Kind)
	item, err = s.Next()
	require.NoError(t, err)
	require.Equal(t, "<iq xmlns='jabber:client'/>", string(item.Element.Raw))
	_, err = s.Next()
	require.ErrorIs(t, err, framing.ErrNeedMore)
}

func TestSplitterFeedCopies(t *testing.T) {
	s := framing.NewSplitter(framing.ServerLimits)
	buf := []byte(header + "<iq id='1'/>")
	s.Feed(buf)
	for i := range buf {
		buf[i] = 'x'
	}
	_, err := s.Next()
	require.NoError(t, err)
	first, err := s.Next()
	require.NoError(t, err)
	require.Equal(t, "<iq xmlns='jabber:client' id='1'/>", string(first.Element.Raw))
	require.Equal(t, "1", first.Element.ID())
}

func TestSplitterFill(t *testing.T) {
	s := framing.NewSplitter(framing.ServerLimits)
	n, err := s.Fill(iotest.ErrReader(io.ErrUnexpectedEOF))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	n, err = s.Fill(iotest.DataErrReader(strings.NewReader(header + "<iq/><message>")))
	require.Equal(t, len(header+"<iq/><message>"), n, "what came with the end counts")
	require.ErrorIs(t, err, io.EOF)
	for range 2 {
		_, err := s.Next()
		require.NoError(t, err)
	}
	_, err = s.Next()
	require.ErrorIs(t, err, framing.ErrNeedMore)
	require.Equal(t, len("<message>"), s.Buffered())
	s.Release()
	require.Equal(t, len("<message>"), s.Buffered(), "half an element is kept")
	text := strings.Repeat("x", 100_000) // it has to grow
	for r := strings.NewReader("<body>" + text + "</body></message></stream:stream>"); r.Len() > 0; {
		_, err := s.Fill(r)
		require.NoError(t, err)
	}
	item, err := s.Next()
	require.NoError(t, err)
	require.Equal(t, "<message xmlns='jabber:client'><body>"+text+"</body></message>", string(item.Element.Raw))
	item, err = s.Next()
	require.NoError(t, err)
	require.Equal(t, framing.StreamEnd, item.Kind)
	n, err = s.Fill(strings.NewReader("after the end"))
	require.NoError(t, err)
	require.Equal(t, len("after the end"), n)
	require.Zero(t, s.Buffered())
	_, err = s.Next()
	require.ErrorIs(t, err, framing.ErrNeedMore)
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte(header+"<iq/> <message><body>x</body></message></stream:stream>"), []byte{1, 2, 3, 4, 5})
	f.Add([]byte(header+"<stream:features><a/></stream:features><b xmlns='urn:b'><![CDATA[>]]></b>"), []byte{100, 100, 1, 1, 1, 1})
	f.Add([]byte(header+"<iq><!-- --></iq>"), []byte{200, 30})
	f.Add([]byte(header+"<iq>"+strings.Repeat("x", 300)+"</iq>"), []byte{255, 255, 1})
	f.Add([]byte("<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:p='urn:p'><p:a p:b=''/><s:c/></s:stream>"), []byte{7, 7, 7})
	f.Fuzz(func(t *testing.T, b, pieces []byte) {
		l := framing.Limits{MaxBytes: 256, MaxDepth: 64, MaxAttrs: 16, MaxElements: 64, TreeDepth: 4, Trusted: true}
		whole := split(t, l, b)
		require.Equal(t, whole, split(t, l, b, pieces...), "chunking changes the result")
	})
}
