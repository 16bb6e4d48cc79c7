package policy

import (
	"io"

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
	Aware bool      // the client walks the steps of a change of consent itself (?consent=walk)
	Rand  io.Reader // for ids that no other client can guess; read once, 16 bytes
}

// Action is what the caller has to do with the element it asked about.
type Action int

// The actions. Whatever the action, the caller writes Verdict.Inject to the server first, in order.
const (
	Pass    Action = iota // hand the element on as it is
	Replace               // hand Verdict.Frame on in its place: one stanza for one stanza
	Swallow               // hand nothing on; only before <enable/> and only from the server
	End                   // end the stream with Verdict.Condition and Verdict.Text
)

// Verdict is the answer about one element.
type Verdict struct {
	Action    Action
	Frame     []byte            // Replace: goes the way the element was going
	Inject    [][]byte          // for the server, before anything else; only between bind and its result
	Reason    string            // stable label for metrics and logs, "" for a plain Pass
	Condition framing.Condition // End
	Text      string            // End: plain words
}

// Transition is what SetConsent asks of the caller.
type Transition int

// The transitions.
const (
	Nothing   Transition = iota // the new consent is in force
	AwaitWalk                   // in force; end the stream (EndFrames) unless Settled within the time for walking
	EndStream                   // in force; end the stream now with framing.Reset, properly, so that the session does not hibernate
)

// Stream is the policy of one stream. Every method may be called from any goroutine; the verdicts for one direction must be
// asked for and carried out in the order of the elements.
type Stream struct{}

// New makes the policy of a fresh stream, before its first element. Errors: an identity that is not a JID, Rand failing.
func New(c Config) (*Stream, error) { return &Stream{}, nil }

// FromClient judges an element of the browser. It never says Swallow: after the bind, each stanza leads to exactly one.
func (s *Stream) FromClient(e *framing.Element) Verdict { return Verdict{} }

// FromServer judges an element of the XMPP server: stream features are trimmed, the bind result is held until presence is
// safe, answers to substitutes become the stanza errors the client has to see.
func (s *Stream) FromServer(e *framing.Element) Verdict { return Verdict{} }

// SetConsent changes the consent of the live stream and says what the caller has to do.
func (s *Stream) SetConsent(c Consent) Transition { return Nothing }

// Settled reports whether what the server shows of this stream agrees with the consent.
func (s *Stream) Settled() bool { return true }

// Consent returns the consent in force.
func (s *Stream) Consent() Consent { return Consent{} }

// JID returns the full JID that the server bound, "" before.
func (s *Stream) JID() string { return "" }

// Snapshot returns the state that a resumption of the stream (XEP-0198) needs, as JSON without secrets.
func (s *Stream) Snapshot() ([]byte, error) { return nil, nil }

// Restore makes the policy of a resumed stream from a Snapshot and what holds now. Errors: ErrOtherAccount, ErrNarrower
// (presence consent was taken back since, and the session may still be shown), or a state that cannot be read. With any of
// them the resumption must be refused as <item-not-found/>.
func Restore(c Config, state []byte) (*Stream, error) { return &Stream{}, nil }
