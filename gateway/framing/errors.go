package framing

import "errors"

// Condition is a stream error condition of RFC 6120 §4.9.3, as its element name.
type Condition string

// The conditions of RFC 6120.
const (
	BadFormat              Condition = "bad-format"
	BadNamespacePrefix     Condition = "bad-namespace-prefix"
	Conflict               Condition = "conflict"
	ConnectionTimeout      Condition = "connection-timeout"
	HostGone               Condition = "host-gone"
	HostUnknown            Condition = "host-unknown"
	ImproperAddressing     Condition = "improper-addressing"
	InternalServerError    Condition = "internal-server-error"
	InvalidFrom            Condition = "invalid-from"
	InvalidNamespace       Condition = "invalid-namespace"
	InvalidXML             Condition = "invalid-xml"
	NotAuthorized          Condition = "not-authorized"
	NotWellFormed          Condition = "not-well-formed"
	PolicyViolation        Condition = "policy-violation"
	RemoteConnectionFailed Condition = "remote-connection-failed"
	Reset                  Condition = "reset"
	ResourceConstraint     Condition = "resource-constraint"
	RestrictedXML          Condition = "restricted-xml"
	SeeOtherHost           Condition = "see-other-host"
	SystemShutdown         Condition = "system-shutdown"
	UndefinedCondition     Condition = "undefined-condition"
	UnsupportedEncoding    Condition = "unsupported-encoding"
	UnsupportedFeature     Condition = "unsupported-feature"
	UnsupportedStanzaType  Condition = "unsupported-stanza-type"
	UnsupportedVersion     Condition = "unsupported-version"
)

// WebSocket close codes (RFC 6455 §7.4.1 and its registry) that follow a stream error.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseUnsupported = 1003 // a binary message: RFC 7395 §3.2 knows text only
	CloseInvalidData = 1007 // not the XML that RFC 7395 §3.3.3 asks for
	ClosePolicy      = 1008
	CloseTooBig      = 1009
	CloseInternal    = 1011
	CloseTryLater    = 1013
	CloseBadGateway  = 1014
)

// closeCodes is the one table from stream error to close code, and lists every condition there is.
var closeCodes = map[Condition]int{
	BadFormat:              CloseInvalidData,
	BadNamespacePrefix:     CloseInvalidData,
	Conflict:               CloseNormal,
	ConnectionTimeout:      ClosePolicy,
	HostGone:               CloseNormal,
	HostUnknown:            CloseNormal,
	ImproperAddressing:     ClosePolicy,
	InternalServerError:    CloseInternal,
	InvalidFrom:            ClosePolicy,
	InvalidNamespace:       CloseInvalidData,
	InvalidXML:             CloseInvalidData,
	NotAuthorized:          ClosePolicy,
	NotWellFormed:          CloseInvalidData,
	PolicyViolation:        ClosePolicy,
	RemoteConnectionFailed: CloseBadGateway,
	Reset:                  CloseNormal,
	ResourceConstraint:     CloseTryLater,
	RestrictedXML:          CloseInvalidData,
	SeeOtherHost:           CloseNormal,
	SystemShutdown:         CloseGoingAway,
	UndefinedCondition:     CloseNormal,
	UnsupportedEncoding:    CloseInvalidData,
	UnsupportedFeature:     ClosePolicy,
	UnsupportedStanzaType:  ClosePolicy,
	UnsupportedVersion:     CloseNormal,
}

// Known reports whether RFC 6120 §4.9.3 has the condition.
func (c Condition) Known() bool {
	_, ok := closeCodes[c]
	return ok
}

// CloseCode returns the WebSocket close code that goes with c: CloseNormal for what no standard knows.
func (c Condition) CloseCode() int {
	if code, ok := closeCodes[c]; ok {
		return code
	}
	return CloseNormal
}

// Error says why bytes are not a frame, and how the stream has to end for it.
type Error struct {
	Condition Condition // for the stream error
	Text      string    // plain words, for the stream error's text and for logs; holds nothing of the input
	Offset    int       // byte of the frame or element at which it was noticed
	CloseCode int       // for the WebSocket
}

func (e *Error) Error() string { return "framing: " + string(e.Condition) + ": " + e.Text }

// fail makes an Error whose close code comes from the table.
func fail(c Condition, offset int, text string) *Error {
	return &Error{Condition: c, Text: text, Offset: offset, CloseCode: c.CloseCode()}
}

// tooBig is the one PolicyViolation with a close code of its own.
func tooBig(offset int) *Error {
	return &Error{Condition: PolicyViolation, Text: "the stanza is too big", Offset: offset, CloseCode: CloseTooBig}
}

// ErrBinary is the error for a binary WebSocket message (RFC 7395 §3.2).
var ErrBinary = &Error{Condition: BadFormat, Text: "frames are text messages", CloseCode: CloseUnsupported}

// ErrNeedMore is what Splitter.Next returns when the bytes fed so far hold no further item.
var ErrNeedMore = errors.New("framing: need more bytes")
