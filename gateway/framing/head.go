package framing

import (
	"bytes"
	"math"
)

// headLimits bound what Head reads: more attributes than ParseFrame takes from a client, because they may be what is too
// much, but not so many that looking through their namespaces takes long.
var headLimits = Limits{MaxBytes: math.MaxInt, MaxDepth: 1, MaxAttrs: 1024, MaxElements: 1, TreeDepth: 1, Trusted: true}

// Head reads the start tag that b begins with, as an element of its own without content. It is for frames over a limit
// whose sender is to be told so. Nothing of it may be passed on: the rest of the frame may be anything, and an attribute
// may be there twice. It copies b. The error is always an *Error.
func Head(b []byte) (*Element, error) {
	end := startTagEnd(b)
	if end < 0 {
		return nil, fail(NotWellFormed, len(b), "a start tag that does not end")
	}
	tag := bytes.TrimSuffix(b[:end], []byte("/"))
	return ParseFrame(append(append(make([]byte, 0, len(tag)+2), tag...), "/>"...), headLimits)
}

// startTagEnd is where the '>' of the start tag is that b begins with, -1 if there is none.
func startTagEnd(b []byte) int {
	quote := byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}
