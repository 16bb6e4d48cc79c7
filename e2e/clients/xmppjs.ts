import { client, xml, type Element, type XmppClient } from '@xmpp/client';
import { NS, type BrowserSocket, type ChatClient, type Message, type Page } from './client.ts';

/** @xmpp/client 0.14. It comes back by itself and asks for a password each time. */
export class XmppJsClient implements ChatClient {
  readonly heard: Message[] = [];
  resumed = 0;
  #page: Page;
  #xmpp: XmppClient | null = null;
  #inArchive: Message[] = [];

  constructor(page: Page, socket: BrowserSocket) {
    globalThis.WebSocket = socket as unknown as typeof globalThis.WebSocket;
    this.#page = page;
  }

  async login(): Promise<void> {
    const { jid } = await this.#page.credentials();
    const xmpp = client({
      service: this.#page.url,
      domain: jid.split('@')[1] ?? '',
      credentials: async (authenticate, mechanisms) => {
        const { jid, password } = await this.#page.credentials();
        await authenticate({ username: jid.split('@')[0] ?? '', password }, mechanisms[0] ?? '');
      },
    });
    this.#xmpp = xmpp;
    xmpp.on('error', () => undefined); // a cut is one; it reconnects
    xmpp.on('stanza', (stanza) => this.#stanza(stanza));
    xmpp.streamManagement.on('resumed', () => (this.resumed += 1));
    // "online" is every stream that was not resumed.
    xmpp.on('online', () => void xmpp.send(xml('presence')));
    await xmpp.start();
  }

  #stanza(stanza: Element): void {
    const forwarded = stanza.getChild('result', NS.MAM)?.getChild('forwarded', NS.FORWARD)?.getChild('message');
    if (forwarded) push(this.#inArchive, forwarded);
    else if (stanza.is('message') && stanza.attrs['type'] === 'chat') push(this.heard, stanza);
  }

  say(to: string, body: string): void {
    const message = xml('message', { to, type: 'chat', id: `m${String(Math.random()).slice(2)}` }, xml('body', {}, body));
    void this.#client.send(message).catch(() => undefined); // resent when the stream is resumed
  }

  unacknowledged(): number {
    return this.#client.streamManagement.outbound_q.length;
  }

  async archive(withWhom: string): Promise<Message[]> {
    this.#inArchive = [];
    await this.#client.iqCaller.request(xml('iq', { type: 'set' }, xml('query', { xmlns: NS.MAM },
      xml('x', { xmlns: NS.FORM, type: 'submit' },
        xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, NS.MAM)),
        xml('field', { var: 'with' }, xml('value', {}, withWhom))),
      xml('set', { xmlns: NS.RSM }, xml('max', {}, '100')))));
    return this.#inArchive;
  }

  async stop(): Promise<void> {
    await this.#xmpp?.stop();
  }

  get #client(): XmppClient {
    if (!this.#xmpp) throw new Error('not logged in');
    return this.#xmpp;
  }
}

function push(list: Message[], message: Element): void {
  const body = message.getChildText('body');
  if (body) list.push({ id: message.attrs['id'] ?? '', body });
}
