import { expect } from '@playwright/test';
import type { Stack } from './stack.ts';

interface Seen { at: string; xml: string }

/** Somebody logged in straight at the XMPP server, as with an app on a phone: it sees what others can see. */
export class Native {
  private constructor(private readonly stack: Stack, readonly user: string) {}

  /** With a password of its own, or with the one given, as somebody would type it into an app. */
  static async login(stack: Stack, user: string, password = ''): Promise<Native> {
    await stack.control('native/login', { user, password });
    return new Native(stack, user);
  }

  async send(xml: string): Promise<void> {
    await this.stack.control('native/send', { user: this.user, xml });
  }

  async seen(): Promise<readonly string[]> {
    const seen = await this.stack.control<Seen[]>('native/seen', { user: this.user });
    return seen.map((stanza) => stanza.xml);
  }

  /** What came from a person, of the kinds that would tell what they are doing. */
  async signals(from: string): Promise<readonly string[]> {
    const address = new RegExp(`from=['"]${from}@social\\.example/`);
    return (await this.seen()).filter((xml) => address.test(xml)
      && (/^<presence(?![^>]*type=['"]subscri)/.test(xml) || /<(active|composing|paused|inactive|gone|received|displayed|acknowledged)\b/.test(xml)));
  }

  /** Waits until a stanza matches. */
  async sees(what: RegExp): Promise<void> {
    await expect.poll(async () => (await this.seen()).some((xml) => what.test(xml)), { message: String(what), timeout: 30_000 }).toBe(true);
  }

  /** A round trip: whatever the server has sent to this session until now has arrived afterwards. */
  async sync(): Promise<void> {
    const id = `sync-${String(Math.random()).slice(2)}`;
    await this.send(`<iq type='get' id='${id}' to='social.example'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await this.sees(new RegExp(id));
  }

  /** When the server ended this session, in Unix milliseconds; 0 while it lives. */
  async endedAt(): Promise<number> {
    return this.stack.control<number>('native/ended', { user: this.user });
  }

  /** Waits until the server has ended this session and checks that it did so within five seconds of `since`. */
  async endedInTime(since: number): Promise<void> {
    await expect.poll(async () => await this.endedAt() > 0, { message: 'the native session is over', timeout: 30_000 }).toBe(true);
    expect(await this.endedAt() - since, 'milliseconds until the native session was ended').toBeLessThanOrEqual(5_000);
  }

  async logout(): Promise<void> {
    await this.stack.control('native/logout', { user: this.user });
  }
}
