/** Namespaces and the specifications they stand for. */
export const NS = {
  BLOCKED: "urn:xmpp:blocking:errors", // XEP-0191 §3.8
  CARBONS: "urn:xmpp:carbons:2", // XEP-0280
  CHAT_STATES: "http://jabber.org/protocol/chatstates", // XEP-0085
  CLIENT: "jabber:client", // RFC 6120
  DATA: "jabber:x:data", // XEP-0004
  DELAY: "urn:xmpp:delay", // XEP-0203
  FORWARD: "urn:xmpp:forward:0", // XEP-0297
  GATEWAY: "urn:trunkline:gateway:0",
  HINTS: "urn:xmpp:hints", // XEP-0334
  MAM: "urn:xmpp:mam:2", // XEP-0313
  MARKERS: "urn:xmpp:chat-markers:0", // XEP-0333
  PING: "urn:xmpp:ping", // XEP-0199
  PRIVACY: "jabber:iq:privacy", // XEP-0016
  RECEIPTS: "urn:xmpp:receipts", // XEP-0184
  ROSTER: "jabber:iq:roster", // RFC 6121 §2
  RSM: "http://jabber.org/protocol/rsm", // XEP-0059
  SID: "urn:xmpp:sid:0", // XEP-0359
  STANZAS: "urn:ietf:params:xml:ns:xmpp-stanzas", // RFC 6120 §8.3
} as const;
