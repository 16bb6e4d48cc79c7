// The end of a session: at the server, at the XMPP server, and in the browser.
import { expect, test, type BrowserContext, type Frame } from '@playwright/test';
import { Native } from '../support/native.ts';
import { Person, signIn } from '../support/person.ts';
import { Sockets } from '../support/sockets.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
test.beforeEach(async () => {
  stack = await Stack.start();
});
test.afterEach(() => stack.stop());

async function sessionCookie(context: BrowserContext): Promise<string> {
  return (await context.cookies()).find(({ name }) => name === 'trunkline_session')?.value ?? '';
}

/** What a session cookie is worth to whoever has a copy of it. */
async function worth(cookie: string): Promise<number[]> {
  const headers = { cookie: `trunkline_session=${cookie}` };
  const paths = [['GET', 'session'], ['POST', 'credentials'], ['GET', 'follows']] as const;
  return Promise.all(paths.map(async ([method, path]) => (await fetch(`${stack.addresses.chat}/api/v1/${path}`, { method, headers })).status));
}

/** Everything that the chat origin keeps in this browser and this tab, cookies apart. */
async function kept(frame: Frame): Promise<Record<string, unknown>> {
  return frame.evaluate(async () => ({
    local: { ...localStorage },
    tab: { ...sessionStorage },
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
}

const nothing = { local: {}, tab: {}, databases: [], caches: [], workers: 0 };

async function freshPassword(person: Person): Promise<string> {
  return person.frame.evaluate(async () => {
    const answer = await fetch('/api/v1/credentials', { method: 'POST' });
    return ((await answer.json()) as { password: string }).password;
  });
}

test('signing out ends the stream and the session, and leaves nothing in the browser', async ({ browser }) => {
  const bobs = await Person.ready(browser, stack, 'bob', { presence: 'nobody' });
  await bobs.close();
  const bob = await Native.login(stack, 'bob');
  const alice = await Person.arrive(browser, stack, 'alice');
  const sockets = new Sockets(alice.page);
  await alice.openChat();
  await alice.login();
  await alice.settle({ presence: 'nobody' }, ['bob']);
  await alice.open('bob');
  await alice.say('a secret of hers');
  await bob.sees(/a secret of hers/);
  await bob.send("<message to='alice@social.example' type='chat' id='s1'><body>a secret of his</body></message>");
  await alice.hears('a secret of his');
  await expect.poll(async () => JSON.stringify(await kept(alice.frame)), 'there is something to forget').toMatch(/trunkline:.*@social\.example/);
  const cookie = await sessionCookie(alice.context);
  expect(await worth(cookie)).toEqual([200, 200, 200]);
  expect(sockets.open).toBe(1);

  await alice.back();
  const start = Date.now();
  await alice.signOut();
  await sockets.closedInTime(start);
  expect(await worth(cookie)).toEqual([401, 401, 401]);
  expect(await sessionCookie(alice.context)).toBe('');
  expect(await kept(alice.frame)).toEqual(nothing);
  expect(await alice.frame.content()).not.toMatch(/a secret of|bob/i);

  await alice.page.reload();
  await expect(alice.launcher).toBeVisible();
  await expect(alice.page.locator('trunkline-chat iframe'), 'the chat is as if never used').toHaveCount(0);
  expect(await alice.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toMatch(/alice|bob|secret/);
  await alice.openChat();
  await expect(alice.panel.getByRole('button', { name: /^Log in with/ })).toBeVisible();
  expect(await kept(alice.frame)).toEqual(nothing);
});

test('a session that ends behind the back of the panel takes its stream along', async ({ browser }) => {
  const alice = await Person.arrive(browser, stack, 'alice');
  const sockets = new Sockets(alice.page);
  await alice.openChat();
  await alice.login();
  await alice.settle({ presence: 'nobody' });
  const cookie = await sessionCookie(alice.context);
  const out = await alice.context.request.post(`${stack.addresses.chat}/auth/logout`);
  expect(out.status()).toBe(204);
  await sockets.closedInTime(Date.now());
  expect(sockets.heard).toMatch(/<(\w+:)?error[^>]*>.*<not-authorized/s);
  await expect(alice.panel.getByText('Your session has ended. Log in again to go on.')).toBeVisible();
  expect(await kept(alice.frame)).toEqual(nothing);
  expect(await worth(cookie)).toEqual([401, 401, 401]);
  await alice.login();
  await alice.online();
  expect(await sessionCookie(alice.context)).not.toBe(cookie);
});

test('signing out one browser leaves the other; the last one gives the Mastodon token back', async ({ browser }) => {
  const one = await Person.ready(browser, stack, 'alice', { presence: 'nobody' });
  const other = await Person.arrive(browser, stack, 'alice');
  await other.openChat();
  await other.login();
  await other.online();
  expect((await stack.knob({ op: 'counters' })).tokens_live).toBe(1);

  await one.signOut();
  await other.page.reload();
  await other.openChat();
  await other.online();
  await other.panel.getByRole('button', { name: 'Add people you follow' }).first().click();
  await expect(other.panel.getByRole('checkbox', { name: /@bob\b/ }), 'follows are read with the token').toBeVisible();
  expect(await stack.knob({ op: 'counters' })).toMatchObject({ tokens_live: 1, tokens_revoked: 0 });

  await other.panel.getByRole('button', { name: 'Back' }).click();
  await other.signOut();
  await expect.poll(() => stack.knob({ op: 'counters' })).toMatchObject({ tokens_live: 0, tokens_revoked: 1 });
});

for (const seen of [true, false]) {
  const how = seen ? 'seen by the app' : 'seen by nobody until somebody else is there';
  test(`who signs out on the Mastodon page, ${how}, and who signs in there next`, async ({ browser }) => {
    const alice = await Person.arrive(browser, stack, 'alice');
    const sockets = new Sockets(alice.page);
    await alice.openChat();
    await alice.login();
    await alice.settle({ presence: 'nobody' });
    const cookie = await sessionCookie(alice.context);

    const second = await alice.tab();
    await second.page.getByRole('button', { name: 'Log out' }).click();
    await second.page.waitForURL('**/auth/sign_in');
    if (seen) {
      const start = Date.now();
      await second.page.goto(`${stack.addresses.mastodon}/`); // the app, with nobody signed in
      await expect(second.page.locator('#mastodon')).toBeVisible();
      await expect(alice.page.locator('trunkline-chat'), 'the other tab hears of it').toHaveCount(0);
      await sockets.closedInTime(start);
      await expect.poll(() => worth(cookie), { message: 'the chat is signed out as well' }).toEqual([401, 401, 401]);
      await expect(second.page.locator('trunkline-chat')).toHaveCount(0);
      await second.page.goto(`${stack.addresses.mastodon}/auth/sign_in`);
    }

    await signIn(second.page, 'bob');
    await expect(second.page.getByRole('button', { name: 'Log out' })).toBeVisible();
    await expect(second.launcher).toBeVisible();
    await expect(second.page.locator('trunkline-chat iframe'), 'hers is not loaded for him').toHaveCount(0);
    await second.openChat();
    const words = seen ? /Chat with people you follow/ : /Somebody else is logged in on this page, so the chat has been signed out/;
    await expect(second.panel.getByText(words)).toBeVisible();
    expect(await worth(cookie)).toEqual([401, 401, 401]);
    expect(await kept(second.frame)).toEqual(nothing);
    expect(await second.frame.content()).not.toMatch(/alice/i);
  });
}

test('a password dies with its use, its time, or its session', async ({ browser }) => {
  const alice = await Person.arrive(browser, stack, 'alice');
  await alice.openChat();
  await alice.login();
  const issued = alice.page.waitForResponse('**/api/v1/credentials');
  await alice.settle({ presence: 'nobody' });
  const { password } = await (await issued).json() as { password: string };
  await stack.age(10);
  expect(await stack.tryPassword('alice', password), 'used, and used again').toBe('not-authorized');

  const late = await freshPassword(alice);
  await stack.age(2 * 60);
  expect(await stack.tryPassword('alice', late), 'not used in time').toBe('not-authorized');

  const good = await freshPassword(alice);
  expect(await stack.tryPassword('bob', good), "another one's name").toBe('not-authorized');
  expect(await stack.tryPassword('alice', good), 'the server takes what is good').toBe('');
  await stack.age(10);
  expect(await stack.tryPassword('alice', good), 'ten seconds after its use').toBe('not-authorized');

  const doomed = await freshPassword(alice);
  await alice.signOut();
  expect(await stack.tryPassword('alice', doomed), 'revoked by the sign-out').toBe('not-authorized');
});
