package framing

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutAttr(t *testing.T) {
	for frame, want := range map[string]string{
		`<iq xmlns='jabber:client' from='a@b/c' id='1'><ping xmlns='urn:xmpp:ping' from='x'/></iq>`: `<iq xmlns='jabber:client' id='1'><ping xmlns='urn:xmpp:ping' from='x'/></iq>`,
		"<iq\n\tfrom = \"it's = '/>\"  xmlns='jabber:client' />":                                    "<iq  xmlns='jabber:client'/>",
		`<iq xmlns='jabber:client' from='a'/>`:                                                      `<iq xmlns='jabber:client'/>`,
		`<p:iq xmlns:p='jabber:client' xmlns:q='urn:q' q:from='1' from='2'>x</p:iq >`:               `<p:iq xmlns:p='jabber:client' xmlns:q='urn:q' q:from='1'>x</p:iq >`,
		`<iq xmlns='jabber:client' xfrom='1' fromx="2" id='from=3'/>`:                               `<iq xmlns='jabber:client' xfrom='1' fromx="2" id='from=3'/>`,
	} {
		e, err := ParseFrame([]byte(frame), ClientLimits)
		require.NoError(t, err, frame)
		got := e.WithoutAttr("from")
		require.Equal(t, want, string(got))
		again, err := ParseFrame(got, ClientLimits)
		require.NoError(t, err)
		require.Equal(t, e.Name, again.Name)
		require.Empty(t, again.From())
	}
}
