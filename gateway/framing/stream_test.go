package framing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

func TestOpen(t *testing.T) {
	// RFC 7395 §3.4, the example.
	h, err := framing.ParseOpen(frame(t, `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.com" version="1.0" />`))
	require.NoError(t, err)
	require.Equal(t, framing.Header{To: "example.com", Version: "1.0"}, h)

	want := framing.Header{From: "example.com", To: "a@example.com", ID: "++TR84Sm6A3hnt3Q065SnAbbk3Y=", Version: "1.0", Lang: "en"}
	got, err := framing.ParseOpen(frame(t, string(framing.AppendOpen(nil, want))))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestOpenRefused(t *testing.T) {
	for in, want := range map[string]framing.Condition{
		"<open to='a' version='1.0'/>":                                                              framing.InvalidNamespace,
		"<open xmlns='jabber:client' to='a' version='1.0'/>":                                        framing.InvalidNamespace,
		"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>":                                      framing.InvalidNamespace,
		"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='a' version='1.0'/>":     framing.InvalidNamespace,
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a' version='1.0'><presence/></open>": framing.BadFormat,
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a' version='2.0'/>":                  framing.UnsupportedVersion,
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a' version='1.'/>":                   framing.UnsupportedVersion,
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a' version='1.x'/>":                  framing.UnsupportedVersion,
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>":                                framing.UnsupportedVersion,
	} {
		_, err := framing.ParseOpen(frame(t, in))
		var fe *framing.Error
		require.ErrorAs(t, err, &fe, in)
		require.Equal(t, want, fe.Condition, in)
	}
}

func TestClose(t *testing.T) {
	e := frame(t, string(framing.AppendClose(nil, "wss://other.example/?a=1&b='2'")))
	require.True(t, framing.IsClose(e))
	require.Equal(t, "wss://other.example/?a=1&b='2'", e.Attr("see-other-uri"))
	require.Equal(t, "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", string(framing.AppendClose(nil, "")))
}

func TestStreamHeaderRoundTrip(t *testing.T) {
	want := framing.Header{From: "a", To: "it's <b>", ID: "\"&\"", Version: "1.0", Lang: "en"}
	s := framing.NewSplitter(framing.ServerLimits)
	s.Feed(framing.AppendStreamEnd(framing.AppendStreamHeader(nil, want)))
	item, err := s.Next()
	require.NoError(t, err)
	require.Equal(t, want, item.Header)
	item, err = s.Next()
	require.NoError(t, err)
	require.Equal(t, framing.StreamEnd, item.Kind)
	_, err = s.Next()
	require.ErrorIs(t, err, framing.ErrNeedMore)
}

func TestStreamError(t *testing.T) {
	e := frame(t, string(framing.AppendStreamError(nil, framing.NotAuthorized, "signed out & gone")))
	require.True(t, e.Is(framing.NSStream, "error"))
	require.NotNil(t, e.Child(framing.NSStreams, "not-authorized"))
	text := e.Child(framing.NSStreams, "text")
	require.Equal(t, "signed out & gone", text.Text())
	require.Equal(t, "en", text.Lang())
	bare := frame(t, string(framing.AppendStreamError(nil, framing.Reset, "")))
	require.Nil(t, bare.Child("*", "text"))
}

// FuzzAppend: whatever is written can be read, and reads as what was written, save for characters XML does not have.
func FuzzAppend(f *testing.F) {
	f.Add("a<b>&'\"\r\n\t", "x")
	f.Add("\x00\xff\ufffe", "]]>")
	f.Fuzz(func(t *testing.T, value, text string) {
		raw := append(framing.AppendAttr([]byte("<a"), "v", value), '>')
		raw = append(framing.AppendText(raw, text), "</a>"...)
		e, err := framing.ParseFrame(raw, framing.Limits{MaxBytes: 1 << 30})
		require.NoError(t, err, "%q", raw)
		require.Equal(t, allowed(value), e.Attr("v"))
		require.Equal(t, allowed(text), e.Text())
	})
}

// allowed replaces what XML has no way to write.
func allowed(s string) string {
	out := []rune{}
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			r = 0xFFFD
		}
		out = append(out, r)
	}
	return string(out)
}
