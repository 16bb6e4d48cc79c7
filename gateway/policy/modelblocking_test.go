package policy

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// blocking is a server that keeps whom the person blocks in a privacy list, which another that is active takes the place of.
type blocking struct {
	inLists bool
	blocked []string // in order
	listed  []string // those that our list names as well
}

// bind makes the policy of a session that is new to the server.
func (w *world) bind(c Consent) {
	if w.inLists {
		w.s = boundAsking(w.t, c, w.blocked...)
	} else {
		w.s = bound(w.t, c, w.lists)
	}
	w.active = w.lists && !c.Presence
	if w.active {
		w.saved, w.listed = true, slices.Clone(w.blocked)
	}
}

// again logs in anew after the end of a stream.
func (w *world) again() {
	w.towards, w.back = nil, nil
	w.sent, w.counted, w.answered, w.delivered = 0, 0, 0, 0
	w.present, w.directed, w.told, w.contact = false, false, false, ""
	w.bind(w.s.Consent())
}

// serveBlocking is a request of this session to block or unblock.
func (w *world) serveBlocking(e *framing.Element, to target) bool {
	change := changesBlocks(e)
	if !w.inLists || change == nil || to.class != toAccount {
		return false
	}
	if w.r != nil && w.r.IntN(2) == 0 { // servers differ in what comes first
		w.block(change)
		w.send("<iq type='result' id='" + e.ID() + "'/>")
		return true
	}
	w.send("<iq type='result' id='" + e.ID() + "'/>")
	w.block(change)
	return true
}

// elsewhere is an app of the person's own that blocks and unblocks.
func (w *world) elsewhere() {
	if frame := []string{blockTybalt, unblockTybalt, unblockAll}[w.r.IntN(3)]; w.inLists {
		w.block(parse(w.t, frame).First())
	}
}

// block changes the list and tells the session.
func (w *world) block(change *framing.Element) {
	var who []string
	for item := range change.Children() {
		who = append(who, strings.Clone(item.Attr("jid")))
	}
	w.blocked = slices.DeleteFunc(w.blocked, func(one string) bool { return len(who) == 0 || slices.Contains(who, one) })
	if change.Name.Local == "block" {
		w.blocked = append(w.blocked, who...)
	}
	w.send("<iq type='set' id='push'>" + string(change.Raw) + "</iq>")
}

// send puts a stanza on its way to the client.
func (w *world) send(frame string) {
	w.answered++
	w.back = append(w.back, string(parse(w.t, frame).Raw))
}

// store takes our list.
func (w *world) store(item *framing.Element) {
	w.saved, w.listed = true, nil
	for rule := range item.Children() {
		if rule.Attr("type") == "jid" {
			w.listed = append(w.listed, strings.Clone(rule.Attr("value")))
		}
	}
}

// checkBlocked holds, once everything has arrived, that nobody who is blocked gets past our list, and that nobody else is kept off.
func (w *world) checkBlocked() {
	if w.inLists && w.active {
		require.ElementsMatch(w.t, w.blocked, w.listed)
	}
}
