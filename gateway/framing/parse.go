package framing

// ParseFrame reads one browser frame: exactly one element that declares every namespace it uses (RFC 7395 §3.3.3).
// White space after the element is allowed and left out of Raw; nothing may stand before it. Raw shares memory with b.
// The error is always an *Error.
func ParseFrame(b []byte, l Limits) (*Element, error) { return nil, fail(NotWellFormed, 0, "not yet") }
