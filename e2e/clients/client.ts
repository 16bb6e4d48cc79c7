import type { APIRequestContext } from '@playwright/test';
import WebSocket from 'ws';

/** A password as credentials_url hands it out: for one login, within two minutes. */
export interface Credentials {
  jid: string;
  password: string;
}

/** What a client needs from the page that it would live in. */
export interface Page {
  /** The gateway's address. */
  readonly url: string;
  /** Asks for a new password, with the cookie of whoever is signed in. */
  credentials(): Promise<Credentials>;
}

/** What somebody wrote to the client, or the client to somebody, by its id. */
export interface Message {
  readonly id: string;
  readonly body: string;
}

/** A chat client as its authors publish it, and the few lines that an application writes around it. */
export interface ChatClient {
  /** Connects, logs in, and is there for messages. It comes back by itself after a cut. */
  login(): Promise<void>;
  /** Sends at once, whatever the connection is like. */
  say(to: string, body: string): void;
  /** Everything that others have written so far, as often as it came. */
  readonly heard: readonly Message[];
  /** How often a stream was resumed (XEP-0198). */
  readonly resumed: number;
  /** How many of its stanzas the server has not acknowledged yet. */
  unacknowledged(): number;
  /** The archive of a conversation, from the beginning. */
  archive(withWhom: string): Promise<readonly Message[]>;
  stop(): Promise<void>;
}

/**
 * A WebSocket that does as browsers' do: it tells where its page comes from, and one event is over, promises
 * included, before the next. Without the latter @xmpp/client counts wrong when <enabled/> and a stanza arrive
 * together: it sets its count to zero a promise later, and a message is resent to it that it has had.
 */
export function webSocketOf(origin: string): BrowserSocket {
  return class extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols, { origin, allowSynchronousEvents: false });
    }
  };
}

export type BrowserSocket = new (address: string | URL, protocols?: string | string[]) => WebSocket;

/** The page of whoever is signed in with these cookies. */
export function pageOf(chat: string, request: APIRequestContext): Page {
  return {
    url: `${chat.replace(/^http/, 'ws')}/xmpp-websocket`,
    async credentials() {
      const answer = await request.get(`${chat}/api/v1/credentials`);
      if (!answer.ok()) throw new Error(`no password: ${String(answer.status())} ${await answer.text()}`);
      return await answer.json() as Credentials;
    },
  };
}

export const NS = {
  MAM: 'urn:xmpp:mam:2', RSM: 'http://jabber.org/protocol/rsm', FORM: 'jabber:x:data', FORWARD: 'urn:xmpp:forward:0',
};
