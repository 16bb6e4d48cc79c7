package policy

import (
	"slices"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// What a client can make this package keep, and a Snapshot hold. As JSON a byte becomes six at worst.
const (
	maxAddress = 3071 // bytes of an address, RFC 7622 §3.1; what is longer is no address
	maxID      = 1024 // bytes of a stanza's id; what is longer ends the stream

	// maxReplaced bounds what is remembered of replaced stanzas, and maxReplacedBytes their ids and addresses. They are kept
	// after their answer, because a resumed stream hears the answer again; an answer to one that was forgotten reaches the
	// client as it is, to no request of its own, and the counts stay right.
	maxReplaced      = 128
	maxReplacedBytes = 8 << 10

	// maxDirected bounds the rooms of one stream, and maxDirectedBytes their addresses.
	maxDirected      = 256
	maxDirectedBytes = 64 << 10
)

// overlong is the end of a stream whose client sends a stanza with an id that nobody can keep for its answer.
func overlong(e *framing.Element) (Verdict, bool) {
	if len(e.ID()) <= maxID {
		return Verdict{}, false
	}
	return end(framing.PolicyViolation, "the id of a stanza is too long", "stanza-id"), true
}

// size is how much of what the client wrote is kept.
func (r *replaced) size() int { return len(r.ID) + len(r.To) }

// remember adds r, and forgets the oldest for which there is no room.
func (s *Stream) remember(r replaced) {
	sum := r.size()
	keep := len(s.state.Replaced)
	for ; keep > 0 && len(s.state.Replaced)-keep < maxReplaced-1; keep-- {
		if sum += s.state.Replaced[keep-1].size(); sum > maxReplacedBytes {
			break
		}
	}
	s.state.Replaced = append(slices.Delete(s.state.Replaced, 0, keep), r)
}

// crowded reports whether there is no room to remember that bare, which is not remembered yet, gets directed presence.
func (s *Stream) crowded(bare string) bool {
	if len(s.state.Directed) >= maxDirected {
		return true
	}
	sum := len(bare)
	for known := range s.state.Directed {
		sum += len(known)
	}
	return sum > maxDirectedBytes
}
