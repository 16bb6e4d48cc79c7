import { expect, type BrowserContext } from '@playwright/test';
import type { Stack } from './stack.ts';

/** Every secret that passes through the browsers it watches, to be looked for in the logs afterwards. */
export class Secrets {
  readonly #seen = new Map<string, string>();
  readonly #coming: Promise<void>[] = [];
  readonly #contexts: BrowserContext[] = [];

  /** To be called before the first page of a browser. */
  readonly watch = (context: BrowserContext): void => {
    this.#contexts.push(context);
    context.on('request', (request) => {
      const url = new URL(request.url());
      for (const name of ['code', 'state']) this.#note(name, url.searchParams.get(name));
    });
    context.on('response', (response) => {
      if (!response.ok()) return;
      const told = (what: string, secret: (body: Record<string, string>) => string | undefined): void => {
        this.#coming.push(response.json().then((body: Record<string, string>) => this.#note(what, secret(body))).catch(() => undefined)); // the page went away with it
      };
      if (response.url().endsWith('/api/v1/credentials')) told('password', ({ password }) => password);
      if (response.url().endsWith('/api/v1/devices')) told('device password', ({ secret }) => secret);
    });
  };

  #note(what: string, secret: string | null | undefined): void {
    if (secret && secret.length > 8) this.#seen.set(secret, what);
  }

  /** No log of the stack holds any of them. `atLeast` are the kinds that must have been seen for that to mean anything. */
  async areInNoLog(stack: Stack, atLeast: readonly string[]): Promise<void> {
    await Promise.all(this.#coming);
    for (const context of this.#contexts) {
      for (const { name, value } of await context.cookies()) if (name.startsWith('trunkline_')) this.#note('cookie', value);
    }
    for (const secret of stack.mastodonSecrets()) this.#note('token', secret);
    expect([...this.#seen.values()]).toEqual(expect.arrayContaining([...atLeast]));
    const logs = { trunkline: await stack.log(), prosody: await stack.control<string>('server/log') };
    for (const [who, log] of Object.entries(logs)) {
      expect(log.length, `${who} logs something`).toBeGreaterThan(0);
      for (const [secret, what] of this.#seen) expect(log.includes(secret), `a ${what} in the log of ${who}`).toBe(false);
    }
  }
}
