/**
 * One XMPP stream to our account, whatever library carries it.
 *
 * A Transport is used for one stream after another: connect() starts one, `closed` ends it. Stream management
 * (XEP-0198) lives below: stanzas handed to send() while online are delivered at most once per session, and `acked`
 * tells which of them the server has. After a failed resumption nothing is sent again by itself: the layers above look
 * into the archive before they repeat anything.
 */
import type { Xml } from "./xmpp/xml.ts";

export interface Login {
  /** WebSocket URL. */
  readonly url: string;
  /** Bare JID. */
  readonly jid: string;
  readonly password: string;
}

/** How the gateway arranged delivery at bind: see state.Delivery. null: this account is visible. */
export type Hidden = "live" | "archive" | null;

export interface OnlineInfo {
  /** Full JID of this session. */
  readonly jid: string;
  /** The previous session goes on: roster, carbons, presence and the gateway's consent state are still in force. */
  readonly resumed: boolean;
  readonly hidden: Hidden;
  /** Ids of stanzas of a resumed session that the server has not acknowledged yet; they were sent again. */
  readonly unacked: readonly string[];
}

export type CloseReason =
  | "refused" // the server did not accept the credential
  | "conflict" // another connection took this session over
  | "revoked" // stream error not-authorized: the login behind it ended
  | "policy" // stream error policy-violation or reset: connect anew under the present consent
  | "shutdown" // the server goes down for a while
  | "lost"; // everything else: cut, time-out, error

export interface TransportEvents {
  online(info: OnlineInfo): void;
  /** The stream is gone, for whatever reason; once per connect(). */
  closed(reason: CloseReason): void;
  /** Any stanza that is not the transport's own business, in order of arrival. */
  stanza(x: Xml): void;
  /** The server has these stanzas (ids). */
  acked(ids: readonly string[]): void;
}

export interface Transport {
  connect(login: Login, on: TransportEvents): void;
  /** Only while online; otherwise ignored. */
  send(x: Xml): void;
  /** Asks for a sign of life now (waking up, network change); a dead stream is then reported within seconds. */
  probe(): void;
  /** Ends the session properly; it can not be resumed afterwards. Reports nothing more. */
  disconnect(): void;
  /** Drops the socket without ending the session, so that it can be resumed. Reports nothing more. */
  drop(): void;
}

/** Where a transport keeps what a resumption needs: opaque text, which may contain unsent messages. */
export interface ResumeStore {
  load(): string | null;
  save(state: string): void;
  clear(): void;
}
