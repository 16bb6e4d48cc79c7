package policy

import (
	"strconv"
	"strings"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// NSGateway is the namespace of what the gateway itself has to say: <hidden/> in the bind result, <refused/> in errors.
const NSGateway = "urn:trunkline:gateway:0"

// replaced is a stanza of the client in whose place went an IQ that the server answers.
type replaced struct {
	Substitute string `json:"substitute"` // id of that IQ
	Kind       string `json:"kind"`       // message, presence or iq
	ID         string `json:"id,omitempty"`
	To         string `json:"to,omitempty"`   // "" too when it is longer than any address
	Rule       string `json:"rule,omitempty"` // that refused it; "" for a request of the privacy walk
	Step       step   `json:"step,omitempty"` // what a result means; "" when it means nothing any more
}

// replace remembers e and returns the id for what goes in its place.
func (s *Stream) replace(e *framing.Element, what string, r replaced) string {
	r.Substitute = s.id(what)
	r.Kind, r.ID = strings.Clone(e.Name.Local), strings.Clone(e.ID())
	if to := e.To(); len(to) <= maxAddress {
		r.To = strings.Clone(to)
	}
	s.remember(r)
	return r.Substitute
}

// id returns the next id of the gateway's own, with what it is for in its name.
func (s *Stream) id(what string) string {
	s.state.Sequence++
	return "tl-" + what + "-" + s.nonce + "-" + strconv.Itoa(s.state.Sequence)
}

// hold replaces the client's stanza by one that the server counts and ignores.
func (s *Stream) hold(rule string) Verdict {
	frame := []byte("<iq xmlns='" + framing.NSClient + "' type='result'")
	frame = framing.AppendAttr(frame, "id", s.id("held"))
	frame = framing.AppendAttr(frame, "to", s.state.Domain)
	return Verdict{Action: Replace, Frame: append(frame, "/>"...), Reason: rule}
}

// refuse replaces the client's stanza by one that the server answers with an error, and remembers what that error is to say.
func (s *Stream) refuse(e *framing.Element, rule string) Verdict {
	frame := []byte("<iq xmlns='" + framing.NSClient + "' type='get'")
	frame = framing.AppendAttr(frame, "id", s.replace(e, "refused", replaced{Rule: rule}))
	frame = framing.AppendAttr(frame, "to", s.state.Domain)
	frame = append(frame, "><refused xmlns='"+NSGateway+"'/></iq>"...)
	return Verdict{Action: Replace, Frame: frame, Reason: rule}
}

// answer turns the server's answer to a substitute into the one to what the client sent.
func (s *Stream) answer(e *framing.Element) (Verdict, bool) {
	if t := e.Type(); !e.Is(framing.NSClient, "iq") || t != "error" && t != "result" || !s.fromServer(e) {
		return Verdict{}, false
	}
	id := e.ID()
	for i := range s.state.Replaced {
		r := &s.state.Replaced[i]
		switch {
		case r.Substitute != id:
			continue
		case r.Rule != "":
			return Verdict{Action: Replace, Frame: r.refusal(), Reason: "answer-" + r.Rule}, true
		}
		s.listStep(r.Step, e.Type() == "result", e)
		r.Step = ""
		return Verdict{Action: Replace, Frame: r.outcome(e), Reason: "answer-privacy"}, true
	}
	return Verdict{}, false
}

// refusal is the stanza error for the refused stanza (RFC 6120 §8.3).
func (r *replaced) refusal() []byte {
	why := reasonOf(r.Rule)
	out := append([]byte("<"), r.Kind...)
	out = append(out, " xmlns='"+framing.NSClient+"' type='error'"...)
	out = framing.AppendAttr(out, "id", r.ID)
	out = framing.AppendAttr(out, "from", r.To)
	out = append(out, "><error type='"+why.kind+"'><"+why.condition+" xmlns='"+framing.NSStanzas+"'/>"...)
	out = append(out, "<text xmlns='"+framing.NSStanzas+"' xml:lang='en'>"...)
	out = framing.AppendText(out, why.text)
	out = append(out, "</text><refused xmlns='"+NSGateway+"'"...)
	out = framing.AppendAttr(out, "rule", r.Rule)
	return append(append(append(out, "/></error></"...), r.Kind...), '>')
}

// outcome is the server's answer under the id that the client gave its request.
func (r *replaced) outcome(e *framing.Element) []byte {
	out := framing.AppendAttr([]byte("<iq xmlns='"+framing.NSClient+"'"), "type", e.Type())
	out = framing.AppendAttr(out, "id", r.ID)
	if e.Type() == "result" {
		return append(out, "/>"...)
	}
	kind, condition := "cancel", "undefined-condition"
	if why := e.Child(framing.NSClient, "error"); why != nil {
		kind = why.Type()
		for c := range why.Children() {
			if c.Name.Space == framing.NSStanzas && c.Name.Local != "text" {
				condition = c.Name.Local
			}
		}
	}
	out = framing.AppendAttr(append(out, "><error"...), "type", kind)
	return append(out, "><"+condition+" xmlns='"+framing.NSStanzas+"'/></error></iq>"...)
}

// reason is what a stanza error says (RFC 6120 §8.3.2, §8.3.3).
type reason struct{ kind, condition, text string }

// reasons holds one row for each rule that refuses.
var reasons = map[string]reason{
	"presence-type":       {"modify", "bad-request", "This type of presence does not exist."},
	"presence-address":    {"modify", "jid-malformed", "The address is not a chat address."},
	"presence-multicast":  {"cancel", "not-allowed", "Presence to a list of addresses is not sent while you are hidden."},
	"presence-directed":   {"cancel", "not-allowed", "You chose to be hidden, so your presence is not sent to this address."},
	"presence-probe":      {"cancel", "not-allowed", "You chose to be hidden, so nobody is asked for their presence in your name."},
	"presence-subscribed": {"cancel", "not-allowed", "Whoever you approve can see when you are online. Allow that in your privacy choices first."},
	"presence-subscription-listed": {"wait", "unexpected-request", "While you are hidden the server keeps this back. " +
		"Send unavailable presence and decline the list, then send this again."},
	"presence-rooms":       {"wait", "resource-constraint", "You are in too many rooms at once."},
	"message-carbon":       {"cancel", "not-allowed", "Only a server makes carbon copies."},
	"iq-form":              {"modify", "bad-request", "An IQ needs an id, a known type, and one payload if it is a request."},
	"iq-bind-again":        {"cancel", "not-allowed", "This stream is bound already."},
	"iq-legacy-auth":       {"cancel", "not-allowed", "This way to log in is not supported."},
	"iq-register":          {"cancel", "not-allowed", "The account belongs to your Mastodon account and is changed there."},
	"iq-certificate":       {"cancel", "not-allowed", "Certificates to log in with are not added from a browser."},
	"iq-command":           {"cancel", "not-allowed", "The server is not administered from a browser."},
	"message-announce":     {"cancel", "not-allowed", "Announcements to everybody are not sent from a browser."},
	"iq-address":           {"modify", "jid-malformed", "The address is not a chat address."},
	"iq-client":            {"cancel", "not-allowed", "You chose to be hidden; asking this person's device would show it that you are online."},
	"iq-block-shows":       {"wait", "unexpected-request", "Blocking would show this person that you are online: send unavailable presence first."},
	"iq-remove-shows":      {"wait", "unexpected-request", "Removing this contact could show them that you are online: send unavailable presence first."},
	"iq-activity":          {"cancel", "not-allowed", "You chose to be hidden, so what you are doing is not published."},
	"iq-activity-node":     {"cancel", "not-allowed", "You chose to be hidden, so who can read what you are doing is not changed."},
	"iq-read-state":        {"cancel", "not-allowed", "Read marks leave only with your consent or kept private to you."},
	"privacy-form":         {"modify", "bad-request", "A privacy list request holds exactly one element."},
	"privacy-blocked":      {"cancel", "service-unavailable", "You block too many addresses for messages to come at once while you are hidden."},
	"privacy-order-set":    {"wait", "unexpected-request", "Set the list before activating it."},
	"privacy-order-leave":  {"wait", "unexpected-request", "Send unavailable presence before activating the list."},
	"privacy-decline":      {"wait", "unexpected-request", "This list is what hides you: send unavailable presence before declining it."},
	"privacy-other-list":   {"cancel", "not-allowed", "While you are hidden no other privacy list can be used."},
	"privacy-default-list": {"cancel", "not-allowed", "While you are hidden the default privacy list cannot be changed."},
}
