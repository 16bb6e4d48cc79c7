// Package load is a crowd of XMPP clients in one thread: it logs many people in
// over RFC 7395 or over TCP, lets pairs of them talk, and measures.
//
// It shares no code with the gateway. Everything happens in the goroutine that
// calls the methods of a Loop, on epoll and one timer, so that as little as
// possible of a small machine goes into the measuring itself; what it does cost,
// the caller reads from its own process. Linux only.
//
// Every message is verified when it arrives: whose it is, that it is the next of
// its sender, and each byte of it. A message that is lost, doubled, out of order
// or changed ends the measurement with an error; there is no result then.
package load
