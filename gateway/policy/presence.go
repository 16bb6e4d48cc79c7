package policy

import (
	"slices"
	"strings"
)

const (
	nsMUC       = "http://jabber.org/protocol/muc"
	nsAddresses = "http://jabber.org/protocol/address"
)

// presenceTypes are those of RFC 6121 §4.7.1.
var presenceTypes = []string{"unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error"}

// presenceRules hold what presence may leave. While hidden only these get through: presence to the account itself behind an
// active list, taking back what was shown, what changes a subscription without granting one, and rooms.
var presenceRules = []rule{
	{"presence-shown", func(a *ask) bool { return !a.hidden }, (*ask).show},
	{"presence-type", func(a *ask) bool { return a.typed && !slices.Contains(presenceTypes, a.typ) }, refuse},
	{"presence-address", func(a *ask) bool { return a.to.class == toNobody }, refuse},
	{"presence-multicast", func(a *ask) bool { return a.e.Child(nsAddresses, "addresses") != nil }, refuse},
	{"presence-error", func(a *ask) bool { return a.typ == "error" && a.to.class != toRoom }, hold},
	{"presence-probe", func(a *ask) bool { return a.typ == "probe" }, refuse},
	{"presence-subscribed", func(a *ask) bool { return a.typ == "subscribed" }, refuse},
	// Servers take outgoing subscription stanzas for outgoing presence: the list makes them vanish without a word.
	{"presence-subscription-listed", func(a *ask) bool { return a.hidden && a.subscribes() && a.listed() }, refuse},
	{"presence-subscription", func(a *ask) bool { return a.typed && a.typ != "unavailable" }, pass},
	// From here on: available or unavailable.
	{"presence-leave", func(a *ask) bool { return a.typed && a.to.class == toAccount && (a.state.Shown || a.state.ListActive) }, (*ask).leave},
	// Servers tell all contacts of an unavailable presence even if no available one came before. Whoever got directed presence
	// has to be told alone, or hears of the end of the stream.
	{"presence-leave-held", func(a *ask) bool { return a.typed && a.to.class == toAccount }, (*ask).leaveHeld},
	{"presence-listed", func(a *ask) bool { return a.to.class == toAccount && a.state.ListActive }, (*ask).show},
	{"presence-held", func(a *ask) bool { return a.to.class == toAccount }, (*ask).keepBack},
	{"presence-self", func(a *ask) bool { return a.to.class == toSelf }, pass},
	{"presence-part", func(a *ask) bool { return a.typed && a.state.Directed[a.to.bare] != "" }, (*ask).part},
	{"presence-part-held", func(a *ask) bool { return a.typed }, hold},
	{"presence-room", func(a *ask) bool { return a.to.class == toRoom }, pass},
	{"presence-rooms", func(a *ask) bool { return a.joins() && a.crowded(a.to.bare) }, refuse},
	{"presence-join", (*ask).joins, (*ask).show},
	{"presence-directed", otherwise, refuse},
}

// subscribes reports whether the presence is about a subscription (RFC 6121 §3).
func (a *ask) subscribes() bool {
	return strings.HasSuffix(a.typ, "subscribe") || strings.HasSuffix(a.typ, "subscribed")
}

// listed reports whether the list is active, or will be before the server gets what the client sends now.
func (a *ask) listed() bool {
	return a.state.ListActive || slices.ContainsFunc(a.state.Replaced, func(r replaced) bool { return r.Step == activating })
}

// joins reports whether the presence joins a room (XEP-0045 §7.2.2): to a nickname, at a place where rooms can be.
func (a *ask) joins() bool {
	return !a.typed && a.to.class == toClient && a.to.domain != a.state.Domain && a.e.Child(nsMUC, "x") != nil
}

// show lets presence pass and notes who may see it now.
func (a *ask) show(string) Verdict {
	switch {
	case a.to.class == toAccount && !a.typed:
		a.state.Present, a.state.Held = true, false
		a.state.Shown = a.state.Shown || !a.state.ListActive
	case a.to.class == toAccount && a.typ == "unavailable":
		return a.leave("")
	case a.typ == "unavailable":
		return a.part("")
	case a.typed && slices.Contains(presenceTypes, a.typ), a.to.class == toSelf:
	case a.typed, a.to.class == toNobody:
		a.state.Shown = true // who knows what the server makes of it
	case a.state.Directed[a.to.bare] == "" && a.crowded(a.to.bare):
		a.state.Shown = true // to someone who is not remembered
	case a.joins() || a.to.class == toRoom:
		a.state.Directed[a.to.bare] = room
	default:
		a.state.Directed[a.to.bare] = person
	}
	return Verdict{}
}

// leave lets unavailable presence pass; the server tells everyone who was told before (RFC 6121 §4.5.2, §4.6.3).
func (a *ask) leave(string) Verdict {
	a.state.Present, a.state.Shown, a.state.Held = false, false, false
	clear(a.state.Directed)
	return Verdict{}
}

// part lets directed unavailable presence pass.
func (a *ask) part(string) Verdict {
	delete(a.state.Directed, a.to.bare)
	return Verdict{}
}

// leaveHeld holds unavailable presence that nobody would have to hear of.
func (a *ask) leaveHeld(name string) Verdict {
	a.state.Held = false
	return a.hold(name)
}

// keepBack holds available presence, and remembers that the client believes it is available.
func (a *ask) keepBack(name string) Verdict {
	a.state.Held = true
	return a.hold(name)
}
