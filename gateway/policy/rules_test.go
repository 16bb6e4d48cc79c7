package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Outcomes a case can want, besides the frame that goes in the stanza's place.
const (
	passes  = "passes"
	held    = "held"    // replaced by what needs no answer
	refuses = "refuses" // replaced by what is answered, and the answer becomes a stanza error
)

// ruleCase is a stanza, the stream it is on, and the row that has to decide about it.
type ruleCase struct {
	rule, in, want string

	consent Consent
	noLists bool
	before  []string // stanzas of the client that came earlier; the server says yes to each
}

const (
	joinRoom  = "<presence to='tea@rooms.social.example/romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
	setOurs   = "<iq type='set' id='l'><query xmlns='jabber:iq:privacy'><list name='trunkline-hidden'><item action='allow' order='1'/></list></query></iq>"
	useOurs   = "<iq type='set' id='u'><query xmlns='jabber:iq:privacy'><active name='trunkline-hidden'/></query></iq>"
	useNone   = "<iq type='set' id='n'><query xmlns='jabber:iq:privacy'><active/></query></iq>"
	removeHer = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='juliet@capulet.example' subscription='remove'/></query></iq>"
	serviceNo = "><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)

func privacySet(item string) string {
	return "<iq type='set' id='p'><query xmlns='jabber:iq:privacy'>" + item + "</query></iq>"
}

func publish(node, options string) string {
	return "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" + node + "'><item/></publish>" + options + "</pubsub></iq>"
}

func options(fields string) string {
	return "<publish-options><x xmlns='jabber:x:data' type='submit'>" + formType + fields + "</x></publish-options>"
}

const (
	formType = "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
	onlyMe   = "<field var='pubsub#access_model'><value>whitelist</value></field>"
)

var presenceCases = []ruleCase{
	{rule: "presence-shown", in: "<presence/>", want: passes, consent: contacts},
	{rule: "presence-shown", in: "<presence to='juliet@capulet.example'/>", want: passes, consent: contacts},
	{rule: "presence-shown", in: "<presence to='juliet@capulet.example' type='subscribed'/>", want: passes, consent: contacts},
	{rule: "presence-type", in: "<presence type='Unavailable'/>", want: refuses},
	{rule: "presence-type", in: "<presence type=''/>", want: refuses},
	{rule: "presence-type", in: "<presence type='available'/>", want: refuses},
	{rule: "presence-type", in: "<presence type='invisible'/>", want: refuses},
	{rule: "presence-type", in: "<presence to='tea@rooms.social.example/romeo' type='invisible'/>", want: refuses, before: []string{joinRoom}},
	{rule: "presence-address", in: "<presence to=''/>", want: refuses},
	{rule: "presence-address", in: "<presence to='@social.example'/>", want: refuses},
	{rule: "presence-address", in: "<presence to='a@b@c' type='unavailable'/>", want: refuses},
	{rule: "presence-multicast", in: "<presence to='multicast.social.example'><addresses xmlns='http://jabber.org/protocol/address'/></presence>", want: refuses},
	{rule: "presence-multicast", in: strings.Replace(joinRoom, "<x", "<addresses xmlns='http://jabber.org/protocol/address'/><x", 1), want: refuses},
	{rule: "presence-error", in: "<presence to='juliet@capulet.example/b' type='error' id='1'/>", want: held},
	{rule: "presence-probe", in: "<presence to='juliet@capulet.example' type='probe'/>", want: refuses},
	{rule: "presence-subscribed", in: "<presence to='juliet@capulet.example' type='subscribed' id='s'/>", want: refuses},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='subscribe'/>", want: refuses},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='subscribe'/>", want: refuses, before: []string{"<presence/>"}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='subscribe'/>", want: passes, before: []string{"<presence/>", "<presence type='unavailable'/>", useNone}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='subscribe'/>", want: passes, noLists: true},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='unsubscribe'/>", want: refuses},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='unsubscribe'/>", want: refuses, before: []string{"<presence/>"}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='unsubscribe'/>", want: passes, before: []string{"<presence/>", "<presence type='unavailable'/>", useNone}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='unsubscribe'/>", want: passes, noLists: true},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='unsubscribed'/>", want: refuses},
	{rule: "presence-subscription-listed", in: "<presence to='juliet@capulet.example' type='unsubscribed'/>", want: refuses, before: []string{"<presence/>"}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='unsubscribed'/>", want: passes, before: []string{"<presence/>", "<presence type='unavailable'/>", useNone}},
	{rule: "presence-subscription", in: "<presence to='juliet@capulet.example' type='unsubscribed'/>", want: passes, noLists: true},
	{rule: "presence-subscription", in: "<presence to='tea@rooms.social.example/romeo' type='error'/>", want: passes, before: []string{joinRoom}},
	{rule: "presence-leave", in: "<presence type='unavailable'/>", want: passes},
	{rule: "presence-leave", in: "<presence to='ROMEO@social.example' type='unavailable'/>", want: passes},
	{rule: "presence-leave-held", in: "<presence type='unavailable'/>", want: held, noLists: true},
	{rule: "presence-leave-held", in: "<presence type='unavailable' to='romeo@social.example'/>", want: held, noLists: true},
	{rule: "presence-listed", in: "<presence/>", want: passes},
	{rule: "presence-listed", in: "<presence to='romeo@social.example'/>", want: passes},
	{rule: "presence-held", in: "<presence/>", want: held, noLists: true},
	{rule: "presence-held", in: "<presence to='romeo@social.example'/>", want: held, noLists: true},
	{rule: "presence-held", in: "<presence to='Romeo@SOCIAL.example'/>", want: held, noLists: true},
	{rule: "presence-subscribed", in: "<presence to='juliet@capulet.example' type='subscribed'/>", want: refuses, before: []string{useNone}},
	{rule: "presence-held", in: "<presence/>", want: held, before: []string{useNone}},
	{rule: "presence-leave-held", in: "<presence type='unavailable'/>", want: held, before: []string{useNone}},
	{rule: "presence-listed", in: "<presence/>", want: passes, before: []string{useNone, useOurs}},
	{rule: "presence-self", in: "<presence to='romeo@social.example/other'/>", want: passes},
	{rule: "presence-part", in: "<presence to='tea@rooms.social.example/romeo' type='unavailable'/>", want: passes, before: []string{joinRoom}},
	{rule: "presence-part-held", in: "<presence to='juliet@capulet.example' type='unavailable'/>", want: held},
	{rule: "presence-part-held", in: "<presence to='tea@rooms.social.example/romeo' type='unavailable'/>", want: held},
	{rule: "presence-room", in: "<presence to='Tea@rooms.social.example/romeo'><show>away</show></presence>", want: passes, before: []string{joinRoom}},
	{rule: "presence-join", in: joinRoom, want: passes},
	{rule: "presence-join", in: joinRoom, want: passes, noLists: true},
	{rule: "presence-directed", in: "<presence to='juliet@capulet.example'/>", want: refuses},
	{rule: "presence-directed", in: "<presence to='juliet@capulet.example/balcony'/>", want: refuses},
	{rule: "presence-directed", in: "<presence to='capulet.example'/>", want: refuses},
	{rule: "presence-directed", in: "<presence to='social.example'/>", want: refuses},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "/romeo'", "'", 1), want: refuses},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "tea@rooms.", "juliet@", 1), want: refuses},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "tea@rooms.", "juliet@", 1), want: refuses, noLists: true},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "protocol/muc'", "protocol/muc#user'", 1), want: refuses},
	{rule: "presence-directed", in: strings.Replace(joinRoom, "<x xmlns='http://jabber.org/protocol/muc'/>", "<y><x xmlns='http://jabber.org/protocol/muc'/></y>", 1), want: refuses},
	{rule: "presence-directed", in: "<presence to='tea@rooms.social.example/romeo'/>", want: refuses},
	{rule: "presence-directed", in: "<presence to='tea@rooms.social.example/romeo'/>", want: refuses, before: []string{joinRoom, "<presence to='tea@rooms.social.example/romeo' type='unavailable'/>"}},
	{rule: "presence-directed", in: "<presence to='tea@rooms.social.example/romeo'/>", want: refuses, before: []string{joinRoom, "<presence type='unavailable'/>"}},
	{rule: "presence-directed", in: "<presence p:type='unavailable' xmlns:p='jabber:client' to='juliet@capulet.example'/>", want: refuses},
	{rule: "presence-directed", in: "<c:presence xmlns='urn:x' xmlns:c='jabber:client' to='juliet@capulet.example'/>", want: refuses},
}

