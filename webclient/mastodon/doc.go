// Package mastodon is the part of Mastodon's API that Trunkline needs: signing a
// person in (OAuth 2.0 authorisation code with PKCE S256 and state), asking who
// they are, and reading whom they follow. It stands on go-mastodon and
// golang.org/x/oauth2 and adds what those leave open.
//
// What it promises:
//
//   - Every failure is one of the Err… kinds, found with errors.Is, or a
//     *RateLimitError. Kinds are told apart by HTTP status and OAuth error code;
//     texts are only looked at where Mastodon leaves no other mark.
//   - A call never waits out a rate limit: 429 comes back at once, with the time
//     to wait. Redirects are followed only within the instance's origin, answers
//     are bounded in size and time, and what is not JSON is ErrNotMastodon.
//   - Endpoints found in RFC 8414 metadata are used only if they are of the
//     instance's own origin. A paging link to another origin is refused.
//   - Secrets have the type Secret, which prints and logs as "[redacted]". No error
//     text holds one, even where the server echoes it.
//
// It works with servers that speak this API without being Mastodon: those without
// metadata, without PKCE, with other ids than numbers, with a paging link on the
// last page.
//
// A Client may be used by any number of goroutines. It starts none of its own.
package mastodon
