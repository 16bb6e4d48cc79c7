package framing_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// rich is a message as a current client sends it and a server relays it: 540 bytes.
const rich = `<message xmlns='jabber:client' to='juliet@capulet.example/balcony' from='romeo@montague.example/orchard.7Vn3' type='chat' ` +
	`id='5e0b1f4c-8a2f' xml:lang='en'><body>Art thou not Romeo, and a Montague? It is the east, and Juliet is the sun. Arise fair sun</body>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>` +
	`<origin-id xmlns='urn:xmpp:sid:0' id='5e0b1f4c-8a2f'/><markable xmlns='urn:xmpp:chat-markers:0'/>` +
	`<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.example' id='1699213452331754'/></message>`

var benchFrames = map[string]string{
	"rich":     rich,
	"presence": `<presence xmlns='jabber:client'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://trunkline.example' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/></presence>`,
	"vcard64k": `<iq xmlns='jabber:client' type='set' id='v1'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>` + strings.Repeat("QUJD", 16<<10) + `</BINVAL></PHOTO></vCard></iq>`,
	"cyrillic": `<message xmlns='jabber:client' to='juliet@capulet.example' type='chat' id='c1'><body>` +
		strings.Repeat("Но что за блеск я вижу на балконе? Там брезжит свет. ", 8) + `</body></message>`,
}

// peek looks at what the policy looks at.
func peek(e *framing.Element) (n int) {
	if !e.IsStanza() || e.Type() == "error" {
		return 0
	}
	n = len(e.To())
	for c := range e.Children() {
		if c.Name.Space != framing.NSClient && c.Name.Local != "request" {
			n++
		}
	}
	return n
}

// drain reads everything with the standard library, the way an XMPP library does.
func drain(b *testing.B, d *xml.Decoder) {
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// relay is a server's connection that always has the same bytes to give.
type relay struct {
	text string
	at   int
}

func (r *relay) Read(p []byte) (n int, err error) {
	n = copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// nextFrom reads until there is an item, as a gateway does.
func nextFrom(s *framing.Splitter, r io.Reader) (framing.Item, error) {
	for {
		item, err := s.Next()
		if !errors.Is(err, framing.ErrNeedMore) {
			return item, err
		}
		if _, err := s.Fill(r); err != nil {
			return item, err
		}
	}
}

// asServersWriteIt leaves out what the stream header has declared.
func asServersWriteIt(frame string) string {
	frame = strings.Replace(frame, " xmlns='jabber:client'", "", 1)
	return strings.Replace(frame, " xmlns:stream='http://etherx.jabber.org/streams'", "", 1)
}

func BenchmarkFrame(b *testing.B) {
	for name, text := range benchFrames {
		raw := []byte(text)
		b.Run(name+"/parser", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			p := framing.NewParser(framing.ClientLimits)
			for b.Loop() {
				e, err := p.Frame(raw)
				if err != nil || peek(e) == 0 {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/own-memory", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := framing.ParseFrame(raw, framing.ClientLimits); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-xml", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				drain(b, xml.NewDecoder(bytes.NewReader(raw)))
			}
		})
	}
}

func BenchmarkSplitter(b *testing.B) {
	var stream bytes.Buffer
	stream.WriteString(header)
	for range 100 {
		stream.WriteString(strings.Replace(rich, " xmlns='jabber:client'", "", 1)) // as servers write it
	}
	stream.WriteString("</stream:stream>")
	raw := stream.Bytes()
	b.Run("framing", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			s, items := framing.NewSplitter(framing.ServerLimits), 0
			for chunk := range chunks(raw, 4096) {
				s.Feed(chunk)
				for {
					_, err := s.Next()
					if err == framing.ErrNeedMore {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					items++
				}
			}
			s.Release()
			if items != 102 {
				b.Fatal("items:", items)
			}
		}
	})
	b.Run("encoding-xml", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			drain(b, xml.NewDecoder(bytes.NewReader(raw)))
		}
	})
}

// BenchmarkExpensive reads frames that are made to be expensive: what they cost a byte has a bound.
func BenchmarkExpensive(b *testing.B) {
	many := func(format string, n int) (s string) {
		for i := range n {
			s += fmt.Sprintf(format, i, i)
		}
		return s
	}
	for name, text := range map[string]string{
		"declarations":      "<a" + many(" xmlns:p%d='u%d'", 5000) + ">" + strings.Repeat("<p0:b/>", 5000) + "</a>",
		"nested-prefixes":   strings.Repeat("<a xmlns:p='u' xmlns:q='u' xmlns:r='u'>", 3000) + strings.Repeat("<z:b xmlns:z='u'/>", 3000) + strings.Repeat("</a>", 3000),
		"attributes":        "<a" + many(" a%d='%d'", 10_000) + "/>",
		"attributes-alike":  strings.Repeat("<a b1c='' b2c='' b3c='' b4c='' b5c='' b6c='' b7c='' b8c='' b9c='' b0c=''/>", 1),
		"references":        "<a>" + strings.Repeat("&#x41;&amp;", 10_000) + "</a>",
		"decoded-values":    "<a>" + strings.Repeat("<b c='&lt;' d='\n'/>", 5000) + "</a>",
		"depth":             strings.Repeat("<a>", 30_000) + strings.Repeat("</a>", 30_000),
		"empty-elements":    "<a>" + strings.Repeat("<b/>", 30_000) + "</a>",
		"sections":          "<a>" + strings.Repeat("<![CDATA[]]>", 10_000) + "</a>",
		"two-byte-text":     "<a>" + strings.Repeat("\u044f ", 30_000) + "</a>",
		"closing-brackets":  "<a>" + strings.Repeat("]", 100_000) + "</a>",
		"quotes-in-a-value": "<a b='" + strings.Repeat("\"", 100_000) + "'/>",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			p, raw := framing.NewParser(framing.ServerLimits), []byte(text)
			for b.Loop() {
				if _, err := p.Frame(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			m := min(n, len(b))
			if !yield(b[:m]) {
				return
			}
			b = b[m:]
		}
	}
}