const (
	body     = "<body>But soft!</body>"
	composes = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	chat     = "<message xmlns='jabber:client' to='juliet@capulet.example' type='chat'>"
	receipt  = "<received xmlns='urn:xmpp:receipts' id='m'/>"
	marker   = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>"
	closing  = "</message>"
)

var messageCases = []ruleCase{
	{rule: "message-announce", in: "<message to='Social.Example/announce/all' id='a'>" + body + closing, want: refuses, consent: all},
	{rule: "message-announce", in: "<message to='social.example/x'>" + body + closing, want: refuses},
	{rule: "message-signals", in: "<message to='social.example'>" + body + closing, want: passes},
	{rule: "message-carbon", in: chat + "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>" + closing, want: refuses, consent: all},
	{rule: "message-carbon", in: chat + body + "<sent xmlns='urn:xmpp:carbons:2'/>" + closing, want: refuses},
	{rule: "message-error", in: "<message to='juliet@capulet.example/b' type='error'><error type='cancel'/></message>", want: held},
	{rule: "message-error", in: "<message to='' type='error'><error type='cancel'/></message>", want: held},
	{rule: "message-error", in: "<message to='capulet.example' type='error'><error type='cancel'/></message>", want: held},
	{rule: "message-signals", in: "<message to='juliet@capulet.example/b' type='error'><error type='cancel'/></message>", want: passes, consent: contacts},
	{rule: "message-signals", in: "<message to='tea@rooms.social.example' type='error'><error type='cancel'/></message>", want: passes, before: []string{joinRoom}},
	{rule: "message-signals", in: chat + body + closing, want: passes},
	{rule: "message-signals", in: chat + body + "<request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>" + closing, want: passes},
	{rule: "message-signals", in: chat + "<thread>t</thread>" + closing, want: passes},
	{rule: "message-signals", in: chat + body + composes + receipt + marker + "<rtt xmlns='urn:xmpp:rtt:0'/><x xmlns='jabber:x:event'/>" + closing, want: passes, consent: all},
}

