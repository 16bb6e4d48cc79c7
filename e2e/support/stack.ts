import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export type Mode = '4.6' | '4.3' | 'gotosocial';

/** What a stack prints when it answers: the addresses to talk to. */
interface Addresses {
  page: string;
  chat: string;
  mastodon: string;
  control: string;
}

export interface StackOptions {
  mode?: Mode;
  noPrivacyLists?: boolean;
  /** Generated people whom each person follows, beside the handful everyone has. */
  follows?: number;
}

/** A running stack: stand-in Mastodon, Prosody, trunkline, and a front to cut. */
export class Stack {
  private constructor(
    readonly addresses: Addresses,
    private readonly process: ChildProcess,
    private readonly dir: string,
  ) {}

  static async start(options: StackOptions = {}): Promise<Stack> {
    const dir = mkdtempSync(join(tmpdir(), 'trunkline-e2e-'));
    const root = resolve(import.meta.dirname, '../..');
    const args = ['-dir', dir, '-mode', options.mode ?? '4.6'];
    if (options.follows) args.push('-follows', String(options.follows));
    if (options.noPrivacyLists) args.push('-no-privacy-lists');
    const child = spawn(join(root, 'bin/stackd'), args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    const addresses = await new Promise<Addresses>((ok, fail) => {
      createInterface({ input: child.stdout }).once('line', (line) => ok(JSON.parse(line) as Addresses));
      child.once('exit', (code) => fail(new Error(`the stack ended at start with ${String(code)}`)));
      child.once('error', fail);
    });
    return new Stack(addresses, child, dir);
  }

  async stop(): Promise<void> {
    const ended = new Promise((ok) => this.process.once('exit', ok));
    this.process.stdin?.end();
    await ended;
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Asks the stack to do something to one of its parts, for example `prosody/kill`. */
  async control<T = unknown>(path: string, body: Record<string, unknown> = {}): Promise<T> {
    const res = await fetch(`${this.addresses.control}/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await res.text();
    if (!res.ok) throw new Error(`${path}: ${String(res.status)} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Turns one of the stand-in's failure knobs. */
  async knob(body: Record<string, unknown>): Promise<void> {
    const res = await fetch(`${this.addresses.mastodon}/__control`, { method: 'POST', body: JSON.stringify(body) });
    if (!res.ok) throw new Error(`knob: ${String(res.status)} ${await res.text()}`);
  }
}
