import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The XMPP servers that a stack can have. */
export const SERVERS = ['prosody', 'ejabberd'] as const;

export type Server = (typeof SERVERS)[number];

export type Mode = '4.6' | '4.3' | 'gotosocial';

/** What a stack prints when it answers: the addresses to talk to. */
interface Addresses {
  page: string;
  chat: string;
  mastodon: string;
  control: string;
}

/** What the stand-in has counted so far, as far as the tests ask. */
export interface Counters {
  codes_issued: number;
  tokens_issued: number;
  tokens_revoked: number;
  tokens_live: number;
}

export interface StackOptions {
  server?: Server;
  mode?: Mode;
  /** Converse.js on the chat origin, behind a Caddy as contrib/converse has it. */
  converse?: boolean;
  noPrivacyLists?: boolean;
  /** Generated people whom each person follows, beside the handful everyone has. */
  follows?: number;
}

/** A running stack: stand-in Mastodon, Prosody or ejabberd, trunkline, and a front to cut. */
export class Stack {
  private constructor(
    readonly addresses: Addresses,
    private readonly process: ChildProcess,
    private readonly dir: string,
    private readonly mode: Mode,
  ) {}

  static async start(options: StackOptions = {}): Promise<Stack> {
    const dir = mkdtempSync(join(tmpdir(), 'trunkline-e2e-'));
    const root = resolve(import.meta.dirname, '../..');
    const mode = options.mode ?? '4.6';
    const args = ['-dir', dir, '-mode', mode];
    if (options.follows) args.push('-follows', String(options.follows));
    if (options.server === 'ejabberd') args.push('-ejabberd', 'contrib/ejabberd/ejabberd.yml');
    if (options.converse) args.push('-converse', 'contrib/converse');
    if (options.noPrivacyLists) args.push('-no-privacy-lists');
    const child = spawn(join(root, 'bin/stackd'), args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    const addresses = await new Promise<Addresses>((ok, fail) => {
      createInterface({ input: child.stdout }).once('line', (line) => ok(JSON.parse(line) as Addresses));
      child.once('exit', (code) => fail(new Error(`the stack ended at start with ${String(code)}`)));
      child.once('error', fail);
    });
    return new Stack(addresses, child, dir, mode);
  }

  async stop(): Promise<void> {
    const ended = new Promise((ok) => this.process.once('exit', ok));
    this.process.stdin?.end();
    await ended;
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Asks the stack to do something to one of its parts, for example `server/kill`. */
  async control<T = unknown>(path: string, body: Record<string, unknown> = {}): Promise<T> {
    const res = await fetch(`${this.addresses.control}/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await res.text();
    if (!res.ok) throw new Error(`${path}: ${String(res.status)} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Everything that trunkline has logged. */
  async log(): Promise<string> {
    return this.control<string>('trunkline/log');
  }

  /** Lets the clock go on by so much for pending logins and credentials. */
  async age(seconds: number): Promise<void> {
    await this.control('age', { seconds });
  }

  /** Tries a password at the XMPP server itself: '' or the condition of the refusal. */
  async tryPassword(user: string, password: string): Promise<string> {
    return this.control<string>('native/try', { user, password });
  }

  /** The stand-in's access tokens and the secrets of its apps. */
  mastodonSecrets(): string[] {
    const kept = JSON.parse(readFileSync(join(this.dir, `mastodon-${this.mode}.json`), 'utf8')) as {
      Apps: Record<string, { Secret: string }>;
      Tokens: Record<string, unknown>;
    };
    return [...Object.values(kept.Apps).map((app) => app.Secret), ...Object.keys(kept.Tokens)];
  }

  /** Turns one of the stand-in's failure knobs. */
  async knob(body: Record<string, unknown>): Promise<Counters> {
    const res = await fetch(`${this.addresses.mastodon}/__control`, { method: 'POST', body: JSON.stringify(body) });
    if (!res.ok) throw new Error(`knob: ${String(res.status)} ${await res.text()}`);
    return await res.json() as Counters;
  }
}
