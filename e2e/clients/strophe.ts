import { $iq, $msg, $pres, Strophe, type SMState } from 'strophe.js';
import { NS, type BrowserSocket, type ChatClient, type Message, type Page } from './client.ts';

type Connection = InstanceType<typeof Strophe.Connection>;

/** strophe.js 5. Coming back after a cut is the application's to do. */
export class StropheClient implements ChatClient {
  readonly heard: Message[] = [];
  resumed = 0;
  readonly #page: Page;
  readonly #connection: Connection;
  #stopped = false;
  #up: () => void = () => undefined;
  #down: (error: Error) => void = () => undefined;

  constructor(page: Page, socket: BrowserSocket) {
    globalThis.WebSocket = socket as unknown as typeof globalThis.WebSocket; // strophe has put its own there
    this.#page = page;
    this.#connection = new Strophe.Connection(page.url, { enableStreamManagement: true, streamManagement: { maxUnacked: 1 } });
    Strophe.setLogLevel(Strophe.LogLevel.FATAL);
  }

  async login(): Promise<void> {
    const there = new Promise<void>((ok, fail) => {
      this.#up = ok;
      this.#down = fail;
    });
    await this.#connect();
    await there;
  }

  async #connect(): Promise<void> {
    const { jid, password } = await this.#page.credentials();
    if (this.#stopped) return;
    this.#connection.connect(jid, password, (status: number) => this.#status(status));
  }

  #status(status: number): void {
    const S = Strophe.Status;
    if (status === S.CONNECTED) {
      // Handlers live as long as a connection.
      this.#connection.addHandler((el) => this.#message(el), null, 'message', null);
      if (this.#connection.hasResumed()) this.resumed += 1;
      else this.#connection.send($pres());
      this.#up();
    } else if (status === S.AUTHFAIL) {
      this.#down(new Error('the password was refused'));
    } else if (status === S.DISCONNECTED && !this.#stopped) {
      this.#again();
    }
  }

  #again(): void {
    setTimeout(() => void this.#connect().catch(() => this.#again()), 200);
  }

  #message(el: Element): true {
    const body = el.getElementsByTagName('body')[0]?.textContent;
    if (body && el.getAttribute('type') === 'chat') this.heard.push({ id: el.getAttribute('id') ?? '', body });
    return true;
  }

  say(to: string, body: string): void {
    this.#connection.send($msg({ to, type: 'chat', id: this.#connection.getUniqueId('m') }).c('body').t(body));
  }

  unacknowledged(): number {
    const sm = this.#connection.sm as { state: SMState } | undefined; // its own type is not exported
    return sm?.state.unacked.length ?? NaN;
  }

  async archive(withWhom: string): Promise<Message[]> {
    const found: Message[] = [];
    const handler = this.#connection.addHandler((el) => {
      const message = el.getElementsByTagNameNS(NS.FORWARD, 'forwarded')[0]?.getElementsByTagName('message')[0];
      const body = message?.getElementsByTagName('body')[0]?.textContent;
      if (body) found.push({ id: message.getAttribute('id') ?? '', body });
      return true;
    }, NS.MAM, 'message', null);
    const query = $iq({ type: 'set', id: this.#connection.getUniqueId('mam') }).c('query', { xmlns: NS.MAM })
      .c('x', { xmlns: NS.FORM, type: 'submit' })
      .c('field', { var: 'FORM_TYPE', type: 'hidden' }).c('value').t(NS.MAM).up().up()
      .c('field', { var: 'with' }).c('value').t(withWhom).up().up().up()
      .c('set', { xmlns: NS.RSM }).c('max').t('100');
    await new Promise((ok, fail) => {
      this.#connection.sendIQ(query, ok, (el) => fail(new Error(`the archive is refused: ${el?.outerHTML ?? 'no answer'}`)), 30_000);
    });
    this.#connection.deleteHandler(handler);
    return found;
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#connection.disconnect('');
    return Promise.resolve();
  }
}
