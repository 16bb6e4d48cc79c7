package policy

import "github.com/trunkline-chat/trunkline/gateway/framing"

// ListName is the name of the privacy list (XEP-0016) that keeps presence from contacts.
const ListName = "trunkline-hidden"

// list is what the list holds: presence stays from whoever is subscribed, and everything else works, rooms included. Who is blocked
// may come behind.
const list = "<query xmlns='" + nsPrivacy + "'><list name='" + ListName + "'>" +
	"<item type='subscription' value='both' action='deny' order='1'><presence-out/></item>" +
	"<item type='subscription' value='from' action='deny' order='2'><presence-out/></item>" + listEnd

const listEnd = "</list></query>"

const activate = "<query xmlns='" + nsPrivacy + "'><active name='" + ListName + "'/></query>"

const decline = "<query xmlns='" + nsPrivacy + "'><active/></query>"

// step is a privacy list request that was let through, and whose result changes what the server does with presence.
type step string

const (
	setting    step = "set"
	activating step = "activate"
	declining  step = "decline"
)

// privacyRules hold the walk from shown to hidden and back: unavailable, set the list, activate it, presence; decline it,
// presence. What the list holds is not the client's to say. Who is hidden and not present may decline it as well, for what it
// keeps from getting through: unavailable, decline it, the subscription stanzas, activate it, presence. In between presence is
// held back here.
var privacyRules = []rule{
	{"privacy-form", func(a *ask) bool { return a.item() == nil }, refuse},
	{"privacy-blocked", func(a *ask) bool { return a.ours("list") && a.state.Blocks.Unknown }, unlisted},
	{"privacy-list", func(a *ask) bool { return a.ours("list") }, setList},
	{"privacy-order-leave", func(a *ask) bool { return a.ours("active") && a.visible() }, refuse},
	{"privacy-order-set", func(a *ask) bool { return a.ours("active") && !a.state.ListSet }, refuse},
	{"privacy-activate", func(a *ask) bool { return a.ours("active") }, request(activating, activate)},
	{"privacy-decline", func(a *ask) bool { return a.hidden && a.declines() && a.state.Present }, refuse},
	{"privacy-decline-hidden", func(a *ask) bool { return a.hidden && a.declines() }, deactivate},
	{"privacy-other-list", func(a *ask) bool { return a.hidden && !a.is("default") }, refuse},
	{"privacy-default-list", func(a *ask) bool { return a.hidden }, refuse},
	{"privacy-unlist", func(a *ask) bool { return a.is("active") }, deactivate},
	{"privacy-shown", otherwise, pass},
}

// item is the one element of the request, nil when it is not one this protocol knows (XEP-0016 §2.3).
func (a *ask) item() *framing.Element {
	item := only(a.e.First())
	if item == nil || item.Name.Space != nsPrivacy {
		return nil
	}
	switch item.Name.Local {
	case "list", "active", "default":
		return item
	}
	return nil
}

func (a *ask) is(local string) bool   { return a.item().Name.Local == local }
func (a *ask) declines() bool         { return a.is("active") && a.item().Attr("name") == "" }
func (a *ask) ours(local string) bool { return a.is(local) && a.item().Attr("name") == ListName }

// request replaces the client's request by the gateway's own with the same meaning, under an id that nothing else can have, so
// that no other result can be taken for this one's.
func request(what step, payload string) func(*ask, string) Verdict {
	return func(a *ask, name string) Verdict {
		id := a.replace(a.e, "privacy", replaced{Step: what})
		return Verdict{Action: Replace, Frame: privacyIQ(id, payload), Reason: name}
	}
}

// setList has the list set, whatever the client wrote into it.
func setList(a *ask, name string) Verdict { return request(setting, a.state.Blocks.forList())(a, name) }

// unlisted refuses the list to whom it cannot be given, for whom it is as if the server had none.
func unlisted(a *ask, name string) Verdict {
	a.state.NoLists = !a.state.ListActive
	return a.refuse(a.e, name)
}

// deactivate lets the end of our list through. It counts from now, since nobody knows when the server does it; what is present
// may be seen then.
func deactivate(a *ask, name string) Verdict {
	for i := range a.state.Replaced {
		if a.state.Replaced[i].Step == activating {
			a.state.Replaced[i].Step = ""
		}
	}
	was := a.state.ListActive
	a.state.ListActive, a.state.Declined = false, a.hidden && (was || a.state.Declined)
	a.state.Shown = a.state.Shown || a.state.Present
	if !was || a.item().Attr("name") != "" {
		return Verdict{}
	}
	return request(declining, decline)(a, name)
}

// privacyIQ is a privacy list request.
func privacyIQ(id, payload string) []byte {
	frame := framing.AppendAttr([]byte("<iq xmlns='"+framing.NSClient+"' type='set'"), "id", id)
	return append(append(append(frame, '>'), payload...), "</iq>"...)
}

// listStep notes what an answer about the list says.
func (s *Stream) listStep(what step, done bool, e *framing.Element) {
	switch {
	case what == setting && done:
		s.state.ListSet, s.state.NoLists = true, false
	case what == activating && done:
		s.state.ListActive = s.state.ListSet
		s.state.Declined = s.state.Declined && !s.state.ListActive
	case what == declining && !done:
		s.state.ListActive, s.state.Declined = true, false
	case !done && notThere(e):
		s.state.NoLists = true
	}
}

// notThere reports whether an error says that the server does not have what was asked for.
func notThere(e *framing.Element) bool {
	why := e.Child(framing.NSClient, "error")
	return why != nil && (why.Child(framing.NSStanzas, "service-unavailable") != nil ||
		why.Child(framing.NSStanzas, "feature-not-implemented") != nil)
}
