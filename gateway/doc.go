// Package gateway carries chat between browsers and an XMPP server: RFC 7395
// (one XML element per WebSocket message) on one side, RFC 6120 over TCP on the
// other. It also logs in by itself, as a person, for two short tasks: adding
// contacts, and ending a session that only the server still keeps.
//
// # What it promises
//
//   - What reaches the XMPP server has been parsed here, element by element,
//     and judged by gateway/policy. A frame that is not one well-formed element
//     ends the stream; nothing of it is passed on. A stanza over a limit of size
//     or form is not passed on either, and answered by a stanza error.
//   - Streams, accounts and addresses have rates. Who is faster is read from
//     later; only what would have to wait too long is refused. A right password
//     is never held back for the wrong ones of others.
//   - A browser can log in with SASL PLAIN and a secret that Credentials knows,
//     as nobody but itself. The secret is looked up, passed to the server, and
//     overwritten in the buffers that held it. What the gateway cannot overwrite is
//     the string that Credentials is asked with, and what TLS keeps of its own.
//   - A stream hangs on its credential, session and account from before the
//     server hears of the login. CloseCredential, CloseSession and CloseAccount
//     end it with a stream error, and the session at the server with it.
//   - Presence, typing and receipts leave only with consent, whatever client is
//     used; ConsentChanged returns when the live streams obey.
//   - XEP-0198 passes through, counts untouched. What a resumed stream needs is
//     kept by Resumptions under a hash of the SM id; a session whose state is
//     unknown, or which shows more than is agreed, is not resumed but ended. What
//     is kept never shows less than the server does: it is saved first.
//   - Memory per stream is bounded. A browser that reads too slowly, or is gone
//     without a word, is cut off so that it can resume. Buffers belong to
//     streams only while something is in them.
//
// # What it never does
//
// It stores no stanza and no secret, logs no stanza body, sends no plain
// password over a network unless the configuration says "insecure", and never
// drops or adds a stanza after <enable/>.
//
// # Goroutines
//
// ServeHTTP returns after the opening handshake; the stream lives on, with a
// reader for each side at most, no timer and, while nothing comes, no buffer:
//
//	reader   readBrowser, frames to the server
//	server   readServer, elements of the server to the browser; from <open/> on
//
// Each writes what it has read and judged itself, all that one read brought in
// one write, before it waits for more. On Linux one that has had nothing to read
// for a few seconds rests: it leaves its connection to resting and ends, so that
// a silent stream has no goroutine at all. The one goroutine of resting, which
// waits for all such connections, starts a reader anew when there is something
// for it to read; so does leave. On other systems both readers stay. Others come
// and go:
//
//	writeOn  writes what a connection did not take at once (queue), one for
//	         each side at most; it ends when that side has caught up
//	keep     saves the state that a resumption needs, while there is something
//	         to save, once a second at most if nobody sees what changed; refresh
//	         does it again after a long time
//	leave    ends the stream: it says goodbye to both sides, waits for all the
//	         goroutines above, and then tells the registry and done
//
// Any of them ends the stream by finish, which starts leave, once. After the
// goodbye start refuses new ones. Three timers (loginBy, until the login;
// grace and patience, for a few seconds) do nothing but finish.
//
// Run owns the pulse, which looks at all streams in turn, pings those that are
// silent and sends their readers to rest; resting; the watch, which asks after
// an XMPP server that is out of reach; and a few goroutines that end sessions.
// AddContacts owns one that reads the server's answers. A dial waits for the
// goroutines of its lookups and attempts. Own sessions (newOwnServer) may have a
// writeOn, which ends with their connection.
//
// # Locks
//
// The lock of a stream (mu) is held while a verdict is asked for and carried
// out, never while something waits for the network: carrying out means adding
// to a queue. Between the two it is let go while a step of the client's that shows
// it to more people is saved (keepFirst); the next verdict about its elements
// waits for that. Under it may be taken those of the policy, a queue, the registry,
// the hibernation (and under that the policy's), the guesses with their rows and
// tables, and keeping's with the stream's life, none of which waits. Those of the pulse and of
// resting are taken with none of these held. One lock is held during a wait:
// that of keeping (one), while the state is saved or deleted; mu may be taken under it.
// Only the goroutine that set a queue's busy, or the writeOn it starts, writes to
// the connection; it holds no lock while it does.
package gateway