// signalCases want, beside the whole message, that the same signal goes from messages that say something.
var signalCases = []struct {
	name, signal string
	granted      Consent
}{
	{"message-typing", composes, Consent{Typing: true}},
	{"message-typing", "<active xmlns='http://jabber.org/protocol/chatstates'/>", Consent{Typing: true}},
	{"message-typing", "<c:paused xmlns:c='http://jabber.org/protocol/chat&#x73;tates'>.</c:paused>", Consent{Typing: true}},
	{"message-typing", "<Composing xmlns='http://jabber.org/protocol/chatstates'><x/></Composing>", Consent{Typing: true}},
	{"message-live-typing", "<rtt xmlns='urn:xmpp:rtt:0' seq='1'><t>Bu</t></rtt>", Consent{Typing: true}},
	{"message-receipt", receipt, Consent{Receipts: true}},
	{"message-receipt", "<Received xmlns='urn:xmpp:receipts' id='m'/>", Consent{Receipts: true}},
	{"message-marker", marker, Consent{Receipts: true}},
	{"message-marker", "<acknowledged xmlns='urn:xmpp:chat-markers:0' id='m'/>", Consent{Receipts: true}},
	{"message-event", "<x xmlns='jabber:x:event'><composing/><id>m</id></x>", Consent{Typing: true, Receipts: true}},
	{"message-ringing", "<ringing xmlns='urn:xmpp:jingle-message:0' id='c'/>", Consent{Presence: true}},
	{"message-idle", "<idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/>", Consent{Presence: true}},
}

