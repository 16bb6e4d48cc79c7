package gateway_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// overLimit are stanzas over a limit, by the rule that refuses them.
func overLimit() map[string]struct{ stanza, rule string } {
	var attributes strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&attributes, " a%d=''", i)
	}
	in := func(id, s string) string {
		return "<message xmlns='jabber:client' type='chat' to='bob@" + domain + "' id='" + id + "'><body>unwanted</body>" + s + "</message>"
	}
	return map[string]struct{ stanza, rule string }{
		"size":       {in("size", "<x>"+strings.Repeat("x", 300_000)+"</x>"), "limit-size"},
		"megabytes":  {in("megabytes", "<x>"+strings.Repeat("x", 3_000_000)+"</x>"), "limit-size"},
		"depth":      {in("depth", strings.Repeat("<a>", 5000)+strings.Repeat("</a>", 5000)), "limit-form"},
		"attributes": {in("attributes", "<x"+attributes.String()+"/>"), "limit-form"},
		"elements":   {in("elements", strings.Repeat("<a/>", 20_000)), "limit-form"},
		"attributes of the stanza": {"<iq xmlns='jabber:client' type='get' id='attributes of the stanza' to='bob@" + domain + "' " +
			strings.Join(strings.Fields(attributes.String())[:100], " ") + "><x xmlns='urn:x'/></iq>", "limit-form"},
	}
}

// Whatever is over a limit is answered by a stanza error, the stream goes on,
// and both sides count the same, a resumption included.
func TestStanzasOverALimitAreAnswered(t *testing.T) {
	onEachServer(t, func(t *testing.T, kind serverKind) {
		s := newStack(t, stackConfig{server: kind, change: func(c *gateway.Config) { c.Limits.Stream.Bytes = -1; c.Limits.Account.Bytes = -1 }})
		s.consent("alice", true, true, true)
		bob := s.online("bob", "")
		bob.say("<presence xmlns='jabber:client'/>")
		alice := s.online("alice", "")
		previd := alice.enable()
		for id, c := range overLimit() {
			alice.say(c.stanza)
			// The parser of this test has the same limits.
			alice.sent++
			e := alice.expect(id, func(e *framing.Element) bool { return e.ID() == id })
			require.Equal(t, "error", e.Type())
			require.Equal(t, "bob@"+domain, e.From())
			require.NotNil(t, e.Child(framing.NSClient, "error").Child(framing.NSStanzas, "policy-violation"), "%s", e.Raw)
			require.Equal(t, c.rule, e.Child(framing.NSClient, "error").Child("*", "refused").Attr("rule"))
			require.Equal(t, fmt.Sprint(alice.sent), alice.handled(), "after %s", id)
		}
		for _, answer := range []string{"<iq xmlns='jabber:client' type='result' id='a'>", "<message xmlns='jabber:client' type='error' to='bob@" + domain + "'>"} {
			name := strings.Fields(answer)[0][1:]
			alice.say(answer + strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100) + "</" + name + ">")
			alice.sent++
		}
		require.Equal(t, fmt.Sprint(alice.sent), alice.handled(), "what must not be answered counts as well")
		alice.cut()
		again := s.connect("")
		again.login("alice", s.password("alice"))
		resumed := again.resume(alice, previd)
		require.True(t, resumed.Is(nsSM, "resumed"), "%s", resumed.Raw)
		require.Equal(t, fmt.Sprint(alice.sent), resumed.Attr("h"))
		again.say("<message xmlns='jabber:client' type='chat' to='bob@" + domain + "' id='last'><body>wanted</body></message>")
		bob.expect("the message", func(e *framing.Element) bool {
			require.NotContains(t, string(e.Raw), "unwanted")
			return e.ID() == "last"
		})
	})
}

