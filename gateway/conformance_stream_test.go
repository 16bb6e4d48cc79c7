package gateway_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// conditions are those of RFC 6120 section 4.9.3.
var conditions = strings.Fields(`bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown
	improper-addressing internal-server-error invalid-from invalid-namespace invalid-xml not-authorized not-well-formed
	policy-violation remote-connection-failed reset resource-constraint restricted-xml see-other-host system-shutdown
	undefined-condition unsupported-encoding unsupported-feature unsupported-stanza-type unsupported-version`)

// RFC 6120 section 4.9, RFC 7395 section 3.5: a stream error of the server is a
// message of its own, and then comes what docs/standards.md says.
func TestStreamErrorsOfTheServer(t *testing.T) {
	require.Len(t, conditions, 25)
	documented := errorTable(t)
	s, f := wired(t, nil)
	for _, condition := range conditions {
		w := dialWire(t, s.url)
		w.binds(f)
		f.say("<stream:error><" + condition + " xmlns='" + framing.NSStreams + "'/><text xmlns='" + framing.NSStreams +
			"' xml:lang='en'>why</text><more xmlns='urn:example:more'/></stream:error></stream:stream>")
		row := documented[condition]
		require.NotNil(t, row, "%s is not in docs/standards.md", condition)
		e := w.element()
		require.True(t, e.Is(framing.NSStream, "error"))
		require.NotNil(t, e.Child(framing.NSStreams, row.told), "%s is told as %s: %s", condition, row.told, e.Raw)
		if row.told == condition {
			require.Equal(t, "why", e.Child(framing.NSStreams, "text").Text(), "as the server said it")
			require.NotNil(t, e.Child("urn:example:more", "more"))
		}
		w.closed(f, row.code)
	}
	require.Len(t, documented, len(conditions))
}

type errorRow struct {
	told string
	code int
}

// errorTable is the table of stream errors in docs/standards.md.
func errorTable(t *testing.T) map[string]*errorRow {
	t.Helper()
	text, err := os.ReadFile("../docs/standards.md")
	require.NoError(t, err)
	rows := map[string]*errorRow{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([a-z-]+)` \\| (\\d{4}) \\|").FindAllStringSubmatch(string(text), -1) {
		code, err := strconv.Atoi(m[3])
		require.NoError(t, err)
		rows[m[1]] = &errorRow{m[2], code}
	}
	return rows
}

// What no standard knows is told as undefined-condition (RFC 6120 section
// 4.9.3.21), and an error before the features comes after <open/>.
func TestStreamErrorsThatNobodyKnows(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.say(openClient)
	f.accept()
	f.greet("x", "<stream:error><made-up xmlns='"+framing.NSStreams+"'/></stream:error></stream:stream>")
	require.True(t, framing.IsOpen(w.element()))
	w.refused(f, "undefined-condition", 1000)

	// A server that cannot be understood is a fault on this side.
	w = dialWire(t, s.url)
	w.opens(f, "one", farMechanisms)
	f.say("<message><!-- --></message>")
	w.refused(f, "internal-server-error", 1011)
}

// RFC 6120 sections 4.3.2, 5.3.1, 6.3.3 and RFC 7395 section 3.9: of what the
// server offers a browser sees PLAIN alone, no TLS, no channel binding, no
// second way to log in; all else it sees.
func TestFeaturesAreRewritten(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	_, features := w.opens(f, "one", "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"+
		"<mechanisms xmlns='"+nsSASL+"'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>PLAIN</mechanism><mechanism>EXTERNAL</mechanism></mechanisms>"+
		"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>"+
		"<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism></authentication>"+
		"<register xmlns='http://jabber.org/features/iq-register'/><auth xmlns='http://jabber.org/features/iq-auth'/>"+
		"<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"+
		"<c xmlns='http://jabber.org/protocol/caps' node='x' ver='y' hash='sha-1'/><x xmlns='urn:example:new'/></stream:features>")
	var seen []string
	for c := range features.Children() {
		seen = append(seen, c.Name.Space+" "+c.Name.Local)
	}
	require.Equal(t, []string{nsSASL + " mechanisms", "http://jabber.org/protocol/caps c", "urn:example:new x"}, seen)
	mechanisms := features.Child(nsSASL, "mechanisms")
	require.Equal(t, "PLAIN", mechanisms.First().Text())
	require.Equal(t, 1, strings.Count(string(mechanisms.Raw), "<mechanism>"))

	// A browser that asks for TLS all the same is not listened to.
	w.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	require.NotContains(t, w.refused(f, "not-authorized", 1008), "starttls")

	// Without PLAIN nobody can log in here.
	w = dialWire(t, s.url)
	w.say(openClient)
	f.accept()
	f.greet("x", "<stream:features><mechanisms xmlns='"+nsSASL+"'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>")
	require.True(t, framing.IsOpen(w.element()))
	w.refused(f, "remote-connection-failed", 1014)
}

// RFC 6120 sections 6.4 and 6.5: a login that fails leaves the stream open for
// another.
func TestLoginMayFail(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.opens(f, "one", farMechanisms)
	w.say(auth("", "alice", "wrong"))
	failure := w.element()
	require.True(t, failure.Is(nsSASL, "failure"))
	require.Equal(t, "not-authorized", failure.First().Name.Local)
	w.say(auth("", "alice", farSecret))
	require.NotContains(t, f.expect("</auth>"), auth("", "alice", "wrong"))
	f.say("<failure xmlns='" + nsSASL + "'><temporary-auth-failure/></failure>")
	require.NotNil(t, w.element().Child(nsSASL, "temporary-auth-failure"), "the server's own word")
	w.say(auth("", "alice", farSecret))
	f.expect("</auth>")
	f.say("<success xmlns='" + nsSASL + "'/>")
	require.True(t, w.element().Is(nsSASL, "success"))
}

// RFC 6120 section 8.1.1.1 and RFC 7395 section 3.3.3: what the client says
// comes to the server byte by byte as the client wrote it.
func TestStanzasPassUnchanged(t *testing.T) {
	s, f := wired(t, nil)
	w := dialWire(t, s.url)
	w.binds(f)
	for _, frame := range []string{
		`<message xmlns="jabber:client" to='bob@` + domain + `' xml:lang="de"><body>ä &lt; &#x1F600; <![CDATA[<b>]]></body></message>`,
		`<c:message xmlns:c='jabber:client'  id="1" ><c:body/></c:message>`,
	} {
		w.say(frame + " \n") // white space after an element is nobody's
		require.Equal(t, frame, f.expect(frame[len(frame)-10:]))
	}
}