var iqCases = slices.Concat(commandCases, pepCases, []ruleCase{
	{rule: "iq-stray-answer", in: "<iq type='result' to='juliet@capulet.example/b'/>", want: held, consent: all},
	{rule: "iq-form", in: "<iq type='SET' id='1'><query xmlns='jabber:iq:roster'/></iq>", want: refuses, consent: all},
	{rule: "iq-form", in: "<iq id='1'><query xmlns='jabber:iq:roster'/></iq>", want: refuses},
	{rule: "iq-form", in: "<iq type='get' id='1'/>", want: refuses},
	{rule: "iq-form", in: "<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", want: refuses},
	{rule: "iq-form", in: "<iq type='set' id='1'><query xmlns='jabber:iq:roster'/><query xmlns='jabber:iq:privacy'><active/></query></iq>", want: refuses},
	{rule: "iq-bind-again", in: bindRequest, want: refuses, consent: all},
	{rule: "iq-legacy-auth", in: "<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>romeo</username></query></iq>", want: refuses, consent: all},
	{rule: "iq-register", in: "<iq type='set' id='1'><query xmlns='jabber:iq:register'><password>x</password></query></iq>", want: refuses, consent: all},
	{rule: "iq-register", in: "<iq type='set' id='1' to='Social.Example'><query xmlns='jabber:iq:register'><remove/></query></iq>", want: refuses},
	{rule: "iq-shown", in: "<iq type='set' id='1' to='irc.montague.example'><query xmlns='jabber:iq:register'/></iq>", want: passes, consent: all},
	{rule: "iq-read-state", in: publish("urn:xmpp:mds:displayed:0", ""), want: refuses, consent: contacts},
	{rule: "iq-read-state", in: publish("urn:xmpp:mds:displayed:0", options("<field var='pubsub#access_model'><value>presence</value></field>")), want: refuses, consent: contacts},
	{rule: "iq-read-state", in: publish("urn:xmpp:mds:displayed:0", options(onlyMe+"<field var='pubsub#access_model'><value>open</value></field>")), want: refuses, consent: contacts},
	{rule: "iq-shown", in: publish("urn:xmpp:mds:displayed:0", options(onlyMe)), want: passes, consent: contacts},
	{rule: "iq-shown", in: publish("urn:xmpp:mds:displayed:0", ""), want: passes, consent: all},
	{rule: "iq-shown", in: "<iq type='get' id='1' to='juliet@capulet.example/b'><ping xmlns='urn:xmpp:ping'/></iq>", want: passes, consent: contacts},
	{rule: "iq-shown", in: "<iq type='result' id='1' to='juliet@capulet.example/b'/>", want: passes, consent: contacts},
	{rule: "iq-stray-address", in: "<iq type='result' id='1' to=''/>", want: held},
	{rule: "iq-answer", in: "<iq type='result' id='1' to='juliet@capulet.example/b'><query xmlns='jabber:iq:last' seconds='1'/></iq>",
		want: "<iq xmlns='jabber:client' type='error' id='1' to='juliet@capulet.example/b'" + serviceNo},
	{rule: "iq-answer", in: "<iq type='error' id='1' to='juliet@capulet.example'><error type='cancel'><feature-not-implemented xmlns='" + framing.NSStanzas + "'/></error></iq>",
		want: "<iq xmlns='jabber:client' type='error' id='1' to='juliet@capulet.example'" + serviceNo},
	{rule: "iq-answer", in: "<iq type='result' id='1' to='capulet.example'/>", want: "<iq xmlns='jabber:client' type='error' id='1' to='capulet.example'" + serviceNo},
	{rule: "iq-answer", in: "<iq type='result' id='1' to='JULIET@social.example/b'/>", want: "<iq xmlns='jabber:client' type='error' id='1' to='JULIET@social.example/b'" + serviceNo},
	{rule: "", in: "<iq type='result' id='1' to='social.example'/>", want: passes},
	{rule: "", in: "<iq type='result' id='1'/>", want: passes},
	{rule: "", in: "<iq type='result' id='1' to='romeo@social.example/other'/>", want: passes},
	{rule: "", in: "<iq type='result' id='1' to='tea@rooms.social.example/juliet'/>", want: passes, before: []string{joinRoom}},
	{rule: "", in: "<iq type='result' id='1' to='rooms.social.example'/>", want: passes, before: []string{joinRoom}},
	{rule: "iq-address", in: "<iq type='get' id='1' to='@'><ping xmlns='urn:xmpp:ping'/></iq>", want: refuses},
	{rule: "iq-client", in: "<iq type='get' id='1' to='juliet@capulet.example/b'><ping xmlns='urn:xmpp:ping'/></iq>", want: refuses},
	{rule: "iq-client", in: "<iq type='set' id='1' to='Juliet@Social.example/b'><jingle xmlns='urn:xmpp:jingle:1'/></iq>", want: refuses},
	{rule: "", in: "<iq type='get' id='1' to='juliet@capulet.example'><vCard xmlns='vcard-temp'/></iq>", want: passes},
	{rule: "", in: "<iq type='get' id='1' to='tea@rooms.social.example/romeo'><ping xmlns='urn:xmpp:ping'/></iq>", want: passes, before: []string{joinRoom}},
	{rule: "", in: "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", want: passes},
	{rule: "iq-remove-shows", in: removeHer, want: refuses, before: []string{"<presence/>"}},
	{rule: "iq-remove-shows", in: strings.Replace(removeHer, "<item", "<item jid='nurse@capulet.example'/><item", 1), want: refuses, before: []string{"<presence/>"}},
	{rule: "iq-shown", in: removeHer, want: passes, consent: contacts, before: []string{"<presence/>"}},
	{rule: "", in: removeHer, want: passes, before: []string{"<presence/>", "<presence type='unavailable'/>"}},
	{rule: "", in: strings.Replace(removeHer, "'remove'", "'none'", 1), want: passes, before: []string{"<presence/>"}},
	{rule: "iq-activity", in: publish("http://jabber.org/protocol/tune", ""), want: refuses},
	{rule: "iq-activity", in: strings.Replace(publish("http://jabber.org/protocol/mood", ""), "<iq", "<iq to='ROMEO@social.example'", 1), want: refuses},
	{rule: "iq-activity", in: publish("urn:example:made-up", options(onlyMe+onlyMe+"<field var='pubsub#access_model'/>")), want: refuses},
	{rule: "", in: publish("urn:example:made-up", options(onlyMe)), want: passes},
	{rule: "", in: publish("urn:xmpp:avatar:data", ""), want: passes},
	{rule: "", in: strings.Replace(publish("blog", ""), "<iq", "<iq to='pubsub.social.example'", 1), want: passes},
	{rule: "", in: publish("eu.siacs.conversations.axolotl.devicelist", ""), want: passes},
})

