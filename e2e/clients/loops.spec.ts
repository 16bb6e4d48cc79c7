// What Converse.js does for ever by itself, and does not with the plugin of contrib/converse. The page's clock is
// moved, so that minutes of it take a moment; requests are counted as the browser makes them.
import { expect, test, type Browser, type Page } from '@playwright/test';
import { Stack } from '../support/stack.ts';
import { ConversePage } from './converse.ts';

let stack: Stack;

test.beforeAll(async () => {
  stack = await Stack.start({ converse: true });
});

test.afterAll(async () => {
  await stack.stop();
});

const PLUGIN = '**/converse/trunkline.js';
const CREDENTIALS = '**/api/v1/credentials';

const withClock = async (page: Page): Promise<void> => page.clock.install();

/** The page as it would be without the plugin. */
async function bare(browser: Browser, prepare?: (page: Page) => Promise<unknown>): Promise<ConversePage> {
  return ConversePage.open(browser, stack, async (page) => {
    await page.clock.install();
    await page.route(PLUGIN, (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
    await prepare?.(page);
  });
}

test('signed out: one question, one event, until the next login', async ({ browser }) => {
  const before = await bare(browser);
  await before.minutes(1, 5);
  expect(before.asked, 'Converse by itself, in a minute').toBeGreaterThan(10);
  await before.close();

  const alice = await ConversePage.open(browser, stack, withClock);
  await expect(alice.notice).toContainText('You are signed out');
  await alice.minutes(10);
  expect(alice.asked, 'in ten minutes').toBe(1);
  expect(await alice.events()).toEqual(['signed-out']);
  await alice.logIn('alice');
  await alice.connected();
  expect(alice.asked, 'with the login').toBe(2);
  expect(await alice.events()).toEqual(['signed-out', 'connected']);
  await alice.close();
});

test('passwords that the server does not take: three in all, until somebody asks', async ({ browser }) => {
  const wrong = (page: Page): Promise<unknown> => page.route(CREDENTIALS, (route) => route.fulfill({
    json: { jid: 'alice@social.example', password: 'not-a-password', expires_in: 120, websocket_url: '' },
  }));
  const refusals = (page: ConversePage): number => page.received(/^< <failure /);

  const before = await bare(browser, wrong);
  for (let n = 1; n <= 4; n++) {
    await expect.poll(async () => {
      await before.minutes(1 / 12, 5);
      return refusals(before);
    }, { message: 'Converse by itself' }).toBeGreaterThanOrEqual(n);
  }
  await before.close();

  const alice = await ConversePage.open(browser, stack, async (page) => {
    await page.clock.install();
    await wrong(page);
  });
  await expect.poll(async () => {
    await alice.minutes(1 / 12, 5);
    return alice.told('refused');
  }, { message: 'the page is told' }).toBe(1);
  const asked = alice.asked;
  expect(refusals(alice)).toBe(3);
  await alice.minutes(10);
  expect([alice.asked, refusals(alice), await alice.told('refused')], 'ten minutes later').toEqual([asked, 3, 1]);
  await expect(alice.page.locator('converse-root'), 'no form for passwords').toBeHidden();
  await alice.close();
});

test('a page in place of an answer: fewer and fewer questions, and none in the end', async ({ browser }) => {
  let broken = true;
  const page = async (one: Page): Promise<void> => {
    await one.clock.install();
    await one.route(CREDENTIALS, (route) => broken
      ? route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Sign in</title>' }) : route.continue());
  };
  const alice = await ConversePage.open(browser, stack, page);
  await expect.poll(() => alice.told('waiting')).toBe(1);
  await alice.minutes(10);
  expect(await alice.told('stopped')).toBe(1);
  expect(alice.asked, 'in ten minutes').toBe(9);
  await expect(alice.notice).toContainText('cannot be reached');
  // Mended: whoever presses the button is asked to log in, as it should be.
  broken = false;
  await alice.notice.getByRole('button', { name: 'Try again' }).click();
  await expect(alice.notice).toContainText('You are signed out');
  expect(alice.asked).toBe(10);
  await alice.close();
});

test('a login that ends under the chat: one question, and the next person sees nothing of the last', async ({ browser }) => {
  const alice = await ConversePage.open(browser, stack);
  await alice.logIn('alice');
  await alice.connected();
  await alice.page.evaluate(() => sessionStorage.setItem('what-alice-wrote', 'a secret'));
  const asked = alice.asked;
  const out = await alice.page.evaluate(async () => (await fetch('/auth/logout', { method: 'POST' })).status);
  expect(out).toBe(204);
  await expect(alice.notice).toContainText('You are signed out');
  await expect(alice.page.locator('converse-root'), 'the chats are gone').toBeHidden();
  expect(alice.asked - asked, 'questions since').toBe(1);
  expect(await alice.told('signed-out'), 'events').toBe(2); // one was before the login
  await alice.page.context().clearCookies();
  await alice.logIn('bob');
  await alice.connected();
  await expect(alice.page.locator('converse-user-profile')).toContainText('bob@social.example');
  const kept = await alice.page.evaluate(async () => JSON.stringify([
    { ...sessionStorage }, { ...localStorage }, (await indexedDB.databases()).map(({ name }) => name),
  ]));
  expect(kept).not.toContain('a secret');
  expect(kept, 'nothing of alice').not.toContain('alice');
  await alice.close();
});

test('Trunkline goes away and comes back: so does the chat, by itself', async ({ browser }) => {
  const alice = await ConversePage.open(browser, stack);
  await alice.logIn('alice');
  await alice.connected();
  await stack.control('trunkline/kill');
  await expect(alice.notice).toContainText('cannot be reached');
  await stack.control('trunkline/start');
  await expect.poll(() => alice.told('connected'), { timeout: 60_000 }).toBeGreaterThan(1);
  await alice.connected();
  await alice.close();
});

test('what the page may do, and who may use it', async ({ browser, request }) => {
  const alice = await ConversePage.open(browser, stack);
  await alice.logIn('alice');
  await alice.connected();
  // Converse's own front page wants pictures of its sponsors. They stay there.
  const blocked = alice.complaints.filter((text) => /Content Security Policy/.test(text));
  expect(blocked.filter((text) => !text.startsWith("Loading the image 'https://conversejs.org/"))).toEqual([]);
  expect(alice.complaints.filter((text) => !/Content Security Policy|status of 401/.test(text))).toEqual([]);

  const { headers } = { headers: (await request.get(`${stack.addresses.chat}/converse/`)).headers() };
  const policy = headers['content-security-policy'] ?? '';
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(headers['x-content-type-options']).toBe('nosniff');
  for (const path of ['/panel', '/api/v1/session']) {
    const own = (await request.get(stack.addresses.chat + path)).headers()['content-security-policy'] ?? '';
    expect(own, `${path} has Trunkline's own policy`).not.toContain('unsafe-inline');
  }

  // The same person, the same browser, another page: Mastodon's own gets no password and no WebSocket.
  const elsewhere = await alice.context.newPage();
  await elsewhere.goto(`${stack.addresses.mastodon}/auth/sign_in`);
  const password = await elsewhere.evaluate(async (address) => {
    try {
      return await (await fetch(address, { credentials: 'include' })).text();
    } catch {
      return 'refused';
    }
  }, `${stack.addresses.chat}/api/v1/credentials`);
  expect(password).toBe('refused');
  await alice.close();
});
