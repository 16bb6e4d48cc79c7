package policy

import "github.com/trunkline-chat/trunkline/gateway/framing"

const (
	nsPrivacy  = "jabber:iq:privacy"
	nsRegister = "jabber:iq:register"
	nsBlocking = "urn:xmpp:blocking"
)

// iqRules hold what an IQ may do. The first rows hold for everyone, those below for the hidden.
var iqRules = []rule{
	{"iq-stray-answer", func(a *ask) bool { return a.answers() && a.e.ID() == "" }, hold},
	{"iq-form", func(a *ask) bool { return !a.wellFormed() }, refuse},
	{"iq-bind-again", func(a *ask) bool { return a.asks(nsBind, "bind") }, refuse},
	{"iq-legacy-auth", func(a *ask) bool { return a.asks("jabber:iq:auth", "query") }, refuse}, // XEP-0078
	{"iq-register", (*ask).registers, refuse},
	{"iq-certificate", (*ask).certifies, refuse},
	{"iq-command", (*ask).administers, refuse},
	{"iq-read-state", func(a *ask) bool { return !a.state.Consent.Receipts && (a.publishes(readState) || a.opens(readState)) }, refuse},
	{"privacy", func(a *ask) bool { return a.sets(nsPrivacy, "query") }, func(a *ask, _ string) Verdict { return a.judge(privacyRules) }},

	{"iq-blocking-shown", func(a *ask) bool { return !a.hidden && a.to.class == toAccount && changesBlocks(a.e) != nil }, noteBlocking},
	{"iq-shown", func(a *ask) bool { return !a.hidden }, pass},
	{"iq-stray-address", func(a *ask) bool { return a.answers() && a.to.class == toNobody }, hold},
	{"iq-answer", func(a *ask) bool { return a.answers() && a.outside() }, unavailable},
	{"iq-address", func(a *ask) bool { return a.to.class == toNobody }, refuse},
	{"iq-client", func(a *ask) bool { return !a.answers() && a.to.class == toClient }, refuse},
	// Prosody tells a contact who is being blocked that each present session leaves, past any list.
	{"iq-block-shows", func(a *ask) bool { return a.state.Present && a.sets(nsBlocking, "block") }, refuse},
	{"iq-blocking", func(a *ask) bool { return a.to.class == toAccount && changesBlocks(a.e) != nil }, noteBlocking},
	// So it does for who is taken off the contact list and was no subscriber, to whom the list does not apply.
	{"iq-remove-shows", func(a *ask) bool { return a.state.Present && a.removes() }, refuse},
	{"iq-activity", func(a *ask) bool { return a.publishes(activity) }, refuse},
	{"iq-activity-node", func(a *ask) bool { return a.opens(activity) }, refuse},
}

// answers reports whether the IQ answers one.
func (a *ask) answers() bool { return a.typ == "result" || a.typ == "error" }

// wellFormed holds RFC 6120 §8.2.3, so that no server can take another payload for the one that was judged.
func (a *ask) wellFormed() bool {
	switch a.typ {
	case "result", "error":
		return true
	case "get", "set":
		return a.e.ID() != "" && only(a.e) != nil
	}
	return false
}

// only returns the one child element of e, nil when there are none or more.
func only(e *framing.Element) *framing.Element {
	var found *framing.Element
	for c := range e.Children() {
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

// asks reports whether the IQ is a request with this payload, sets whether it is a set.
func (a *ask) asks(space, local string) bool {
	first := a.e.First()
	return first != nil && first.Is(space, local) && (a.typ == "set" || a.typ == "get")
}

func (a *ask) sets(space, local string) bool { return a.typ == "set" && a.asks(space, local) }

// removes reports whether the IQ takes somebody off the contact list (RFC 6121 §2.5).
func (a *ask) removes() bool {
	if !a.sets("jabber:iq:roster", "query") {
		return false
	}
	for item := range a.e.First().Children() {
		if item.Attr("subscription") == "remove" {
			return true
		}
	}
	return false
}

// outside reports whether the target is someone who may not know that the person is online. The services of a room they are
// in do know.
func (a *ask) outside() bool {
	return !a.to.own() && a.to.class != toRoom && !(a.to.class == toService && a.servesRoom(a.to.domain))
}

// unavailable answers another person's request as their server would if nobody were there (RFC 6121 §8.5.3.2.3).
func unavailable(a *ask, name string) Verdict {
	frame := []byte("<iq xmlns='" + framing.NSClient + "' type='error'")
	frame = framing.AppendAttr(frame, "id", a.e.ID())
	frame = framing.AppendAttr(frame, "to", a.e.To())
	frame = append(frame, "><error type='cancel'><service-unavailable xmlns='"+framing.NSStanzas+"'/></error></iq>"...)
	return Verdict{Action: Replace, Frame: frame, Reason: name}
}
