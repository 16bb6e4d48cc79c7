// Package policy decides what may pass through one stream of the gateway. It is pure: parsed elements in, verdicts out; the
// gateway carries them out.
//
// What the package promises, whatever the client is and does:
//
//   - Without presence consent no presence reaches a contact, and nothing that a client sends by itself tells another person
//     that it is online: no answer to their IQ, no bounce, no "ringing", no activity. What the person does on purpose passes:
//     messages, joining a room (which then sees them), and, while the client is not present, subscription requests.
//   - Typing and receipts leave only with their own consent, also when presence is shown.
//   - A hidden stream gets its messages live where the server has XEP-0016: right after the bind, and before the client
//     hears of it, a list is set and activated that keeps presence from subscribers. The bind result then holds
//     <hidden xmlns='urn:trunkline:gateway:0' delivery='live'/>. Where there is no such list presence is held back
//     altogether, and delivery is 'archive'.
//   - Who is blocked (XEP-0191) stays so behind that list. Where the server keeps blocks in lists it repeats them, and once they
//     change a hidden stream ends, when the client has heard of the change.
//   - What that list would make vanish, or what would show a present session, is refused with a reason. The way through, for every
//     client: unavailable presence, decline the list, the stanzas, activate the list, presence.
//   - After the bind each stanza of the client leads to exactly one stanza for the server, and each of the server to exactly
//     one for the client, because XEP-0198 counts on both sides. What may not leave is replaced by an IQ that the server
//     counts and ignores, or, where the client needs to know, by one that it answers with an error; that answer is
//     turned into the stanza error the client sees.
//   - Nothing is believed because of how it is written: addresses are compared after normalisation (RFC 7622), and an address that
//     cannot be read, or that some server may read as the account's own or its domain's, counts as both: another person's, and the
//     account's. Servers prepare addresses by stringprep, see fold.
//
// What it cannot see:
//
//   - what is encrypted end to end, what the person writes, and what other clients of theirs do that do not come through the gateway;
//   - whether a room is one. A full JID at another domain that is joined like a room counts as a room, and gets what rooms get:
//     presence, answers, errors. A client that joins a person shows itself to them;
//   - subscriptions. What is refused because some contact could see it is refused for all;
//   - the person's other streams. Blocking or removing somebody makes some servers tell them that each present session leaves,
//     hidden ones included; contrib/prosody keeps Prosody from it;
//   - how the connection to the server ends. Farewell is for orderly ends; when the gateway itself dies only the server can keep
//     quiet, as Prosody does with contrib/prosody, and nobody tells who got directed presence alone.
//
// The rules are rows of tables, in the files of the stanza they are about: presence.go, message.go, iq.go, privacy.go.
package policy
