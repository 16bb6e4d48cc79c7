//go:build !unix

package gateway

import "errors"

// rawIO says that a descriptor can be read and written as it is.
const rawIO = false

// descriptor stands in for what this system does not have.
type descriptor uintptr

var errNoDescriptor = errors.New("gateway: no plain descriptors here")

func (descriptor) Read([]byte) (int, error)  { return 0, errNoDescriptor }
func (descriptor) write([]byte) (int, error) { return 0, errNoDescriptor }
