package wsframe

import "encoding/binary"

// MaxHeader is the longest header that AppendHeader writes.
const MaxHeader = 10

// AppendHeader writes the header of a whole, unmasked message whose payload of
// n bytes has to follow (RFC 6455 section 5.2). The payload of control frames
// is at most 125 bytes.
func AppendHeader(dst []byte, kind Kind, n int) []byte {
	dst = append(dst, finalBit|byte(kind))
	switch {
	case n < length16:
		return append(dst, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, length16), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, length64), uint64(n))
	}
}

// AppendClose writes a close frame (RFC 6455 section 5.5.1). NoStatus makes one
// without a code; a reason that does not fit is cut.
func AppendClose(dst []byte, code int, reason string) []byte {
	if code == NoStatus {
		return AppendHeader(dst, Close, 0)
	}
	reason = reason[:min(len(reason), maxControl-2)]
	dst = AppendHeader(dst, Close, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
