import { connect } from 'node:net';
import type { Frame } from '@playwright/test';

/** How far a stream is when something is thrown at it. */
export type Stage = 'connected' | 'opened' | 'authenticated' | 'bound';

export interface Throw {
  stage: Stage;
  /** In it {plain:AUTHZID:AUTHCID} stands for such a SASL PLAIN message with the password. */
  frame: string;
  binary?: boolean;
  /** An answer after which the thrower hangs up; without it the other side has to. */
  answer?: string;
}

export interface Outcome {
  heard: string;
  /** The WebSocket's close code, 0 if nobody closed it within the time. */
  code: number;
}

interface Credentials {
  jid: string;
  password: string;
  websocket_url: string;
}

// A password may be used again for ten seconds, and there is not one for everybody who asks twenty times in a row.
const PASSWORD_MS = 4_000;
const passwords = new WeakMap<Frame, { at: number; credentials: Credentials }>();

async function credentialsOf(page: Frame): Promise<Credentials> {
  const kept = passwords.get(page);
  if (kept && Date.now() - kept.at < PASSWORD_MS) return kept.credentials;
  const credentials = await page.evaluate(async () => {
    const answer = await fetch('/api/v1/credentials', { method: 'POST' });
    if (!answer.ok) throw new Error(`no password: ${String(answer.status)}`);
    return await answer.json() as Credentials;
  });
  passwords.set(page, { at: Date.now(), credentials });
  return credentials;
}

/** Opens a stream from a page of the chat origin, as who is logged in there, and throws a frame at it. */
export async function hurl(page: Frame, what: Throw): Promise<Outcome> {
  const credentials = await credentialsOf(page);
  return page.evaluate(async ({ stage, frame, binary, answer, credentials }: Throw & { credentials: Credentials }): Promise<Outcome> => {
    const ws = new WebSocket(credentials.websocket_url, 'xmpp');
    const heard: string[] = [];
    let read = 0;
    let wake = (): void => undefined;
    const closed = new Promise<number>((over) => {
      ws.onclose = ({ code }) => {
        over(code);
        wake();
      };
    });
    ws.onmessage = ({ data }: MessageEvent<string>) => {
      heard.push(data);
      wake();
    };
    const until = async (wanted: RegExp): Promise<void> => {
      for (;;) {
        while (read < heard.length) if (wanted.test(heard[read++] ?? '')) return;
        if (ws.readyState === WebSocket.CLOSED) throw new Error(`closed before ${String(wanted)}: ${heard.join('\n')}`);
        await new Promise<void>((woken) => (wake = woken));
      }
    };
    await new Promise((opened) => (ws.onopen = opened));
    const open = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="social.example" version="1.0"/>';
    const plain = btoa(`\0${credentials.jid.split('@')[0] ?? ''}\0${credentials.password}`);
    const way: [Exclude<Stage, 'connected'>, string, RegExp][] = [
      ['opened', open, /<mechanism>PLAIN</],
      ['authenticated', `<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${plain}</auth>`, /<success/],
      ['bound', open, /<bind/],
      ['bound', '<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>', /<jid>/],
    ];
    const stages: Stage[] = ['connected', 'opened', 'authenticated', 'bound'];
    for (const [reached, say, reply] of way) {
      if (stages.indexOf(reached) > stages.indexOf(stage)) break;
      ws.send(say);
      await until(reply);
    }
    const thrown = frame.replace(/\{plain:([^:}]*):([^:}]*)\}/, (_, authzid: string, authcid: string) => btoa(`${authzid}\0${authcid}\0${credentials.password}`));
    ws.send(binary ? new TextEncoder().encode(thrown) : thrown);
    if (answer !== undefined) {
      await until(new RegExp(answer));
      ws.close();
    }
    const code = await Promise.race([closed, new Promise<number>((late) => setTimeout(() => late(0), 10_000))]);
    return { heard: heard.join('\n'), code };
  }, { ...what, credentials });
}

/** Asks for a WebSocket with headers that no browser lets a page choose; the result is the first line of the answer. */
export async function upgrade(address: string, headers: Record<string, string>): Promise<string> {
  const { hostname, port } = new URL(address);
  const lines = ['GET /xmpp-websocket HTTP/1.1', `Host: ${hostname}:${port}`, 'Connection: Upgrade', 'Upgrade: websocket',
    'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  return new Promise((ok, fail) => {
    const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
      if (!answer.includes('\r\n')) return;
      socket.destroy();
      ok(answer.split('\r\n', 1)[0] ?? '');
    });
    socket.on('error', fail);
    socket.on('end', () => fail(new Error(`no answer: ${answer}`)));
  });
}
