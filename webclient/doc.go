// Package webclient is the browser's HTTP side of Trunkline: signing in with
// Mastodon, the session, the JSON API of the panel, the import of follows, and
// the pages and scripts themselves.
//
// What it promises:
//
//   - A login is a row in the table logins. It ends once: by signing out, by its
//     idle or absolute lifetime, or because the instance no longer lets the person
//     in. Ending it revokes the credentials that were issued in it within five
//     seconds; a revocation that fails is tried again until it succeeds.
//   - The session cookie only names a login. It is HttpOnly, called
//     "__Host-trunkline_session" and Secure with https, "trunkline_session" on
//     loopback http; SameSite=Lax, or with Config.CrossSite SameSite=None and
//     Partitioned. The store holds a hash of the token. The token changes at each
//     login. No handler writes a session back when it returns, so none can
//     bring back one that was ended while it ran.
//   - A login that went to Mastodon is kept for ten minutes under a hash of its
//     state, bound to the browser by a cookie of its own, and works once. One
//     browser may have several.
//   - An account is bound to Mastodon's account id. The same name under another id
//     is refused until Server.Rebind.
//   - Mastodon tokens and our client secret are sealed with AES-256-GCM in the
//     database and reach neither a browser nor a log. A token is revoked at
//     Mastodon when neither a live login nor a device password of its account is
//     left, not before: Mastodon gives the same token to every login of one person.
//   - Whether an account may still be used is Mastodon's word, kept with its time in
//     accounts.standing, standing_at and trusted_until. A password for a panel needs
//     a yes of the last five minutes, or one within Config.Grace while Mastodon does
//     not answer; a device password is never made without. Who is not good any more
//     loses logins and streams at once and keeps their device passwords, which work
//     again when Mastodon says good again. Mastodon is asked about people with
//     streams and with device passwords again and again (watch.go), within its rate
//     limits, and tells of changes by webhooks, of which only bad news is believed.
//     A block by the admin here (accounts.blocked_at) is above all that.
//   - Consent is nobody/no/no until the person has said otherwise. Each change is
//     kept with its time and the version of the text that was shown.
//   - Whom a person follows and where they can be reached is taken from Mastodon
//     alone, never from the browser.
//   - An import is a job in the database. It survives a restart, adds nobody twice,
//     and tells for each person what became of them.
//   - State changes are accepted only from our own pages
//     (http.CrossOriginProtection); the API answers only to our own origin, always
//     in JSON, and never with a redirect.
//
// Goroutines: Server.Run owns the janitor, the watch over standings, the import
// runner and the import attempts it starts; it returns when all of them have ended. Telling the consent
// watcher happens in a goroutine that Run waits for as well. Handlers start none.
// Event streams end when their client goes, their login ends, or Run ends.
package webclient
