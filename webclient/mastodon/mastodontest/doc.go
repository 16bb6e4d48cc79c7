// Package mastodontest is a stand-in for a Mastodon server: the OAuth and API
// endpoints that Trunkline uses, the pages people see on the way (sign in, allow or
// deny), and the web app's shell that the launcher is embedded in. Everything is in
// memory; nothing federates.
//
// It comes in three modes that differ where the real servers do:
//
//   - "4.6": theming by attributes on <html>, userinfo, metadata, PKCE S256 only
//   - "4.3": theming by body classes, no userinfo, plain PKCE still accepted
//   - "gotosocial": no metadata, PKCE ignored, ULIDs, a paging link on the last
//     page, other error bodies, every login asks again. Its shell is the one of a
//     Mastodon front end served beside it, since the server itself has none.
//
// alice, bob and carol can sign in; everyone's password is "password". It is made
// for tests and demonstrations on a loopback address and protects nothing.
//
// Failures are switched on by methods (SetState, SetDown, RateLimitNext) or, with
// Options.Control, by POST /__control with the same words in JSON.
//
// A Server may be used by any number of goroutines. The only goroutine it starts is
// the one of Listen, which ends with the function that Listen returns.
package mastodontest
