package policy

import (
	"strings"
	"sync"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// ask is one element of the client under judgement.
type ask struct {
	*Stream
	e      *framing.Element
	to     target
	typ    string // type attribute
	typed  bool   // there is one
	hidden bool
}

var asks = sync.Pool{New: func() any { return new(ask) }}

// forget gives a back.
func (a *ask) forget() {
	*a = ask{}
	asks.Put(a)
}

// rule is one row: the first whose when holds decides. Then may note what it lets pass.
type rule struct {
	name string
	when func(a *ask) bool
	then func(a *ask, name string) Verdict
}

// The things a rule can do.
func pass(*ask, string) Verdict          { return Verdict{} }
func hold(a *ask, name string) Verdict   { return a.hold(name) }
func refuse(a *ask, name string) Verdict { return a.refuse(a.e, name) }
func otherwise(*ask) bool                { return true }
func end(c framing.Condition, text, rule string) Verdict {
	return Verdict{Action: End, Condition: c, Text: text, Reason: rule}
}

// FromClient judges an element of the browser. It never says Swallow: after the bind, each stanza leads to exactly one.
func (s *Stream) FromClient(e *framing.Element) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.IsStanza() {
		return s.nonza(e)
	}
	if v, ok := overlong(e); ok {
		return v
	}
	if s.phase == running && s.misnames(e) {
		return s.renamed(e)
	}
	return s.stanza(e)
}

// misnames reports whether a stanza says that it comes from another resource of the account.
func (s *Stream) misnames(e *framing.Element) bool {
	from, ok := e.Lookup("from")
	if !ok || from == s.state.JID {
		return false
	}
	bare, _, full := strings.Cut(from, "/")
	return full && bare == s.state.Bare
}

// renamed judges a stanza without its from. The server writes the right one itself (RFC 6120 §8.1.2.1), but some end the stream
// for a wrong one, ejabberd among them, and Converse sends the resource that it asked for in place of the one that it has resumed.
func (s *Stream) renamed(e *framing.Element) Verdict {
	e, err := framing.ParseFrame(e.WithoutAttr("from"), framing.ClientLimits)
	if err != nil {
		return end(framing.InternalServerError, "the address of the sender could not be taken out", "from")
	}
	v := s.stanza(e)
	if v.Action == Pass {
		v.Action, v.Frame, v.Reason = Replace, e.Raw, "from"
	}
	return v
}

// stanza judges a stanza.
func (s *Stream) stanza(e *framing.Element) Verdict {
	a := asks.Get().(*ask)
	defer a.forget()
	*a = ask{Stream: s, e: e, hidden: s.hidden(), to: s.target(e)}
	a.typ, a.typed = e.Lookup("type")
	if s.phase < running {
		return s.beforeBind(a)
	}
	switch e.Name.Local {
	case "presence":
		return a.judge(presenceRules)
	case "message":
		return a.judge(messageRules)
	}
	return a.judge(iqRules)
}

func (a *ask) judge(rules []rule) Verdict {
	for i := range rules {
		if r := &rules[i]; r.when(a) {
			return r.then(a, r.name)
		}
	}
	return Verdict{}
}

// Namespaces of what is not a stanza.
const (
	nsBind = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSM2  = "urn:xmpp:sm:2"
	nsSM3  = "urn:xmpp:sm:3"
	nsCSI  = "urn:xmpp:csi:0"
)

// nonzas lists the first-level elements besides stanzas that a client may send, and from which phase to which.
var nonzas = map[framing.Name]struct{ from, to phase }{
	{Space: nsSM2, Local: "resume"}:   {fresh, fresh},
	{Space: nsSM3, Local: "resume"}:   {fresh, fresh},
	{Space: nsSM2, Local: "enable"}:   {running, running},
	{Space: nsSM3, Local: "enable"}:   {running, running},
	{Space: nsSM2, Local: "r"}:        {running, running},
	{Space: nsSM3, Local: "r"}:        {running, running},
	{Space: nsSM2, Local: "a"}:        {running, running},
	{Space: nsSM3, Local: "a"}:        {running, running},
	{Space: nsCSI, Local: "active"}:   {fresh, running},
	{Space: nsCSI, Local: "inactive"}: {fresh, running},
}

// nonza judges what is not a stanza (RFC 6120 §4.9.3.24, §4.9.3.10).
func (s *Stream) nonza(e *framing.Element) Verdict {
	if when, ok := nonzas[e.Name]; ok && s.phase >= when.from && s.phase <= when.to {
		return Verdict{}
	}
	switch e.Name.Local {
	case "message", "presence", "iq":
		return end(framing.InvalidNamespace, "stanzas are in "+framing.NSClient, "stanza-namespace")
	}
	return end(framing.UnsupportedStanzaType, "this element is not for clients to send now", "element")
}

// beforeBind judges a stanza while the stream is not bound: the one that binds it, or the end (RFC 6120 §4.9.3.12, §7.1).
// A resource that the client asks for is left out, because a resource that can be guessed can be asked (RFC 6120 §7.6). Behind it goes
// the question whom the person blocks.
func (s *Stream) beforeBind(a *ask) Verdict {
	e := a.e
	if s.phase >= binding || !e.Is(framing.NSClient, "iq") || a.typ != "set" || e.ID() == "" || !a.to.own() ||
		e.First() == nil || !e.First().Is(nsBind, "bind") {
		return end(framing.NotAuthorized, "a stream is bound before it is used", "before-bind")
	}
	s.phase, s.bind = binding, strings.Clone(e.ID())
	frame := framing.AppendAttr([]byte("<iq xmlns='"+framing.NSClient+"' type='set'"), "id", s.bind)
	frame = append(frame, "><bind xmlns='"+nsBind+"'/></iq>"...)
	if !s.state.Blocks.Apart {
		s.arm.blocks = s.id("blocks")
		frame = append(frame, blocksRequest(s.arm.blocks)...)
	}
	return Verdict{Action: Replace, Frame: frame, Reason: "bind"}
}
