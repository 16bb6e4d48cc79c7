package gateway_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

func TestRedact(t *testing.T) {
	long := strings.Repeat("<x xmlns='urn:xmpp:x'/>", 100)
	for frame, want := range map[string]string{
		"<message xmlns='jabber:client' type='chat' to='bob@example.org'><body>I am here</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>": "<message xmlns='jabber:client' type='chat' to=(15)><body>(9)</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
		"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>":                                                                              "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>(20)</auth>",
		"<resume xmlns='urn:xmpp:sm:3' previd='the-sm-id' h='17'/>":                                                                                               "<resume xmlns='urn:xmpp:sm:3' previd=(9) h='17'/>",
		"<r xmlns='urn:xmpp:sm:3'/>": "<r xmlns='urn:xmpp:sm:3'/>",
		"<iq xmlns='jabber:client' type='hunter2' xml:lang='en' h='12a'><q xmlns='https://private.example/hunter2'>a<b/> c</q></iq>":       "<iq xmlns='jabber:client' type=(7) xml:lang=(2) h=(3)><q xmlns=(31)>(3)<b/></q></iq>",
		"<" + strings.Repeat("n", 41) + " xmlns='jabber:hunter 2'/>":                                                                       "<(41) xmlns=(15)/>",
		"<a xmlns='jabber:client'>" + long + "</a>":                                                                                        "<a xmlns='jabber:client'>" + strings.Repeat("<x xmlns='urn:xmpp:x'/>", 63) + "…</a>",
		"<a xmlns='jabber:client'>" + strings.Repeat("<d>", 9) + "deep" + strings.Repeat("</d>", 9) + "</a>":                               "<a xmlns='jabber:client'>" + strings.Repeat("<d>", 6) + "<d>(0)…</d>" + strings.Repeat("</d>", 6) + "</a>",
		"<a xmlns='jabber:client'><![CDATA[<b>secret</b>]]></a>":                                                                           "<a xmlns='jabber:client'>(13)</a>",
		"<a xmlns='jabber:client' a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8=''/>": "<a xmlns='jabber:client' a1=(0) a2=(0) a3=(0) a4=(0) a5=(0) a6=(0) a7=(0) a8=(0) a9=(0) b1=(0) b2=(0) b3=(0) b4=(0) b5=(0) b6=(0) b7=(0) …/>",
	} {
		e, err := framing.ParseFrame([]byte(frame), framing.ClientLimits)
		require.NoError(t, err)
		require.Equal(t, want, gateway.Redact(e))
	}
}

// FuzzRedact: what a log shows of a frame does not depend on what people wrote
// in it. The frame and its twin, in which every letter of every text and value
// is another, look the same.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{
		"<message xmlns='jabber:client' type='chat' to='bob@example.org' id='a1'><body>I am here &amp; there</body></message>",
		"<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>",
		"<iq xmlns='jabber:client' type='set'><query xmlns='jabber:iq:private'>a<b c='d'>e</b> <![CDATA[<f>]]></query></iq>",
		"<a xmlns='jabber:client'><b><c><d><e><f><g><h><i j='k'>l</i></h></g></f></e></d></c></b></a>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frame string) {
		for _, limits := range []framing.Limits{framing.ClientLimits, framing.ServerLimits} {
			e, err := framing.ParseFrame([]byte(frame), limits)
			if err != nil {
				return
			}
			hidden, ok := disguise(frame[:len(e.Raw)])
			if !ok {
				return // encoding/xml knows less of names than we let servers say
			}
			twin, err := framing.ParseFrame([]byte(hidden), limits)
			require.NoError(t, err, hidden)
			shown := gateway.Redact(e)
			require.Equal(t, shown, gateway.Redact(twin))
			require.LessOrEqual(t, len(shown), 64*17*150, "what is shown is bounded")
		}
	})
}

// kept are values that a log may show.
var kept = strings.Fields(`get set result error chat groupchat headline normal available unavailable subscribe subscribed
	unsubscribe unsubscribed probe cancel continue modify auth wait submit form PLAIN ANONYMOUS EXTERNAL OAUTHBEARER
	SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-512-PLUS 1.0 true false 1 0`)

// disguise writes a frame anew, with other letters in all that people write.
func disguise(frame string) (string, bool) {
	d := xml.NewDecoder(strings.NewReader(frame))
	var out strings.Builder
	for {
		switch tok, err := d.RawToken(); tok := tok.(type) {
		case nil:
			return out.String(), errors.Is(err, io.EOF)
		case xml.StartElement:
			out.WriteString("<" + qualified(tok.Name))
			for _, a := range tok.Attr {
				value := a.Value
				number := strings.Trim(value, "0123456789") == "" && slices.Contains([]string{"h", "max"}, a.Name.Local)
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && !slices.Contains(kept, value) && !number {
					value = otherLetters(value)
				}
				out.WriteString(" " + qualified(a.Name) + "='" + string(framing.AppendText(nil, value)) + "'")
			}
			out.WriteString(">")
		case xml.EndElement:
			out.WriteString("</" + qualified(tok.Name) + ">")
		case xml.CharData:
			out.Write(framing.AppendText(nil, otherLetters(string(tok))))
		default:
			return "", false
		}
	}
}

// qualified is a name as it was written.
func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// otherLetters keeps the length in bytes, and white space.
func otherLetters(s string) string {
	b := []byte(s)
	for i := range b {
		if !strings.ContainsRune(" \t\r\n", rune(b[i])) {
			b[i] = 'Q'
		}
	}
	return string(b)
}
