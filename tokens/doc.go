// Package tokens issues the secrets that XMPP and SIP servers accept as
// passwords, and answers whether one is right.
//
// A credential belongs to one account, and if temporary to one browser session.
// What lives how long:
//
//   - A temporary or internal credential waits 2 minutes for its first use
//     (Unused). It dies 10 seconds after its first success (AfterUse), within
//     which the server may ask again. Then it is refused for ever. A server that
//     verifies JWTs by itself (Config.JWTKey) does not tell of the success: there
//     it is good for the whole 2 minutes.
//   - A device's password lives until it is revoked. It is refused while the
//     account is: by Mastodon (accounts.suspended_at), by the admin
//     (BlockAccount), or because nobody could say for longer than the grace
//     (accounts.trusted_until). When the account is well it works as before.
//   - An access token lives 60 seconds (AccessLife), and not longer than the
//     credential that it was had for.
//   - A revoked credential is refused from the moment that Revoke… returns,
//     whichever process is asked. Streams that hang on it are told of by
//     Config.OnRevoked, in every process that runs Run, within a second; those
//     of other servers by Feed and ClaimFeed.
//   - Dead rows are deleted by Run after a minute, revoked devices after 30 days,
//     the revocation feed is kept for a day.
//
// What never happens: a secret is stored (only HMAC-SHA-256 of it, under
// Config.Key, and for SIP devices alone the digests that their servers need),
// logged, or told a second time; a secret of one person opens another's account,
// or of one service another; "I cannot tell now" is told as "wrong": that is an
// error.
//
// Time and randomness come from Config alone. Rate limits, the names that Mastodon
// was asked about, and uses not yet written down are kept in this process's
// memory, which is bounded.
//
// Goroutines: none but the caller's of Run and the three that it starts and ends:
// one polls the feed, calls OnRevoked, notes uses and deletes dead rows, two ask
// Mastodon what nobody waits for.
package tokens
