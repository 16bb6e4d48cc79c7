// Package framing turns bytes into frames and frames into bytes, in both directions of the gateway.
//
// Towards the browser a frame is one WebSocket text message holding exactly one XML element (RFC 7395 §3.3); towards the
// XMPP server the elements follow one another inside a stream (RFC 6120 §4). Parser and ParseFrame read the first kind, Splitter
// the second, and the Append functions write what the gateway itself has to say on either side.
//
// What the package promises:
//
//   - What it accepts is namespace-well-formed XML within the restrictions of RFC 6120 §11.1: no declaration, document
//     type, processing instruction, comment, or entity beyond the five, and only characters XML allows. An accepted frame is
//     one element, no more and no less, so that no other parser can see two stanzas where this one saw one.
//   - Names, prefixes and attribute values are decoded before anyone compares them.
//   - Parser and Splitter allocate nothing for a frame, and hold next to nothing while Released. The price: what they return,
//     strings included, lives until their next call only. ParseFrame returns what may be kept, and so does Element.Clone.
//     Under the race detector, or with the build tag poison, what is over is overwritten with nonsense.
//   - Its results depend on the bytes alone: no sockets, no clock, no globals that change. Splitter gives the same items and
//     the same error however the bytes were cut into reads.
//   - Work and memory are bounded by Limits and grow no faster than the input; nothing recurses with it.
//
// CDATA sections are read (RFC 6120 leaves them legal). Nothing in this package may be used from several goroutines at once,
// except an Element nobody changes.
package framing
