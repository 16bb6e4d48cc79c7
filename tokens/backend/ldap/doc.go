// Package ldap is the front for servers that ask a directory: a read-only
// LDAPv3 server (RFC 4511) in which each person is one entry, uid=NAME below
// the base, and whose passwords are Trunkline's.
//
// What it does: simple bind as the service account, which may search, or as a
// person, whose password the Core judges; search for exactly one uid, alone or
// in an "and" with tests for objectClass; reading a person's entry or the root
// DSE; unbind; StartTLS; "Who am I?" (RFC 4532). Abandon is ignored, because
// operations run one after another. Everything else is refused.
//
// Promises:
//
//   - "Cannot tell now" is busy or unavailable, never invalidCredentials and
//     never an empty result.
//   - A name without a password is refused (RFC 4513 section 5.1.2); nobody who
//     has not bound reads anything but the root DSE; a person reads only herself.
//   - Who has bound as a person is that person for a minute; then the connection
//     ends with a notice of disconnection (RFC 4511 section 4.4.1), or, if it was
//     the service account's before, is nobody's. A password that was revoked does
//     nothing for longer than that.
//   - What a client may take is bounded: bytes and nesting of a message, the time
//     for it to arrive, connections, operations and idle time of a connection that
//     is not the service account's. Who holds connections without binding as the
//     service account makes room for who comes next.
//   - No password is logged.
//
// Messages are decoded and encoded by go-asn1-ber, names by go-ldap.
//
// Goroutines: the caller's of Serve, which accepts, and one for each
// connection. Serve returns when all of its connections have ended.
package ldap