// A client that is too fast is read from later; nothing is lost, nothing is
// refused, and nobody else is slower for it.
func TestTooFastIsReadFromLater(t *testing.T) {
	const rate, burst, more = 20, 20, 15
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Stream.Stanzas, c.Limits.Burst = rate, time.Second
	}})
	s.consent("alice", true, true, true)
	s.consent("bob", true, true, true)
	bob, alice := s.online("bob", ""), dialWire(t, s.url)
	bob.say("<presence xmlns='jabber:client'/>")
	bob.sync()
	alice.enters(s, "alice")
	var all []wsFrame
	for i := range burst + more {
		all = append(all, text(fmt.Sprintf("<message xmlns='jabber:client' type='chat' to='%s' id='m%d'><body>x</body></message>", bob.jid, i)))
	}
	began := time.Now()
	alice.send(all...)
	for i := range burst + more {
		e := bob.expect("a message", func(e *framing.Element) bool { return e.Name.Local == "message" })
		require.Equal(t, fmt.Sprintf("m%d", i), e.ID())
	}
	// Only too early can be wrong here.
	require.GreaterOrEqual(t, time.Since(began), more*time.Second/rate-50*time.Millisecond)
	alice.answers("after")
	require.Positive(t, s.value("trunkline_gateway_slowed_total", "stream"))
}

// All bytes of the connection count, whatever they are for.
func TestTooManyBytesAreReadLater(t *testing.T) {
	const rate, over, ahead = 100_000, 60_000, 16 << 10 // ahead: what one read takes
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Stream.Bytes, c.Limits.Burst, c.Limits.Frame.MaxBytes = rate, time.Second, rate/2
	}})
	big := text("<message xmlns='jabber:client' type='chat' to='alice@" + domain + "'><body>" + strings.Repeat("x", 10_000) + "</body></message>").bytes()
	for name, piece := range map[string][]byte{
		"stanzas": big, "pings": control(opPing, "p").bytes(),
		"fragments": append(bytes.Repeat(wsFrame{opcode: opContinuation}.bytes(), 1000), wsFrame{opcode: opContinuation, last: true}.bytes()...),
	} {
		t.Run(name, func(t *testing.T) {
			w := dialWire(t, s.url)
			w.enters(s, "alice")
			var all []byte
			for len(all) < rate+over {
				if name == "fragments" {
					all = append(all, wsFrame{opcode: opText, payload: []byte("<presence xmlns='jabber:client' type='unavailable'/>")}.bytes()...)
				}
				all = append(all, piece...)
			}
			all = append(all, text("<iq xmlns='jabber:client' type='get' id='last' to='"+domain+"'><ping xmlns='urn:xmpp:ping'/></iq>").bytes()...)
			began := time.Now()
			go func() { _, _ = w.conn.Write(all) }()
			for last := false; !last; {
				f, err := w.receive()
				require.NoError(t, err)
				last = f.opcode == opText && bytes.Contains(f.payload, []byte("id='last'"))
			}
			require.GreaterOrEqual(t, time.Since(began), (over-ahead)*time.Second/rate-50*time.Millisecond)
		})
	}
}

// Where waiting would take too long a stanza is refused, with a condition that
// says to try again, and is not sent.
func TestMuchTooFastIsRefused(t *testing.T) {
	s := newStack(t, stackConfig{change: func(c *gateway.Config) {
		c.Limits.Account.Stanzas, c.Limits.Burst, c.Limits.Patience = 1, time.Second, 100*time.Millisecond
	}})
	s.consent("alice", true, true, true)
	alice := s.online("alice", "")
	alice.enable()
	refused := 0
	for i := range 10 {
		alice.say(fmt.Sprintf("<message xmlns='jabber:client' type='chat' to='bob@%s' id='m%d'><body>x</body></message>", domain, i))
	}
	require.Equal(t, "10", alice.handledAnd(func(e *framing.Element) {
		if e.Name.Local == "message" {
			require.Equal(t, "error", e.Type())
			require.NotNil(t, e.Child(framing.NSClient, "error").Child(framing.NSStanzas, "resource-constraint"), "%s", e.Raw)
			refused++
		}
	}))
	require.Positive(t, refused)
}

// handledAnd is handled, and hands over what comes before the answer.
func (p *peer) handledAnd(each func(*framing.Element)) string {
	p.t.Helper()
	p.say("<r xmlns='" + nsSM + "'/>")
	return strings.Clone(p.expect("<a/>", func(e *framing.Element) bool {
		each(e)
		return e.Is(nsSM, "a")
	}).Attr("h"))
}
