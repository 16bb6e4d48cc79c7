package policy

import (
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	nsCarbons  = "urn:xmpp:carbons:2"
	nsReceipts = "urn:xmpp:receipts"
	nsMarkers  = "urn:xmpp:chat-markers:"
)

// messageRules hold what a message may carry. What the person wrote passes always.
var messageRules = []rule{
	{"message-carbon", forgedCarbon, refuse},
	{"message-announce", (*ask).announces, refuse},
	// Clients bounce messages by themselves: a sign of life.
	{"message-error", func(a *ask) bool { return a.hidden && a.typ == "error" && !a.to.own() && a.to.class != toRoom }, hold},
	{"message-signals", otherwise, strip},
}

// forgedCarbon: <sent/> and <received/> are a server's to send (XEP-0280 §11).
func forgedCarbon(a *ask) bool {
	return a.e.Child(nsCarbons, "sent") != nil || a.e.Child(nsCarbons, "received") != nil
}

// signal is one kind of element that clients send by themselves.
type signal struct {
	name string
	is   func(e *framing.Element) bool
	ok   func(c Consent) bool
}

func typing(c Consent) bool   { return c.Typing }
func receipts(c Consent) bool { return c.Receipts }
func online(c Consent) bool   { return c.Presence }

// signals lists what is taken out of messages without the consent for it, wherever in the message it stands.
var signals = []signal{
	{"message-typing", func(e *framing.Element) bool { return e.Name.Space == "http://jabber.org/protocol/chatstates" }, typing},    // XEP-0085
	{"message-live-typing", func(e *framing.Element) bool { return strings.HasPrefix(e.Name.Space, "urn:xmpp:rtt:") }, typing},      // XEP-0301
	{"message-receipt", func(e *framing.Element) bool { return e.Name.Space == nsReceipts && e.Name.Local != "request" }, receipts}, // XEP-0184
	{"message-marker", func(e *framing.Element) bool {
		return strings.HasPrefix(e.Name.Space, nsMarkers) && e.Name.Local != "markable"
	}, receipts}, // XEP-0333
	{"message-event", func(e *framing.Element) bool { return e.Name.Space == "jabber:x:event" }, func(c Consent) bool { return c.Typing && c.Receipts }}, // XEP-0022
	{"message-ringing", func(e *framing.Element) bool {
		return strings.HasPrefix(e.Name.Space, "urn:xmpp:jingle-message:") && e.Name.Local == "ringing"
	}, online}, // XEP-0353
	{"message-idle", func(e *framing.Element) bool { return e.Name.Space == "urn:xmpp:idle:1" }, online}, // XEP-0319
}

// strip takes out every signal there is no consent for. If nothing is left that anyone would want to read, the whole
// message is held back: that it comes, and when, would be the signal.
func strip(a *ask, _ string) Verdict {
	var found []*framing.Element
	name, content := "", false
	for c := range a.e.Children() {
		if s := a.signal(c); s != nil {
			if name == "" {
				name = s.name
			}
			found = append(found, c)
			continue
		}
		found, name = a.findSignals(c, found, name)
		content = content || !a.ridesAlong(c)
	}
	switch {
	case len(found) == 0:
		return Verdict{}
	case content:
		return Verdict{Action: Replace, Frame: a.e.Without(found...), Reason: name}
	}
	return a.hold(name)
}

// signal returns which kind of signal e is that there is no consent for, nil when it is none.
func (a *ask) signal(e *framing.Element) *signal {
	for i := range signals {
		if signals[i].is(e) && !signals[i].ok(a.state.Consent) {
			return &signals[i]
		}
	}
	return nil
}

// findSignals adds the outermost signals within e; name is the first one's. No deeper than the parser's limit.
func (a *ask) findSignals(e *framing.Element, found []*framing.Element, name string) ([]*framing.Element, string) {
	for c := range e.Children() {
		s := a.signal(c)
		if s == nil {
			found, name = a.findSignals(c, found, name)
			continue
		}
		if name == "" {
			name = s.name
		}
		found = append(found, c)
	}
	return found, name
}

// companions are elements that say something about a message and nothing without one.
var companions = map[framing.Name]bool{
	{Space: framing.NSClient, Local: "thread"}:                   true,
	{Space: nsCarbons, Local: "private"}:                         true,
	{Space: nsReceipts, Local: "request"}:                        true,
	{Space: "urn:xmpp:message-correct:0", Local: "replace"}:      true,
	{Space: "http://jabber.org/protocol/nick", Local: "nick"}:    true,
	{Space: "http://jabber.org/protocol/amp", Local: "amp"}:      true,
	{Space: "http://jabber.org/protocol/caps", Local: "c"}:       true,
	{Space: "http://jabber.org/protocol/shim", Local: "headers"}: true,
	{Space: nsAddresses, Local: "addresses"}:                     true,
	{Space: "jabber:x:delay", Local: "x"}:                        true,
	{Space: "jabber:x:signed", Local: "x"}:                       true,
	{Space: "vcard-temp:x:update", Local: "x"}:                   true,
	{Space: "google:nosave", Local: "x"}:                         true,
}

// aboutMessages are namespaces of which every element is a companion.
var aboutMessages = map[string]bool{
	"urn:xmpp:hints": true, "urn:xmpp:sid:0": true, "urn:xmpp:delay": true, "urn:xmpp:idle:1": true, "urn:xmpp:fallback:0": true,
	"urn:xmpp:occupant-id:0": true, "urn:xmpp:eme:0": true, "urn:xmpp:reply:0": true,
	"urn:xmpp:styling:0": true, "urn:xmpp:spoiler:0": true, "urn:xmpp:sec-label:0": true,
}

// ridesAlong reports whether c is no content of its own.
func (a *ask) ridesAlong(c *framing.Element) bool {
	switch {
	case companions[c.Name], aboutMessages[c.Name.Space], strings.HasPrefix(c.Name.Space, nsMarkers):
		return true
	case c.Name.Space == "urn:xmpp:reference:0": // what it may hold is shared (XEP-0385)
		return c.First() == nil
	case c.Is(framing.NSClient, "subject"): // to a room an empty one says that it has none any more
		return a.typ != "groupchat" && empty(c)
	case c.Is(framing.NSClient, "body"), c.Is("http://jabber.org/protocol/muc#user", "x"), c.Name.Space == "http://jabber.org/protocol/xhtml-im":
		return empty(c)
	}
	return false
}

// empty reports whether there is nothing to read in e, nor in what is within.
func empty(e *framing.Element) bool {
	for c := range e.Children() {
		if !c.Is("http://www.w3.org/1999/xhtml", "body") || !empty(c) {
			return false
		}
	}
	return strings.TrimSpace(e.Text()) == ""
}
