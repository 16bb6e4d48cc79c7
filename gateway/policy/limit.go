package policy

import "github.com/trunkline-chat/trunkline/gateway/framing"

// Limits for which a caller refuses a stanza, see Refuse.
const (
	LimitSize    = "limit-size"
	LimitForm    = "limit-form"    // depth, attributes, elements
	LimitStanzas = "limit-stanzas" // a rate
)

// limitReasons are what the stanza errors for them say.
var limitReasons = map[string]reason{
	LimitSize:    {"modify", "policy-violation", "This is too big to be sent."},
	LimitForm:    {"modify", "policy-violation", "This is nested too deeply, or has too many parts, to be sent."},
	LimitStanzas: {"wait", "resource-constraint", "Too much is being sent at once. Try again in a moment."},
}

// reasonOf is what the stanza error of a rule, or of a limit, says.
func reasonOf(rule string) reason {
	if why, ok := limitReasons[rule]; ok {
		return why
	}
	return reasons[rule]
}

// Refuse is the verdict about an element over a limit of the caller's, which is one of those above. In place of a stanza goes
// one that the server answers, and that answer becomes the stanza error (RFC 6120 §8.3.3.12, §8.3.3.18); an answer or an error
// is not answered (§8.3.1) and held. Nothing but the attributes of e counts. What is no stanza, or comes before the
// stream is bound, ends it, and so does an id that is too long.
func (s *Stream) Refuse(e *framing.Element, limit string) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.IsStanza() || s.phase < running {
		return end(framing.PolicyViolation, limitReasons[limit].text, limit)
	}
	if v, ok := overlong(e); ok {
		return v
	}
	if t := e.Type(); t == "error" || t == "result" && e.Name.Local == "iq" {
		return s.hold(limit)
	}
	return s.refuse(e, limit)
}
