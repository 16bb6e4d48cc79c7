import { createRequire } from 'node:module';
import { createClient, type Agent } from 'stanza';
import type { BrowserSocket, ChatClient, Message, Page } from './client.ts';

// stanza has one WebSocket for Node.js, which sends no Origin, and asks for no other.
const platform = createRequire(import.meta.url)('stanza/platform/node') as { WebSocket: unknown };

/** stanza 12. It comes back by itself; a new password is given to it when the old connection is gone. */
export class StanzaClient implements ChatClient {
  readonly heard: Message[] = [];
  resumed = 0;
  #page: Page;
  #agent: Agent | null = null;

  constructor(page: Page, socket: BrowserSocket) {
    platform.WebSocket = socket;
    this.#page = page;
  }

  async login(): Promise<void> {
    const { jid, password } = await this.#page.credentials();
    const agent = createClient({ jid, password, autoReconnect: true, maxReconnectBackoff: 1, transports: { websocket: this.#page.url, bosh: false } });
    this.#agent = agent;
    agent.on('message', (message) => {
      if (message.body && message.type === 'chat') this.heard.push({ id: message.id ?? '', body: message.body });
    });
    agent.on('stream:management:resumed', () => (this.resumed += 1));
    agent.on('disconnected', () => void this.#renew());
    await new Promise<void>((ok, fail) => {
      agent.once('session:started', () => {
        agent.sendPresence();
        ok();
      });
      agent.once('auth:failed', () => fail(new Error('the password was refused')));
      agent.connect();
    });
  }

  async #renew(): Promise<void> {
    try {
      const { password } = await this.#page.credentials();
      this.#agent?.updateConfig({ credentials: { password } });
    } catch {
      // The page cannot be reached now; the next attempt asks again.
    }
  }

  say(to: string, body: string): void {
    this.#client.sendMessage({ to, body, type: 'chat' });
  }

  unacknowledged(): number {
    return this.#client.sm.unacked.length;
  }

  async archive(withWhom: string): Promise<Message[]> {
    const { results } = await this.#client.searchHistory({ with: withWhom, paging: { max: 100 } });
    return (results ?? []).flatMap(({ item }) => {
      const { id, body } = item.message ?? {};
      return body ? [{ id: id ?? '', body }] : [];
    });
  }

  stop(): Promise<void> {
    const agent = this.#client;
    agent.updateConfig({ autoReconnect: false });
    agent.disconnect();
    return Promise.resolve();
  }

  get #client(): Agent {
    if (!this.#agent) throw new Error('not logged in');
    return this.#agent;
  }
}