// fired returns the row that decides about e.
func fired(s *Stream, e *framing.Element) string {
	a := &ask{Stream: s, e: e, hidden: s.hidden(), to: s.target(e)}
	a.typ, a.typed = e.Lookup("type")
	table := map[string][]rule{"presence": presenceRules, "message": messageRules, "iq": iqRules}[e.Name.Local]
	for i := 0; i < len(table); i++ {
		if !table[i].when(a) {
			continue
		}
		if table[i].name != "privacy" {
			return table[i].name
		}
		table, i = privacyRules, -1
	}
	return ""
}

func TestRules(t *testing.T) {
	covered := map[string]bool{"privacy": true}
	for _, cases := range [][]ruleCase{presenceCases, messageCases, iqCases, privacyCases, aliasCases} {
		for _, c := range cases {
			covered[c.rule] = true
			t.Run(c.rule+" "+c.in, func(t *testing.T) {
				s := bound(t, c.consent, !c.noLists)
				for _, frame := range c.before {
					send(t, s, frame)
				}
				e := parse(t, c.in)
				require.Equal(t, c.rule, fired(s, e))
				requireOutcome(t, s, e, c)
			})
		}
	}
	covered["presence-rooms"] = true  // TestRoomsAreBounded
	covered["privacy-blocked"] = true // TestWhoBlocksTooMany
	for _, table := range [][]rule{presenceRules, messageRules, iqRules, privacyRules} {
		for _, r := range table {
			require.True(t, covered[r.name], "the rule %s has no case", r.name)
		}
	}
}

