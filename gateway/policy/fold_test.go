package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const registers = "><query xmlns='jabber:iq:register'><username>romeo</username><password>x</password></query></iq>"

func moodTo(to string) string {
	return "<iq type='set' id='1' to='" + to + "'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='http://jabber.org/protocol/mood'><item/></publish></pubsub></iq>"
}

// aliasCases are addresses that some servers take for the account's or the own domain's, and that no client sends.
var aliasCases = []ruleCase{
	// Mapped to nothing (RFC 3454 table B.1).
	{rule: "iq-address", in: moodTo("ro\u200dmeo@social.example"), want: refuses},
	{rule: "iq-address", in: moodTo("romeo@soc\u00adial.example"), want: refuses},
	{rule: "iq-read-state", in: strings.Replace(publish(mds, ""), "<iq", "<iq to='ro\u200cmeo@social.example'", 1), want: refuses, consent: contacts},
	{rule: "iq-read-state", in: strings.Replace(owns("<configure node='"+mds+"'/>"), "<iq", "<iq to='\ufeffromeo@social.example'", 1), want: refuses, consent: contacts},
	{rule: "iq-register", in: "<iq type='set' id='1' to='tybalt@so\u200dcial.example'" + registers, want: refuses, consent: all},
	{rule: "presence-address", in: "<presence to='ro\u200dmeo@social.example'/>", want: refuses},
	{rule: "presence-address", in: "<presence to='ro\u200dmeo@social.example' type='unavailable'/>", want: refuses},
	{rule: "presence-address", in: "<presence to='\uff52omeo@social.example'/>", want: refuses, noLists: true},
	// Dots to some, and the root's.
	{rule: "iq-address", in: moodTo("romeo@social\u3002example"), want: refuses},
	{rule: "iq-address", in: moodTo("romeo@social.example.."), want: refuses},
	{rule: "iq-address", in: moodTo("romeo@social.example."), want: refuses},
	{rule: "iq-address", in: moodTo("romeo@social\uff0eexample"), want: refuses},
	{rule: "iq-register", in: "<iq type='set' id='1' to='social\uff61example'" + registers, want: refuses, consent: all},
	{rule: "presence-address", in: strings.Replace(joinRoom, "tea@rooms.social.example", "juliet@social\u3002example", 1), want: refuses},
	{rule: "presence-address", in: strings.Replace(joinRoom, "tea@rooms.social.example", "juliet@social.example.", 1), want: refuses},
	// Prosody splits once more what it has prepared.
	{rule: "iq-read-state", in: strings.Replace(publish(mds, ""), "<iq", "<iq to='romeo@social.example\uff0fx'", 1), want: refuses, consent: contacts},
	{rule: "iq-address", in: moodTo("romeo\uff20social.example"), want: refuses},
	{rule: "message-announce", in: "<message to='social.example\uff0fannounce\uff0fonline' id='a'>" + body + closing, want: refuses, consent: all},
	{rule: "message-announce", in: "<message to='so\u200dcial.example/announce/online' id='a'>" + body + closing, want: refuses, consent: all},
	{rule: "message-announce", in: "<message to='social\u3002example/x' id='a'>" + body + closing, want: refuses},
	{rule: "message-announce", in: "<message to='\u200d@social.example/announce/all' id='a'>" + body + closing, want: refuses, consent: all},
	// What the same server may have besides.
	{rule: "message-announce", in: "<message to='capulet.example/announce/online' id='a'>" + body + closing, want: refuses, consent: all},
	{rule: "message-announce", in: "<message to='rooms.social.example/\uff21nnounce/all-hosts/online' id='a'>" + body + closing, want: refuses},
	{rule: "message-signals", in: "<message to='juliet@capulet.example/announce/online' id='a'>" + body + closing, want: passes},
	{rule: "message-signals", in: "<message to='capulet.example/x' id='a'>" + body + closing, want: passes},
	{rule: "iq-command", in: command(" to='capulet.example'", "http://jabber.org/protocol/admin#add-user"), want: refuses, consent: all},
	{rule: "iq-command", in: command(" to='capulet.example/x'", "config/hosts"), want: refuses},
	{rule: "", in: command(" to='capulet.example'", "user"), want: passes},
	{rule: "iq-shown", in: command(" to='bot@capulet.example/x'", "http://jabber.org/protocol/admin#add-user"), want: passes, consent: all},
	// Others' addresses are theirs.
	{rule: "message-signals", in: "<message to='wei\u00df@stra\u00dfe.example' id='a'>" + body + closing, want: passes},
	{rule: "presence-subscription", in: "<presence to='wei\u00df@stra\u00dfe.example' type='subscribe'/>", want: passes, noLists: true},
	{rule: "presence-join", in: strings.Replace(joinRoom, "tea@", "spa\u00df@", 1), want: passes},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "tea@rooms.social.example/romeo'><x xmlns='http://jabber.org/protocol/muc'", "spass@rooms.social.example/romeo'><x xmlns='urn:x'", 1),
		want: refuses, before: []string{strings.Replace(joinRoom, "tea@", "spa\u00df@", 1)}},
}

