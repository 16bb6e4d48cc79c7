package policy

import (
	"encoding/json"
	"fmt"
)

// stateVersion changes when an older state cannot be read any more; a stream with another version is bound anew.
const stateVersion = 2

// state is what outlives the connection: what the server believes of the session. It holds no secrets and no content.
type state struct {
	Version int `json:"version"`
	Identity
	Consent  Consent `json:"consent"`
	JID      string  `json:"jid"`
	Sequence int     `json:"sequence"` // of the ids given out

	Present    bool `json:"present"`     // available presence passed and was not taken back
	Shown      bool `json:"shown"`       // and no list kept it from contacts
	Held       bool `json:"held"`        // available presence was last held back here
	ListSet    bool `json:"list_set"`    // the server confirmed our list
	ListActive bool `json:"list_active"` // and that it is active
	Declined   bool `json:"declined"`    // by the hidden client, which is not present meanwhile
	NoLists    bool `json:"no_lists"`    // the server has no privacy lists

	Blocks   blocks              `json:"blocks,omitzero"`
	Directed map[string]directed `json:"directed,omitempty"` // who got directed presence, by bare JID
	Replaced []replaced          `json:"replaced,omitempty"` // stanzas whose substitute has an answer, oldest first
}

// directed is what kind of address got directed presence.
type directed string

const (
	room   directed = "room"
	person directed = "person"
)

// Snapshot returns the state that a resumption of the stream (XEP-0198) needs, as JSON without secrets.
func (s *Stream) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(&s.state)
	if err != nil {
		return nil, fmt.Errorf("policy: snapshot: %w", err)
	}
	return b, nil
}

// Restore makes the policy of a resumed stream from a Snapshot and what holds now. Errors: ErrOtherAccount, ErrNarrower
// (there is no presence consent now, and contacts may still see the session), or a state that cannot be read. With any of
// them the resumption must be refused as <item-not-found/>.
func Restore(c Config, snapshot []byte) (*Stream, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	old := state{}
	if err := json.Unmarshal(snapshot, &old); err != nil {
		return nil, fmt.Errorf("policy: restore: %w", err)
	}
	switch {
	case old.Version != stateVersion:
		return nil, fmt.Errorf("policy: restore: state of version %d", old.Version)
	case old.Identity != s.state.Identity:
		return nil, ErrOtherAccount
	}
	old.Consent = s.state.Consent
	if old.Directed == nil {
		old.Directed = s.state.Directed
	}
	s.state, s.phase = old, running
	s.state.Declined = s.state.Declined && s.hidden()
	if s.hidden() && !s.settled() || s.state.Blocks.Changed {
		return nil, ErrNarrower
	}
	return s, nil
}