// send is a stanza that the server takes and, if it is an IQ that was replaced, answers with a result.
func send(t *testing.T, s *Stream, frame string) {
	t.Helper()
	e := parse(t, frame)
	v := s.FromClient(e)
	require.NotEqual(t, End, v.Action)
	if v.Action == Replace {
		s.FromServer(parse(t, answer(t, v.Frame, true)))
	}
}

func requireOutcome(t *testing.T, s *Stream, e *framing.Element, c ruleCase) {
	t.Helper()
	v := s.FromClient(e)
	require.Empty(t, v.Inject)
	switch c.want {
	case passes:
		require.Equal(t, Verdict{}, v)
		return
	case held:
		require.Equal(t, Replace, v.Action)
		require.Equal(t, c.rule, v.Reason)
		requireHeld(t, v.Frame)
		return
	case refuses:
		require.Equal(t, Replace, v.Action)
		require.Equal(t, c.rule, v.Reason)
		requireRefused(t, s, e, c.rule, v.Frame)
		return
	}
	require.Equal(t, Replace, v.Action)
	out := parse(t, string(v.Frame))
	require.True(t, out.IsStanza())
	if strings.HasPrefix(c.want, "<iq") {
		require.Equal(t, c.want, string(v.Frame))
		return
	}
	require.Equal(t, c.want, string(out.First().Raw))
	require.NotEqual(t, e.ID(), out.ID(), "the id is one that no other answer can have")
	back := s.FromServer(parse(t, answer(t, v.Frame, true)))
	require.Equal(t, "<iq xmlns='jabber:client' type='result' id='"+e.ID()+"'/>", string(back.Frame))
}

// requireHeld holds what every server counts and ignores.
func requireHeld(t *testing.T, frame []byte) {
	t.Helper()
	out := parse(t, string(frame))
	require.True(t, out.Is(framing.NSClient, "iq"))
	require.Equal(t, "result", out.Type())
	require.Equal(t, romeo.Domain, out.To())
	require.NotEmpty(t, out.ID())
	require.Nil(t, out.First())
}

