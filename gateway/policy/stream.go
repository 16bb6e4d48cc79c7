package policy

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/trunkline-chat/trunkline/gateway/framing"
)

// Consent is what the person agreed to show. The zero value shows nothing.
type Consent struct {
	Presence bool `json:"presence"` // to their contacts
	Typing   bool `json:"typing"`   // XEP-0085, XEP-0301
	Receipts bool `json:"receipts"` // XEP-0184, XEP-0333
}

// Identity is whose stream it is.
type Identity struct {
	Account string `json:"account"` // opaque account id
	Bare    string `json:"bare"`    // bare JID
	Domain  string `json:"domain"`  // XMPP domain
}

// Config is what New needs.
type Config struct {
	Identity
	Consent
	Aware bool // the client walks the steps of a change of consent itself (?consent=walk)

	Commands *Commands // ad-hoc commands that are refused; nil: none
	Rand     io.Reader // for ids that no other client can guess; read once, 16 bytes
}

// Action is what the caller has to do with the element it asked about.
type Action int

// The actions. Whatever the action, the caller writes Verdict.Inject to the server first, in order.
const (
	Pass    Action = iota // hand the element on as it is
	Replace               // hand Verdict.Frame on in its place: one stanza for one stanza, but that a request may follow the bind
	Swallow               // hand nothing on; only from the server, and only before it has told the client of the bind
	End                   // end the stream with Verdict.Condition and Verdict.Text
)

// Verdict is the answer about one element.
type Verdict struct {
	Action    Action
	Frame     []byte            // Replace: goes the way the element was going
	Inject    [][]byte          // for the server, before anything else; only between the bind and its result
	Reason    string            // stable label for metrics and logs: the name of the rule; "" for a plain Pass
	Condition framing.Condition // End
	Text      string            // End: plain words
	Then      Transition        // once the element is handed on: Nothing, or EndStream because whom the person blocks has changed
}

// Transition is what SetConsent, or a Verdict, asks of the caller.
type Transition int

// The transitions. The new consent is in force with any of them.
const (
	Nothing   Transition = iota // all is well
	AwaitWalk                   // end the stream with framing.Reset unless Settled within the time for walking
	EndStream                   // end the stream now with framing.Reset, towards the server properly, so that it does not hibernate
)

// Stream is the policy of one stream. Every method may be called from any goroutine; the verdicts for one direction must be
// asked for and carried out in the order of the elements.
type Stream struct {
	mu       sync.Mutex
	state    state
	aware    bool
	commands *Commands
	nonce    string // in every id of the gateway's own
	phase    phase
	bound    *framing.Element // a copy of the bind result that waits for the list
	bind     string           // id of the client's bind request
	arm      arming
	blocking []string // ids of the client's requests to block and unblock, until their answer
	last     address  // that a stanza of the client went to
	wide     folded   // whose stream it is
}

// phase is how far the stream has come.
type phase int

const (
	fresh   phase = iota // logged in; nothing but bind and resume
	binding              // the server has the request
	armed                // bound, the list is on its way, the client has not heard yet
	running
)

// New makes the policy of a stream whose client has logged in; what came before was not for it to judge, save for the
// features that FromServer trims. Errors: an identity that is not a JID, Rand failing.
func New(c Config) (*Stream, error) {
	id, err := c.Identity.normal()
	if err != nil {
		return nil, fmt.Errorf("policy: identity: %w", err)
	}
	var nonce [16]byte
	if _, err := io.ReadFull(c.Rand, nonce[:]); err != nil {
		return nil, fmt.Errorf("policy: ids: %w", err)
	}
	s := &Stream{aware: c.Aware, commands: c.Commands, nonce: hex.EncodeToString(nonce[:])}
	s.state = state{Version: stateVersion, Identity: id, Consent: c.Consent}
	s.state.Directed = map[string]directed{}
	s.wide = foldAddress(id.Bare, id.Domain)
	return s, nil
}

// SetConsent changes the consent of the live stream and says what the caller has to do.
func (s *Stream) SetConsent(c Consent) Transition {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := c.Presence != s.state.Consent.Presence
	s.state.Consent = c
	s.state.Declined = s.state.Declined && !c.Presence // who hides again has to walk
	switch {
	case !changed || s.phase < armed:
		return Nothing
	case !s.aware:
		return EndStream
	case s.settled():
		return Nothing
	}
	return AwaitWalk
}

// Settled reports whether what the server shows of this stream agrees with the consent: hidden means that contacts see
// nothing and messages arrive live if they can, or the client is not present and has declined the list for a while; shown means that nothing holds presence back any more.
func (s *Stream) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled()
}

func (s *Stream) settled() bool {
	if s.hidden() {
		return !s.visible() && (s.state.ListActive || s.state.NoLists || s.state.Declined && !s.state.Present)
	}
	return !s.state.ListActive && !s.state.Held
}

// hidden reports whether presence has to stay here.
func (s *Stream) hidden() bool { return !s.state.Consent.Presence }

// visible reports whether a contact may have seen this stream and not have seen it leave.
func (s *Stream) visible() bool {
	if s.state.Shown {
		return true
	}
	for _, kind := range s.state.Directed {
		if kind == person {
			return true
		}
	}
	return false
}

// Waiting reports whether the client's elements have to wait: the bind is with the server, or the list is.
func (s *Stream) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == binding || s.phase == armed
}

// Consent returns the consent in force.
func (s *Stream) Consent() Consent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Consent
}

// JID returns the full JID that the server bound, "" before.
func (s *Stream) JID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.JID
}
