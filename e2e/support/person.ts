import { expect, type Browser, type BrowserContext, type Frame, type FrameLocator, type Locator, type Page } from '@playwright/test';
import type { Stack } from './stack.ts';

export interface PersonOptions {
  viewport?: { width: number; height: number };
  colorScheme?: 'light' | 'dark';
  /** A browser that knows no policies, so that none of them covers for a mistake of ours. */
  bypassCSP?: boolean;
  /** Where on the Mastodon page to arrive, for example `/@bob/1`. */
  path?: string;
  /** What to do with the browser before its first page. */
  prepare?: (context: BrowserContext) => void | Promise<void>;
}

/** What to answer at Mastodon's pages. */
export interface LoginOptions {
  deny?: boolean;
}

/** What a person chooses in the second of the first steps. */
export interface Choice {
  presence: 'nobody' | 'contacts';
  typing?: boolean;
  receipts?: boolean;
}

/** One person at one browser: a Mastodon page with the launcher, and the panel in it. */
export class Person {
  private constructor(
    readonly stack: Stack,
    readonly name: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  /** Opens the Mastodon page, signed in there, the chat still closed. */
  static async arrive(browser: Browser, stack: Stack, name: string, options: PersonOptions = {}): Promise<Person> {
    const context = await browser.newContext({
      viewport: options.viewport ?? { width: 1280, height: 800 },
      colorScheme: options.colorScheme ?? 'light',
      bypassCSP: options.bypassCSP ?? false,
    });
    await options.prepare?.(context);
    const page = await context.newPage();
    await page.goto(`${stack.addresses.mastodon}/auth/sign_in`);
    await signIn(page, name);
    await page.goto(options.path ? stack.addresses.mastodon + options.path : stack.addresses.page);
    return new Person(stack, name, context, page);
  }

  /** Logged in, first steps done, with these people added. */
  static async ready(
    browser: Browser, stack: Stack, name: string, choice: Choice, people: readonly string[] = [], options: PersonOptions = {},
  ): Promise<Person> {
    const person = await Person.arrive(browser, stack, name, options);
    await person.openChat();
    await person.login();
    await person.settle(choice, people);
    return person;
  }

  /** Logged in and online, be it for the first time on this stack, with bob added, or again. Shows nothing. */
  static async enter(browser: Browser, stack: Stack, name: string, options: PersonOptions = {}): Promise<Person> {
    const person = await Person.arrive(browser, stack, name, options);
    await person.openChat();
    await person.login();
    const first = person.panel.getByText('This is your chat address');
    await expect(first.or(person.panel.getByRole('navigation', { name: 'Your chats' }))).toBeVisible();
    if (await first.isVisible()) await person.settle({ presence: 'nobody' }, name === 'bob' ? ['alice'] : ['bob']);
    await person.online();
    return person;
  }

  /** A second tab of the same browser. */
  async tab(): Promise<Person> {
    const page = await this.context.newPage();
    await page.goto(this.stack.addresses.page);
    return new Person(this.stack, this.name, this.context, page);
  }

  get launcher(): Locator {
    return this.page.locator('trunkline-chat').getByRole('button', { name: /chat/i }).first();
  }

  get panel(): FrameLocator {
    return this.page.frameLocator('trunkline-chat iframe');
  }

  /** Opens the panel. On a phone it then covers the page, its button too. */
  async openChat(): Promise<void> {
    await this.launcher.click();
    await expect(this.page.locator('trunkline-chat')).toHaveAttribute('data-open', '');
  }

  /** The panel's own frame, for what only a script in it can tell. */
  get frame(): Frame {
    const frame = this.page.frames().find((one) => one.url().startsWith(`${this.stack.addresses.chat}/panel`));
    if (!frame) throw new Error('the panel is not loaded');
    return frame;
  }

  /** Begins a login and returns its window, wherever at Mastodon it is. */
  async beginLogin(): Promise<Page> {
    const popup = this.page.waitForEvent('popup');
    await this.panel.getByRole('button', { name: /^(Log in with|Try again)/ }).click();
    return popup;
  }

  /** Logs in through the popup and waits until it has closed by itself. */
  async login(options: LoginOptions = {}): Promise<void> {
    await answerMastodon(await this.beginLogin(), this.name, options);
  }

  /** The first steps: address, consent, and the people step left without choosing anybody. */
  async settle(choice: Choice, people: readonly string[] = [], ask = false): Promise<void> {
    await this.panel.getByRole('button', { name: 'Continue' }).click();
    await this.consent(choice);
    await this.panel.getByRole('button', { name: 'Continue' }).click();
    await this.pickPeople(people, ask);
  }

  async consent(choice: Choice): Promise<void> {
    const nobody = choice.presence === 'nobody';
    await this.panel.getByRole('radio', { name: nobody ? /^Nobody/ : /^Contacts/ }).check();
    await this.panel.getByRole('checkbox', { name: /typing/ }).setChecked(choice.typing ?? false);
    await this.panel.getByRole('checkbox', { name: /got and read/ }).setChecked(choice.receipts ?? false);
  }

  /** Adds people of the follows by name, or leaves the step. */
  async pickPeople(people: readonly string[], ask = false): Promise<void> {
    const { panel } = this;
    if (people.length === 0) {
      await panel.getByRole('button', { name: 'Skip for now' }).click();
    } else {
      for (const name of people) {
        // Only the rows in sight exist: the way to one person is the search, as for people.
        await panel.getByRole('searchbox', { name: 'Search the people you follow' }).fill(name);
        await panel.getByRole('checkbox', { name: new RegExp(`@${name}\\b`) }).check();
        if (ask) await panel.getByRole('checkbox', { name: new RegExp(`^Ask .*${name}`, 'i') }).check();
      }
      await panel.getByRole('button', { name: /^Add \d/ }).click();
      await expect(panel.getByText(/^Done: \d/)).toBeVisible({ timeout: 60_000 });
      await panel.getByRole('button', { name: 'Start chatting' }).click();
    }
    await this.online();
  }

  async online(): Promise<void> {
    await expect(this.panel.locator('[data-connection]')).toHaveAttribute('data-connection', 'online', { timeout: 30_000 });
  }

  /** The row of a person in the list of chats. */
  row(name: string): Locator {
    return this.panel.getByRole('navigation', { name: 'Your chats' }).getByRole('button', { name: new RegExp(name, 'i') });
  }

  async open(name: string): Promise<void> {
    await this.row(name).click();
    await expect(this.composer).toBeVisible();
  }

  /** From a conversation to the list, where the panel is too narrow for both. */
  async back(): Promise<void> {
    await this.panel.getByRole('button', { name: 'Back to your chats' }).click();
  }

  get composer(): Locator {
    return this.panel.getByRole('textbox', { name: /message/i });
  }

  get log(): Locator {
    return this.panel.getByRole('log');
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** Waits for a message in the open conversation and checks that it is there once. */
  async hears(text: string): Promise<void> {
    await expect(this.log.getByText(text, { exact: true })).toHaveCount(1, { timeout: 30_000 });
  }

  /** Changes in the settings what others may see, and waits until it is saved. */
  async changeConsent(choice: Choice): Promise<void> {
    await this.panel.getByRole('button', { name: 'Settings' }).click();
    await this.consent(choice);
    await this.panel.getByRole('button', { name: 'Save' }).click();
    await expect(this.panel.getByText(/^Saved/)).toBeVisible();
  }

  async signOut(): Promise<void> {
    await this.panel.getByRole('button', { name: 'Settings' }).click();
    await this.panel.getByRole('button', { name: 'Sign out' }).click();
    await expect(this.panel.getByText(/You are signed out/)).toBeVisible();
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

export async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel(/e-?mail/i).fill(name);
  await page.getByLabel('Password').fill('password');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
}

/** Goes through sign-in and consent pages, whichever come, until the popup has closed. */
export async function answerMastodon(popup: Page, name: string, options: LoginOptions = {}): Promise<void> {
  // Where Mastodon asks nothing, the window may be gone before it is looked at.
  const gone = popup.isClosed() ? Promise.resolve() : popup.waitForEvent('close');
  const closed = gone.then(() => 'closed' as const);
  closed.catch(() => undefined);
  const password = popup.getByLabel('Password');
  const allow = popup.getByRole('button', { name: /^(Authorize|Allow)$/ });
  for (;;) {
    const next = await Promise.race([
      closed,
      password.waitFor().then(() => 'password' as const).catch(() => closed),
      allow.waitFor().then(() => 'allow' as const).catch(() => closed),
    ]);
    if (next === 'closed') return;
    if (next === 'password') {
      await signIn(popup, name);
      await password.waitFor({ state: 'detached' }).catch(() => undefined);
    } else {
      await popup.getByRole('button', { name: options.deny ? 'Deny' : /^(Authorize|Allow)$/ }).click();
      await closed;
      return;
    }
  }
}
