package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// What may be blocked at once while a stream is hidden by a list that has to say it. Who blocks more is hidden without the list,
// and the server holds their default one.
const (
	maxBlocked      = 500
	maxBlockedBytes = 16 << 10
)

// blocks is whom the person blocks (XEP-0191), as far as the list that hides them has to say it: some servers, ejabberd among them,
// write it into the account's default privacy list, which an active list takes the place of.
type blocks struct {
	Apart   bool     `json:"apart,omitempty"`   // the server says that blocking holds beside any list; the others then mean nothing
	Unknown bool     `json:"unknown,omitempty"` // it could not be read, or is too long
	Changed bool     `json:"changed,omitempty"` // since the list was made that hides this stream, which is about to end for it
	Who     []string `json:"who,omitempty"`     // addresses as the server writes them
}

// forList is all that the list holds now. It says nothing else about the blocked than the server's own list: everything is denied.
func (b *blocks) forList() string {
	if b.Apart || len(b.Who) == 0 {
		return list
	}
	out := append(make([]byte, 0, len(list)+64*len(b.Who)), strings.TrimSuffix(list, listEnd)...)
	for i, who := range b.Who {
		out = framing.AppendAttr(append(out, "<item type='jid'"...), "value", who)
		out = framing.AppendAttr(append(out, " action='deny'"...), "order", strconv.Itoa(i+3))
		out = append(out, "/>"...)
	}
	return string(append(out, listEnd...))
}

// read takes the answer to the question whom the person blocks (XEP-0191 §3.2). A server that does not know it blocks nobody;
// anything else that is no answer is taken at its worst.
func (b *blocks) read(e *framing.Element) {
	b.Who, b.Unknown = nil, false
	all := e.Child(nsBlocking, "blocklist")
	switch {
	case e.Type() == "error":
		b.Unknown = !notThere(e)
	case all == nil:
		b.Unknown = true
	default:
		b.add(all)
	}
}

// add notes who is blocked besides, once there is no more room that it is unknown.
func (b *blocks) add(items *framing.Element) {
	sum := 0
	for _, who := range b.Who {
		sum += len(who)
	}
	for item := range items.Children() {
		who := item.Attr("jid")
		if !item.Is(nsBlocking, "item") || slices.Contains(b.Who, who) {
			continue
		}
		if sum += len(who); len(b.Who) == maxBlocked || sum > maxBlockedBytes {
			b.Who, b.Unknown = nil, true
			return
		}
		b.Who = append(b.Who, strings.Clone(who))
	}
}

// push takes what the server says of a change (XEP-0191 §3.3 to §3.5).
func (b *blocks) push(change *framing.Element) {
	switch {
	case change.Name.Local == "unblock" && change.First() == nil:
		b.Who, b.Unknown = nil, false
	case b.Unknown:
	case change.Name.Local == "block":
		b.add(change)
	default:
		for item := range change.Children() {
			who := item.Attr("jid")
			b.Who = slices.DeleteFunc(b.Who, func(known string) bool { return known == who })
		}
		if len(b.Who) == 0 {
			b.Who = nil
		}
	}
}

// blocksRequest is the question whom the person blocks.
func blocksRequest(id string) []byte {
	frame := framing.AppendAttr([]byte("<iq xmlns='"+framing.NSClient+"' type='get'"), "id", id)
	return append(frame, "><blocklist xmlns='"+nsBlocking+"'/></iq>"...)
}

// changesBlocks returns the part of a request that changes whom the person blocks, nil when e is none.
func changesBlocks(e *framing.Element) *framing.Element {
	change := e.First()
	if !e.Is(framing.NSClient, "iq") || e.Type() != "set" || change == nil || change.Name.Space != nsBlocking {
		return nil
	}
	if change.Name.Local == "block" || change.Name.Local == "unblock" {
		return change
	}
	return nil
}

// maxBlocking bounds how many such requests of the client are waited for.
const maxBlocking = 4

// noteBlocking remembers the client's request, whose answer it gets before its stream ends for the change.
func noteBlocking(a *ask, _ string) Verdict {
	if !a.state.Blocks.Apart {
		a.blocking = append(a.blocking, strings.Clone(a.e.ID()))
		a.blocking = a.blocking[max(0, len(a.blocking)-maxBlocking):]
	}
	return Verdict{}
}

// afterBlocking looks for changes of whom the person blocks, by this client or another, and says what has to follow once e has been
// handed on. The list cannot be set anew in between, for the client would count it. Whoever does not hide learns it for later.
func (s *Stream) afterBlocking(e *framing.Element) Transition {
	if s.state.Blocks.Apart || e.Name.Local != "iq" || !s.fromServer(e) {
		return Nothing
	}
	changed := false
	if change := changesBlocks(e); change != nil {
		s.state.Blocks.push(change)
		changed = true
	} else if i := slices.Index(s.blocking, e.ID()); i >= 0 && (e.Type() == "result" || e.Type() == "error") {
		s.blocking = slices.Delete(s.blocking, i, i+1)
		changed = e.Type() == "result"
	}
	if changed {
		s.outdate()
	}
	if s.state.Blocks.Changed && len(s.blocking) == 0 {
		return EndStream
	}
	return Nothing
}

// outdate notes that the list, and any that is under way, is not what it has to be.
func (s *Stream) outdate() {
	active := s.state.ListActive
	for i := range s.state.Replaced {
		switch r := &s.state.Replaced[i]; r.Step {
		case setting:
			r.Step = ""
		case activating:
			active = true
		}
	}
	s.state.ListSet = false
	s.state.Blocks.Changed = s.state.Blocks.Changed || active || s.hidden() && !s.state.NoLists
}
