package policy

import (
	"iter"
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

const (
	nsPubSub      = "http://jabber.org/protocol/pubsub" // XEP-0060
	nsPubSubOwner = nsPubSub + "#owner"
	nsForm        = "jabber:x:data"            // XEP-0004
	nsReadMDS     = "urn:xmpp:mds:displayed:0" // XEP-0490
)

// publishes reports whether the IQ changes what is in a node of the account's own (XEP-0163) that the filter names, so that
// contacts are told, unless only the account can read it.
func (a *ask) publishes(filter func(node string) bool) bool {
	for c := range a.nodes() {
		switch c.Name.Local {
		case "publish":
			if filter(c.Attr("node")) && !private(a.e.First()) {
				return true
			}
		case "retract", "purge", "delete": // servers read no publish options with these
			if filter(c.Attr("node")) {
				return true
			}
		}
	}
	return false
}

// opens reports whether the IQ decides about a node of the account's own that the filter names: makes it, says who can read
// it, who belongs to it or is subscribed. Else what was published privately could be opened afterwards.
func (a *ask) opens(filter func(node string) bool) bool {
	for c := range a.nodes() {
		switch c.Name.Local {
		case "publish", "retract", "purge", "delete", "publish-options", "subscribe", "unsubscribe", "options":
			continue
		}
		if _, named := c.Lookup("node"); !named && c.Is(nsPubSub, "configure") {
			continue // it belongs to <create/>
		}
		if filter(c.Attr("node")) {
			return true
		}
	}
	return false
}

// nodes yields what the IQ wants done with nodes that are the account's own, or may be.
func (a *ask) nodes() iter.Seq[*framing.Element] {
	if !a.sets(nsPubSub, "pubsub") && !a.sets(nsPubSubOwner, "pubsub") || !a.to.own() && a.to.class != toNobody {
		return func(func(*framing.Element) bool) {}
	}
	return a.e.First().Children()
}

// private reports whether the request publishes to a node nobody else may read: the server refuses the item when the node is
// not like that (XEP-0060 §7.1.5). Whatever a server might read in another way, or leave unread, is not private.
func private(pubsub *framing.Element) bool {
	var options *framing.Element
	for c := range pubsub.Children() {
		switch {
		case c.Is(nsPubSub, "publish"):
		case options == nil && c.Is(nsPubSub, "publish-options"):
			options = c
		default:
			return false
		}
	}
	if options == nil {
		return false
	}
	form := only(options)
	return form != nil && form.Is(nsForm, "x") && form.Type() == "submit" &&
		holds(form, "FORM_TYPE", nsPubSub+"#publish-options") && holds(form, "pubsub#access_model", "whitelist")
}

// holds reports whether a form is made of fields alone, of which exactly one has the name, and the one value.
func holds(form *framing.Element, name, want string) bool {
	found := 0
	for field := range form.Children() {
		if !field.Is(nsForm, "field") {
			return false
		}
		if field.Attr("var") != name {
			continue
		}
		found++
		value := only(field)
		if value == nil || !value.Is(nsForm, "value") || value.First() != nil || value.Text() != want {
			return false
		}
	}
	return found == 1
}

func readState(node string) bool { return node == nsReadMDS }

// lasting lists the beginnings of nodes that say who a person is, what they keep or what they publish on purpose. Everything else
// may tell what they are doing (mood, tune, activity, location, what they play or watch).
var lasting = []string{
	"urn:xmpp:avatar:", "http://jabber.org/protocol/nick", "urn:xmpp:vcard4", "urn:ietf:params:xml:ns:vcard-4.0",
	"eu.siacs.conversations.axolotl.", "urn:xmpp:omemo:", "urn:xmpp:openpgp:",
	"urn:xmpp:bookmarks:", "storage:bookmarks", "urn:xmpp:microblog:",
}

func activity(node string) bool {
	for _, beginning := range lasting {
		if strings.HasPrefix(node, beginning) {
			return false
		}
	}
	return true
}
