// Package stack runs what a person needs in order to chat, on loopback and in
// one folder: a Mastodon server (the stand-in of webclient/mastodon/mastodontest,
// or somebody's real one), a real Prosody, and the trunkline binary as a process
// of its own.
//
// The demo and the browser tests share it, so what a visitor of the demo sees is
// what the tests hold. Everything the stack starts ends with [Stack.Close]; the
// processes also end when this one dies. The folder keeps databases, chat
// archives, ports and keys, so a second start in the same folder goes on where
// the first one ended.
package stack
