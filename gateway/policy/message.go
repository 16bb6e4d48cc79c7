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
	}, func(c Consent) bool { return c.Presence }}, // XEP-0353
}

// strip takes out every signal there is no consent for. If nothing is left that anyone would want to read, the whole
// message is held back.
func strip(a *ask, _ string) Verdict {
	found, name := a.findSignals(a.e, nil, "")
	if len(found) == 0 {
		return Verdict{}
	}
	for c := range a.e.Children() {
		if !contains(found, c) && !ridesAlong(c) {
			return Verdict{Action: Replace, Frame: a.e.Without(found...), Reason: name}
		}
	}
	return a.hold(name)
}

// findSignals adds the outermost signals within e; name is the first one's. No deeper than the parser's limit.
func (a *ask) findSignals(e *framing.Element, found []*framing.Element, name string) ([]*framing.Element, string) {
next:
	for c := range e.Children() {
		for i := range signals {
			if signals[i].is(c) && !signals[i].ok(a.state.Consent) {
				if name == "" {
					name = signals[i].name
				}
				found = append(found, c)
				continue next
			}
		}
		found, name = a.findSignals(c, found, name)
	}
	return found, name
}

func contains(list []*framing.Element, e *framing.Element) bool {
	for _, l := range list {
		if l == e {
			return true
		}
	}
	return false
}

// companions are elements that say something about a message and nothing without one.
var companions = map[framing.Name]bool{
	{Space: framing.NSClient, Local: "thread"}:                true,
	{Space: nsCarbons, Local: "private"}:                      true,
	{Space: nsReceipts, Local: "request"}:                     true,
	{Space: "urn:xmpp:sid:0", Local: "origin-id"}:             true,
	{Space: "urn:xmpp:eme:0", Local: "encryption"}:            true,
	{Space: "urn:xmpp:message-correct:0", Local: "replace"}:   true,
	{Space: "http://jabber.org/protocol/nick", Local: "nick"}: true,
	{Space: "urn:xmpp:delay", Local: "delay"}:                 true,
	{Space: "urn:xmpp:occupant-id:0", Local: "occupant-id"}:   true,
}

// ridesAlong reports whether c is no content of its own.
func ridesAlong(c *framing.Element) bool {
	switch {
	case companions[c.Name], c.Name.Space == "urn:xmpp:hints", strings.HasPrefix(c.Name.Space, nsMarkers):
		return true
	case c.Is(framing.NSClient, "body"), c.Is("http://jabber.org/protocol/muc#user", "x"):
		return c.First() == nil && strings.TrimSpace(c.Text()) == ""
	}
	return false
}
