package policy

import (
	"maps"
	"slices"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Farewell returns what the server has to get before the stream ends for good, as bytes of a jabber:client stream, because by
// itself it would tell contacts the wrong thing of the end. Nil where it gets that right: it tells of a session that is present
// to whom it told of its presence. It does not
//
//   - when presence is behind the list, which does not outlive the session everywhere; on Prosody contacts would see somebody
//     leave who never came. So the leave goes behind the list, too;
//   - when the session is not present, but somebody got directed presence (RFC 6121 §4.6.3 asks for it): ejabberd tells nobody
//     then, Prosody no contact. They are told one by one, and the list, if there is one, keeps from them what it kept before.
//
// Rooms notice by themselves. After it the counts of XEP-0198 are not right any more: nothing may be resumed.
func (s *Stream) Farewell() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state.Present && s.state.ListActive:
		return appendLeave(nil, "")
	case s.state.Present:
		return nil
	}
	var b []byte
	for _, bare := range slices.Sorted(maps.Keys(s.state.Directed)) {
		if s.state.Directed[bare] == person {
			b = appendLeave(b, bare)
		}
	}
	if s.state.Shown { // to somebody who was not remembered here
		b = appendLeave(b, "")
	}
	return b
}

// appendLeave adds unavailable presence, to everybody if to is "".
func appendLeave(b []byte, to string) []byte {
	b = append(b, "<presence xmlns='"+framing.NSClient+"' type='unavailable'"...)
	if to != "" {
		b = framing.AppendAttr(b, "to", to)
	}
	return append(b, "/>"...)
}