// requireRefused holds that the server's answer becomes the error to what the client sent, each time it is heard.
func requireRefused(t *testing.T, s *Stream, e *framing.Element, rule string, frame []byte) {
	t.Helper()
	out := parse(t, string(frame))
	require.True(t, out.Is(framing.NSClient, "iq"))
	require.Equal(t, "get", out.Type())
	require.Equal(t, romeo.Domain, out.To())
	require.NotNil(t, out.Child(NSGateway, "refused"))
	for range 2 {
		back := s.FromServer(parse(t, answer(t, frame, false)))
		require.Equal(t, Replace, back.Action)
		err := parse(t, string(back.Frame))
		require.Equal(t, e.Name, err.Name)
		require.Equal(t, "error", err.Type())
		require.Equal(t, e.ID(), err.ID())
		require.Equal(t, e.To(), err.From())
		why := err.Child(framing.NSClient, "error")
		require.Equal(t, reasons[rule].kind, why.Type())
		require.NotNil(t, why.Child(framing.NSStanzas, reasons[rule].condition))
		require.Equal(t, reasons[rule].text, why.Child(framing.NSStanzas, "text").Text())
		require.Equal(t, rule, why.Child(NSGateway, "refused").Attr("rule"))
	}
	forged := strings.Replace(answer(t, frame, false), "from='social.example'", "from='tybalt@capulet.example/x'", 1)
	require.Equal(t, Verdict{}, s.FromServer(parse(t, forged)), "only the server answers")
}

func TestSignals(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range signalCases {
		covered[c.name] = true
		t.Run(c.name+" "+c.signal, func(t *testing.T) {
			wrapped := "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>" + c.signal + "</message></forwarded>"
			for _, kind := range []string{"chat", "normal", "headline", "groupchat", "made-up"} {
				for _, address := range []string{" to='juliet@capulet.example'", " to='JULIET@capulet.example/x'", " to='tea@rooms.social.example'", ""} {
					open := "<message xmlns='jabber:client' type='" + kind + "'" + address + ">"
					s := bound(t, nobody, true)
					for _, alone := range []string{"", "<no-store xmlns='urn:xmpp:hints'/><thread>t</thread>", "<request xmlns='urn:xmpp:receipts'/><body> </body>", c.signal} {
						v := client(t, s, open+alone+c.signal+closing)
						require.Equal(t, Replace, v.Action)
						require.Equal(t, c.name, v.Reason)
						requireHeld(t, v.Frame)
					}
					v := client(t, s, open+c.signal+body+c.signal+closing)
					require.Equal(t, open+body+closing, string(v.Frame))
					require.Equal(t, c.name, v.Reason)
					v = client(t, s, open+wrapped+closing)
					require.Equal(t, open+strings.Replace(wrapped, c.signal, "", 1)+closing, string(v.Frame))

					s = bound(t, c.granted, true)
					require.Equal(t, Verdict{}, client(t, s, open+c.signal+closing), "with consent it leaves as it is")
				}
			}
		})
	}
	for _, s := range signals {
		require.True(t, covered[s.name], "the signal %s has no case", s.name)
	}
}

// Each consent lets its own signals pass and no others.
func TestConsentsAreSeparate(t *testing.T) {
	s := bound(t, Consent{Typing: true}, true)
	require.Equal(t, chat+composes+closing, string(client(t, s, chat+composes+receipt+closing).Frame))
	s = bound(t, Consent{Receipts: true}, true)
	require.Equal(t, chat+receipt+marker+closing, string(client(t, s, chat+composes+receipt+marker+closing).Frame))
	s = bound(t, contacts, true)
	requireHeld(t, client(t, s, chat+composes+receipt+marker+closing).Frame)
	s = bound(t, Consent{Typing: true, Receipts: true}, true)
	requireHeld(t, client(t, s, "<presence to='juliet@capulet.example' type='error'/>").Frame)
}

func TestReasonsAndRulesAgree(t *testing.T) {
	rules := map[string]bool{}
	for _, table := range [][]rule{presenceRules, messageRules, iqRules, privacyRules} {
		for _, r := range table {
			require.False(t, rules[r.name], "two rules are called %s", r.name)
			rules[r.name] = true
		}
	}
	for name, why := range reasons {
		require.True(t, rules[name], "a reason for no rule: %s", name)
		require.Contains(t, []string{"auth", "cancel", "modify", "wait"}, why.kind)
		require.NotEmpty(t, why.text)
	}
}
