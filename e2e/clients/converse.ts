import { expect, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { answerMastodon } from '../support/person.ts';
import type { Stack } from '../support/stack.ts';

const EVENTS = ['signed-out', 'refused', 'waiting', 'stopped', 'connected'];

interface Kept { trunklineEvents?: string[] }

/** Converse.js 14 as contrib/converse serves it, in a browser of its own. */
export class ConversePage {
  /** Frames of all its WebSockets so far, both ways, "> " or "< " before each. */
  readonly frames: string[] = [];
  /** How often a password was asked for. */
  asked = 0;
  /** What the page was kept from doing by its Content-Security-Policy, and other complaints. */
  readonly complaints: string[] = [];

  private constructor(readonly stack: Stack, readonly context: BrowserContext, readonly page: Page) {}

  /** Opens the page; prepare may change the browser before. */
  static async open(browser: Browser, stack: Stack, prepare?: (page: Page) => Promise<unknown>): Promise<ConversePage> {
    return this.tab(await browser.newContext({ viewport: { width: 1280, height: 800 } }), stack, prepare);
  }

  /** Opens the page in a new tab of a browser: it shares the cookies, and what the page has stored is not in it. */
  static async tab(context: BrowserContext, stack: Stack, prepare?: (page: Page) => Promise<unknown>): Promise<ConversePage> {
    const page = await context.newPage();
    const here = new ConversePage(stack, context, page);
    await page.addInitScript((names) => {
      const kept = window as Kept;
      for (const name of names) addEventListener(`trunkline:${name}`, () => (kept.trunklineEvents ??= []).push(name));
    }, EVENTS);
    page.on('request', (request) => {
      if (request.url().endsWith('/api/v1/credentials')) here.asked += 1;
    });
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => here.frames.push(`> ${String(payload)}`));
      socket.on('framereceived', ({ payload }) => here.frames.push(`< ${String(payload)}`));
    });
    page.on('response', (response) => {
      if (response.status() === 503) void response.text().then((text) => here.complaints.push(`503 ${response.url()} ${text}`));
    });
    page.on('console', (line) => {
      if (line.type() === 'error') here.complaints.push(line.text());
    });
    page.on('pageerror', (error) => here.complaints.push(error.message));
    await prepare?.(page);
    await page.goto(`${stack.addresses.chat}/converse/`);
    return here;
  }

  /** What the plugin has told the page since it was loaded, in order. */
  async events(): Promise<readonly string[]> {
    return this.page.evaluate(() => (window as Kept).trunklineEvents ?? []);
  }

  async told(name: string): Promise<number> {
    return (await this.events()).filter((event) => event === name).length;
  }

  get notice(): Locator {
    return this.page.locator('#notice');
  }

  /** Logs in by the page's own button. */
  async logIn(name: string): Promise<void> {
    const popup = this.page.waitForEvent('popup');
    await this.notice.getByRole('button', { name: 'Log in' }).click();
    await answerMastodon(await popup, name);
  }

  async connected(): Promise<void> {
    await expect(this.notice).toBeHidden();
    await expect(this.page.locator('body')).toHaveClass('connected');
  }

  /** Opens the conversation with somebody of the contacts. */
  async talkTo(name: string): Promise<void> {
    await this.page.locator('converse-roster').getByText(`${name}@social.example`).first().click();
    await expect(this.composer).toBeVisible();
  }

  get composer(): Locator {
    return this.page.locator('converse-message-form textarea');
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** The messages of the open conversation, from the top. */
  async shown(): Promise<readonly string[]> {
    return this.page.locator('converse-chat-message-body').allInnerTexts();
  }

  /**
   * Waits until the conversation consists of these messages, each once. Not in which order: it sorts by the time
   * that the server says, and Prosody says whole seconds of what it kept for a session that was cut.
   */
  async shows(texts: readonly string[]): Promise<void> {
    const shown = async (): Promise<string[]> => (await this.shown()).map((text) => text.trim()).sort();
    await expect.poll(shown, { message: 'the conversation', timeout: 30_000 }).toEqual([...texts].sort());
  }

  sent(what: RegExp): number {
    return this.frames.filter((frame) => frame.startsWith('> ') && what.test(frame)).length;
  }

  received(what: RegExp): number {
    return this.frames.filter((frame) => frame.startsWith('< ') && what.test(frame)).length;
  }

  /**
   * Lets the page's own time go on, for a page whose clock is installed, in steps of so many seconds: in a step
   * whatever is due happens once, and what the page asks then is answered before the next.
   */
  async minutes(n: number, step = 20): Promise<void> {
    for (let seconds = 0; seconds < n * 60; seconds += step) {
      await this.page.clock.fastForward(step * 1000);
      await this.page.evaluate(async () => (await fetch('/nothing-here')).status);
    }
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
