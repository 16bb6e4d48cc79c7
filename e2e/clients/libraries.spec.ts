// Chat libraries as their authors publish them, on a real WebSocket through the gateway, on both servers.
import { expect, test, type BrowserContext } from '@playwright/test';
import { Native } from '../support/native.ts';
import { answerMastodon } from '../support/person.ts';
import { SERVERS, Stack } from '../support/stack.ts';
import { pageOf, webSocketOf, type ChatClient, type Page } from './client.ts';
import { StanzaClient } from './stanza.ts';
import { StropheClient } from './strophe.ts';
import { XmppJsClient } from './xmppjs.ts';

const ALICE = 'alice@social.example';
const BOB = 'bob@social.example';

const LIBRARIES = { 'strophe.js 5': StropheClient, '@xmpp/client 0.14': XmppJsClient, 'stanza 12': StanzaClient };

for (const server of SERVERS) {
  test.describe(`on ${server}`, () => {
    let stack: Stack;
    let alice: BrowserContext;
    let bob: Native;
    let page: Page;

    test.beforeAll(async ({ browser }) => {
      stack = await Stack.start({ server });
      alice = await browser.newContext();
      const other = await browser.newContext();
      await logIn(alice, stack, 'alice');
      await logIn(other, stack, 'bob'); // once: a native app is let in afterwards
      await other.close();
      page = pageOf(stack.addresses.chat, alice.request);
      bob = await Native.login(stack, 'bob');
    });

    test.afterAll(async () => {
      await alice.close();
      await stack.stop();
    });

    for (const [name, Library] of Object.entries(LIBRARIES)) {
      test(`${name}: login, messages both ways, archive, and streams resumed after cuts`, async () => {
        const client: ChatClient = new Library(page, webSocketOf(stack.addresses.chat));
        await client.login();
        try {
          await chats(stack, client, bob, name);
        } finally {
          await client.stop();
        }
      });
    }

    test('the Origin is looked at', async () => {
      const Evil = webSocketOf('https://evil.example');
      const socket = new Evil(page.url, 'xmpp');
      const status = await new Promise<number | undefined>((ok, fail) => {
        socket.on('unexpected-response', (_, answer) => ok(answer.statusCode));
        socket.on('open', () => fail(new Error('a stranger was let in')));
      });
      expect(status).toBe(403);
    });
  });
}

/** Signs a browser in at Trunkline, as the login's own window does. */
async function logIn(context: BrowserContext, stack: Stack, name: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(`${stack.addresses.chat}/api/v1/session`);
  const popup = page.waitForEvent('popup');
  await page.evaluate(() => void window.open('/auth/login?mode=popup'));
  await answerMastodon(await popup, name);
  expect((await context.request.get(`${stack.addresses.chat}/api/v1/session`)).status()).toBe(200);
  await page.close();
}

/** The whole story of one client. What it writes has its name in it: the archive is shared. */
async function chats(stack: Stack, client: ChatClient, bob: Native, name: string): Promise<void> {
  const said: string[] = [];
  const fromAlice = (text: string): void => {
    said.push(`${name}: ${text}`);
    client.say(BOB, `${name}: ${text}`);
  };
  const fromBob = async (text: string): Promise<void> => {
    said.push(`${name}: ${text}`);
    await bob.send(`<message to='${ALICE}' type='chat' id='${encodeURIComponent(`${name} ${text}`)}'><body>${name}: ${text}</body></message>`);
  };
  const heard = (text: string): number => client.heard.filter(({ body }) => body === `${name}: ${text}`).length;
  const arrived = async (text: string): Promise<number> => (await bob.seen()).filter((xml) => xml.includes(`>${name}: ${text}<`)).length;

  fromAlice('hello');
  await expect.poll(() => arrived('hello'), { message: 'a message from the client' }).toBe(1);
  await fromBob('hello yourself');
  await expect.poll(() => heard('hello yourself'), { message: 'a message to the client' }).toBe(1);

  for (const round of [1, 2]) {
    fromAlice(`on the way ${String(round)}`); // in a buffer, or on the line, or there: the client cannot know
    await stack.control('front/mute');
    fromAlice(`lost ${String(round)}`); // it is sent, and gets no further
    await stack.control('front/down');
    expect(await arrived(`lost ${String(round)}`), 'what was lost with the line').toBe(0);
    await fromBob(`while away ${String(round)}`);
    await stack.control('front/up');
    await expect.poll(() => client.resumed, { message: 'streams resumed' }).toBe(round);
    await expect.poll(() => heard(`while away ${String(round)}`), { message: 'what came while the line was cut' }).toBe(1);
    await expect.poll(() => arrived(`on the way ${String(round)}`), { message: 'what was on the way when it was cut' }).toBe(1);
    await expect.poll(() => arrived(`lost ${String(round)}`), { message: 'what was lost with the line, sent again' }).toBe(1);
    fromAlice(`back ${String(round)}`);
    await expect.poll(() => arrived(`back ${String(round)}`), { message: 'after the cut' }).toBe(1);
    // Both sides have counted the same, or this would never be 0.
    await expect.poll(() => client.unacknowledged(), { message: 'stanzas without an acknowledgement' }).toBe(0);
  }

  // Whatever is still under way has arrived after this; then everything is there once, and once in the archive.
  const archive = (await client.archive(BOB)).map(({ body }) => body).filter((body) => body.startsWith(`${name}:`));
  expect([...archive].sort(), 'the archive').toEqual([...said].sort());
  await bob.sync();
  for (const text of said.map((body) => body.slice(name.length + 2))) {
    expect(heard(text) + await arrived(text), `how often “${text}” came`).toBe(1);
  }
}
