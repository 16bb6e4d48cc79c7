package policy

import "errors"

// Why a stream may not be resumed.
var (
	ErrOtherAccount = errors.New("policy: the stream belongs to another account")
	ErrNarrower     = errors.New("policy: the consent is narrower than the stream's")
)
