//go:build !linux

package gateway

import "context"

// resting does nothing here: silent streams keep their goroutines.
type resting struct{}

func (*resting) run(context.Context) error         { return nil }
func (*resting) ticket() uint64                    { return 0 }
func (*resting) rest(uint64, uintptr, func()) bool { return false }
func (*resting) wake(uint64)                       {}
