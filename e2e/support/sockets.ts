import { expect, type Page, type WebSocket } from '@playwright/test';

interface Socket {
  readonly heard: string[];
  closedAt: number;
}

/** The WebSockets of a page, its frames included: what came over them and when they closed. */
export class Sockets {
  readonly #all: Socket[] = [];

  constructor(page: Page) {
    page.on('websocket', (ws: WebSocket) => {
      const socket: Socket = { heard: [], closedAt: 0 };
      this.#all.push(socket);
      ws.on('framereceived', ({ payload }) => socket.heard.push(String(payload)));
      ws.on('close', () => (socket.closedAt = Date.now()));
    });
  }

  get open(): number {
    return this.#all.filter((socket) => socket.closedAt === 0).length;
  }

  /** Everything that came over the newest one. */
  get heard(): string {
    return this.#all.at(-1)?.heard.join('\n') ?? '';
  }

  /** Waits until none is open and checks that the last one was closed within five seconds of `since`. */
  async closedInTime(since: number): Promise<void> {
    await expect.poll(() => this.open, { message: 'open WebSockets' }).toBe(0);
    const last = Math.max(...this.#all.map((socket) => socket.closedAt));
    expect(last, 'there was one').toBeGreaterThan(0);
    expect(last - since, 'milliseconds until the WebSocket was closed').toBeLessThanOrEqual(5_000);
  }
}
