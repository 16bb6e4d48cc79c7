// Package tokens issues the secrets that an XMPP server accepts as passwords,
// and answers whether one is right.
//
// A credential belongs to one account, and if temporary to one browser session.
// What lives how long:
//
//   - A temporary or internal credential waits 2 minutes for its first use
//     (Unused). It dies 10 seconds after its first success (AfterUse), within
//     which the server may ask again. Then it is refused for ever.
//   - A revoked credential is refused from the moment that Revoke… returns,
//     whichever process is asked. Streams that hang on it are told of by
//     Config.OnRevoked, in every process that runs Run, within a second.
//   - Dead rows are deleted by Run after a minute, the revocation feed is kept
//     for a day.
//
// What never happens: a secret is stored (only HMAC-SHA-256 of it, under
// Config.Key), logged, or told a second time; a secret of one person opens
// another's account; "I cannot tell now" is told as "wrong": that is an error.
//
// Time and randomness come from Config alone. Rate limits are counted in this
// process's memory, which is bounded.
//
// Goroutines: none but the caller's of Run, which polls the feed, calls
// OnRevoked and deletes dead rows until its context ends.
package tokens
