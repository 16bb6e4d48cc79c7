/** Addresses (RFC 7622), as far as a client must look into them; the server does the real preparation. */

/** Bare, lower-cased address. */
export function bare(jid: string): string {
  const slash = jid.indexOf("/");
  return (slash < 0 ? jid : jid.slice(0, slash)).toLowerCase();
}

export function localpart(jid: string): string {
  const at = jid.indexOf("@");
  return at < 0 ? jid : jid.slice(0, at);
}

export function domain(jid: string): string {
  return bare(jid).slice(bare(jid).indexOf("@") + 1);
}

/** True for a bare address, i.e. one without a resource. */
export function isBare(jid: string): boolean {
  return jid !== "" && !jid.includes("/");
}

const LOCAL = /^[^\s"&'/:<>@\u0000-\u001f\u007f]{1,256}$/; // RFC 7622 §3.3.1
const DOMAIN = /^(?=.{1,255}$)[\p{L}\p{N}]([\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u;

/**
 * Reads what a person typed as an address: `bob@social.example`, `@bob@social.example`, `xmpp:bob@…`, or
 * `bob`, which means somebody on `home`. Returns the bare JID, or "" if it is none.
 */
export function typed(input: string, home: string): string {
  const s = input.trim().toLowerCase().replace(/^xmpp:/, "").replace(/^@/, "");
  const at = s.indexOf("@");
  const local = at < 0 ? s : s.slice(0, at);
  const host = at < 0 ? home : s.slice(at + 1);
  return LOCAL.test(local) && DOMAIN.test(host) ? `${local}@${host}` : "";
}
