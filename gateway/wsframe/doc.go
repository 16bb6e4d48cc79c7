// Package wsframe is the part of RFC 6455 that a server needs once the opening
// handshake is done: Reader turns the bytes of a client into messages, the
// Append functions write frames for it.
//
// What it promises:
//
//   - It is strict: frames of a client are masked, reserved bits are zero,
//     lengths are written in their shortest form, control frames are short and
//     whole, fragments are in order, close codes are ones that may be sent. Text
//     is handed on as it came: whoever reads it has to look at its encoding,
//     which here the XML parser does.
//   - Its results depend on the bytes alone, however they were cut into reads:
//     no sockets, no clock.
//   - Memory is bounded by the limit given to Next, whatever comes between the
//     parts of a message, if Next is called until it needs more; and a Reader that waits at
//     the border of two frames holds none after Release.
//
// There are no extensions: no permessage-deflate, and so no bombs. Nothing in
// this package may be used from several goroutines at once.
package wsframe
