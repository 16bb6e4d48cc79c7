// Package mastodondb checks a password against Mastodon's own database. It is
// for admins who want people's Mastodon passwords to work in chat apps; nothing
// of it runs unless secrets.mastodon_db_url is set, and docs/mastodon-database.md
// says why device passwords are better.
//
// Promises:
//
//   - Only people whom Mastodon itself would let in: local, confirmed, approved,
//     neither disabled nor suspended, moved, memorial or deleted.
//   - People with a second factor are refused, and so are those whose role
//     demands one: a password alone must not open what they protected better.
//   - Who does not exist takes as long as who does: one bcrypt of the same cost.
//   - Two comparisons run at a time. Who does not get a turn within the deadline
//     is told that it cannot be told now.
//   - Nothing is written, and nothing is read but the columns that RoleSQL names. A
//     column that came with a later Mastodon and may not be read yet makes an
//     error, never a yes.
//   - No password and no hash is logged, kept, or part of an error.
//
// It does not throttle: whoever asks must, before asking.
//
// Goroutines: none but the caller's.
package mastodondb
