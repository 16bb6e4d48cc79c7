// Package gateway carries chat between browsers and an XMPP server: RFC 7395
// (one XML element per WebSocket message) on one side, RFC 6120 over TCP on the
// other. It also logs in by itself, as a person, for two short tasks: adding
// contacts, and ending a session that only the server still keeps.
//
// # What it promises
//
//   - What reaches the XMPP server has been parsed here, element by element,
//     and judged by gateway/policy. A frame that is not one well-formed element
//     ends the stream; nothing of it is passed on.
//   - A browser can log in with SASL PLAIN and a secret that Credentials knows,
//     as nobody but itself. The secret is looked up once, passed to the server,
//     and overwritten in the buffers that held it.
//   - A stream hangs on its credential, session and account from before the
//     server hears of the login. CloseCredential, CloseSession and CloseAccount
//     end it with a stream error, and the session at the server with it.
//   - Presence, typing and receipts leave only with consent, whatever client is
//     used; ConsentChanged returns when the live streams obey.
//   - XEP-0198 passes through, counts untouched. What a resumed stream needs is
//     kept by Resumptions under a hash of the SM id; a session whose state is
//     unknown, or which shows more than is agreed, is not resumed but ended.
//   - Memory per stream is bounded. A browser that reads too slowly, or is gone
//     without a word, is cut off so that it can resume.
//
// # What it never does
//
// It stores no stanza and no secret, logs no stanza body, sends no plain
// password over a network unless the configuration says "insecure", and never
// drops or adds a stanza after <enable/>.
//
// # Goroutines
//
// Each stream has four, and ServeHTTP returns when all have ended:
//
//	reader   net/http's own: readBrowser, frames to the server
//	writer   browser.write, queued frames to the browser
//	server   readServer, elements of the server to the queue; from <open/> on
//	watch    clock, pings, saving; it alone ends the stream (goodbye)
//
// Any of them ends the stream by finish, which only tells watch. Two timers
// (grace, patience) do nothing but finish. Run owns a few goroutines that end
// sessions; AddContacts one that reads the server's answers.
//
// The lock of a stream is held while a verdict is asked for and carried out,
// never while something waits for the network.
package gateway