// press is a person who has "ss" in both parts of their address.
func press(t testing.TB, c Consent) *Stream {
	t.Helper()
	commands, err := NewCommands([]string{Admin})
	require.NoError(t, err)
	s, err := New(Config{Identity: Identity{Account: "1", Bare: "jess@press.example", Domain: "press.example"}, Consent: c, Rand: entropy(1), Commands: commands})
	require.NoError(t, err)
	s.phase = running
	return s
}

// An address with ß is somebody else's by RFC 7622, and the same by RFC 6122, which servers follow: nothing is granted, and nothing
// that the account's own address would have refused is let through.
func TestSharpSIsBothReadings(t *testing.T) {
	mood := func(to string) string { return moodTo(to) }
	for _, c := range []struct{ in, hidden, shown string }{
		{mood("je\u00df@press.example"), "iq-address", "iq-shown"},
		{mood("jess@pre\u00df.example"), "iq-address", "iq-shown"},
		{mood("JE\u00df@PRE\u00df.example/x"), "iq-address", "iq-shown"},
		{mood("jess@xn--pre-hia.example"), "iq-address", "iq-shown"},
		{strings.Replace(publish(mds, ""), "<iq", "<iq to='je\u00df@press.example'", 1), "iq-read-state", "iq-read-state"},
		{"<iq type='set' id='1' to='bob@pre\u00df.example'" + registers, "iq-register", "iq-register"},
		{"<iq type='set' id='1' to='pre\u00df.example'" + registers, "iq-register", "iq-register"},
		{command(" to='pre\u00df.example'", "config"), "iq-command", "iq-command"},
		{command(" to='rooms.pre\u00df.example'", "config"), "iq-command", "iq-command"},
		{command(" to='tea@rooms.pre\u00df.example'", "config"), "iq-command", "iq-command"},
		{"<message to='pre\u00df.example/x' id='1'>" + body + closing, "message-announce", "message-announce"},
		{"<message to='bob@pre\u00df.example/x' id='1'>" + body + closing, "message-signals", "message-signals"},
		{"<message to='je\u00df@press.example/x' id='1' type='error'>" + closing, "message-error", "message-signals"},
		{"<presence to='bob@pre\u00df.example/raw' id='1'><x xmlns='http://jabber.org/protocol/muc'/></presence>", "presence-address", "presence-shown"},
		{"<presence to='je\u00df@press.example'/>", "presence-address", "presence-shown"},
		{"<iq type='result' id='1' to='je\u00df@press.example/x'/>", "iq-stray-address", "iq-shown"},
		{"<iq type='get' id='1' to='je\u00df@press.example/x'><ping xmlns='urn:xmpp:ping'/></iq>", "iq-address", "iq-shown"},
		{"<iq type='get' id='1' to='jo\u00df@press.example'><vCard xmlns='vcard-temp'/></iq>", "", "iq-shown"},
		{"<message to='wei\u00df@stra\u00dfe.example'>" + body + closing, "message-signals", "message-signals"},
	} {
		require.Equal(t, c.hidden, fired(press(t, nobody), parse(t, c.in)), c.in)
		s := press(t, contacts)
		require.Equal(t, c.shown, fired(s, parse(t, c.in)), c.in)
		client(t, s, c.in)
		require.Equal(t, strings.HasPrefix(c.in, "<presence"), s.visible(), "what may be seen is remembered: %s", c.in)
	}
}

// A domain can hide behind a localpart of which a server leaves nothing.
func TestNoLocalpartIsSeenThrough(t *testing.T) {
	for _, local := range []string{"", "@", "\u200d@", strings.Repeat("\u200d", maxAddress/3) + "@"} {
		s := bound(t, all, true)
		v := client(t, s, "<message to='"+local+"social.example/announce/all' id='a'>"+body+closing)
		require.Equal(t, "message-announce", v.Reason, "%d", len(local))
	}
}

func TestFold(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "jess": "jess", "JESS": "jess", "je\u00df": "jess", "JE\u1e9e": "jess", "\u03c3\u03c2\u03a3": "\u03c3\u03c3\u03c3", "\uff4a\u200d\u2060e\u00ads\u017f": "jess",
		"e\u200d\u0301": "\u00e9", "\u0130": "i\u0307", "\u2126": "\u03c9", "\u1f80": "\u1f00\u03b9", "\ufb03": "ffi", "\u1806\ufe0f": "",
	} {
		require.Equal(t, want, fold(s), "%+q", s)
	}
	for s, want := range map[string]string{
		"a.example": "a.example", "A.example..": "a.example", "a\u3002example": "a.example", "a\uff61example\uff0e": "a.example", "pre\u00df.example.": "press.example",
	} {
		require.Equal(t, want, foldDomain(s), "%+q", s)
	}
}

// Addresses in ASCII, which is nearly all of them, are folded in no memory.
func TestFoldingASCIIIsFree(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() { foldAddress("juliet@capulet.example", "capulet.example") }))
}
