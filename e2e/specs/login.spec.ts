// Every way in which a login can end: the sentence in the panel, the way on, and what the log holds of it.
import { expect, test, type Browser, type Page } from '@playwright/test';
import { answerMastodon, Person, type PersonOptions } from '../support/person.ts';
import { Secrets } from '../support/secrets.ts';
import { Stack, type Mode } from '../support/stack.ts';

let stack: Stack;
let secrets: Secrets;
let people: Person[];

test.beforeAll(async () => {
  stack = await Stack.start();
});
test.afterAll(() => stack.stop());

test.beforeEach(() => {
  secrets = new Secrets();
  people = [];
});
test.afterEach(async () => {
  await secrets.areInNoLog(stack, ['cookie']);
  for (const person of people) await person.close();
  await stack.knob({ op: 'down', how: '' });
  // Without a token Mastodon asks the next one again, and the test can stop at that page.
  for (const user of ['alice', 'bob']) {
    await stack.knob({ op: 'state', user, state: 'active' });
    await stack.knob({ op: 'revoke', user });
  }
});

async function arrive(browser: Browser, name: string, options: PersonOptions = {}): Promise<Person> {
  const person = await Person.arrive(browser, stack, name, {
    ...options,
    prepare: async (context) => {
      secrets.watch(context);
      await options.prepare?.(context);
    },
  });
  people.push(person);
  return person;
}

async function withChatOpen(browser: Browser, name: string): Promise<Person> {
  const person = await arrive(browser, name);
  await person.openChat();
  return person;
}

const allow = (popup: Page) => popup.getByRole('button', { name: 'Authorize' });

/** A login whose window is at Mastodon's question, the answer still open. */
async function asked(person: Person): Promise<Page> {
  const popup = await person.beginLogin();
  await expect(allow(popup)).toBeVisible();
  return popup;
}

/** Allows, and stops the window on its way back: the result is the address that it would go to. */
async function wayBack(popup: Page): Promise<string> {
  const address = new Promise<string>((found, failed) => {
    void popup.route('**/oauth/authorize', (route) => {
      route.fetch({ maxRedirects: 0 })
        .then(async (answer) => {
          await route.abort('aborted');
          found(answer.headers()['location'] ?? '');
        })
        .catch(failed);
    });
  });
  await allow(popup).click({ noWaitAfter: true });
  const url = await address;
  expect(url).toMatch(/\/auth\/callback\?code=.+&state=.+/);
  return url;
}

/** Lets a window go to an address by itself, as a redirect does, so that it still knows who opened it. */
async function go(popup: Page, address: string): Promise<void> {
  const closed = popup.waitForEvent('close');
  await popup.evaluate((to) => location.assign(to), address).catch(() => undefined); // it closes at once
  await closed;
}

async function says(person: Person, sentence: RegExp): Promise<void> {
  await expect(person.panel.getByRole('alert')).toHaveText(sentence);
}

/** The way on: the same button, a new window, and the person is in. */
async function getsIn(person: Person): Promise<void> {
  await person.login();
  await isIn(person);
}

async function isIn(person: Person): Promise<void> {
  const { panel } = person;
  const first = panel.getByText(`${person.name}@social.example`, { exact: true }); // the first step shows the address
  await expect(first.or(panel.getByRole('navigation', { name: 'Your chats' })).first()).toBeVisible();
}

async function sessionStatus(person: Person): Promise<number> {
  return (await person.context.request.get(`${stack.addresses.chat}/api/v1/session`)).status();
}

async function logged(code: string): Promise<void> {
  await expect.poll(() => stack.log()).toMatch(new RegExp(`msg="login failed" code=${code} `));
}

test('denied', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  await alice.login({ deny: true });
  await says(alice, /did not allow access, so nothing was changed/);
  expect(await sessionStatus(alice)).toBe(401);
  await logged('denied');
  await getsIn(alice);
  await secrets.areInNoLog(stack, ['code', 'state', 'cookie', 'token']);
});

test('too late: more than ten minutes at Mastodon', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const popup = await asked(alice);
  await stack.age(10 * 60 + 1);
  await allow(popup).click();
  await says(alice, /took longer than ten minutes/);
  expect(await sessionStatus(alice)).toBe(401);
  await logged('expired');
  await getsIn(alice);
});

test('the end of a login again, after a sign-out', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const first = await asked(alice);
  const address = await wayBack(first);
  await go(first, address);
  await isIn(alice);
  await alice.context.clearCookies({ name: 'trunkline_session' });
  await stack.knob({ op: 'revoke', user: 'alice' });
  await alice.page.reload();
  await alice.openChat();
  await go(await asked(alice), address);
  await says(alice, /was already finished/);
  expect(await sessionStatus(alice), 'a replay lets nobody in').toBe(401);
  await logged('used');
  await getsIn(alice);
});

test('the end of a login that another browser began', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const bob = await withChatOpen(browser, 'bob');
  const hers = await asked(alice);
  const address = await wayBack(hers);
  await go(await asked(bob), address);
  await says(bob, /was not started in this browser/);
  expect(await sessionStatus(bob)).toBe(401);
  await logged('state_mismatch');
  await go(hers, address);
  await isIn(alice); // a stranger cannot spoil it either
  await getsIn(bob);
});

// Mastodon lets nobody in these states as far as its question: they are expelled while they think about it.
for (const [state, code, sentence] of [
  ['disabled', 'account_disabled', /is disabled on the server, so you cannot chat/],
  // Mastodon says the same of these two to their own token, so no more can be known here.
  ['suspended', 'account_disabled', /is disabled on the server, so you cannot chat/],
  ['moved', 'account_disabled', /is disabled on the server, so you cannot chat/],
  ['unconfirmed', 'account_unconfirmed', /is not confirmed yet/],
] as const) {
  test(`an account that is ${state}`, async ({ browser }) => {
    const alice = await withChatOpen(browser, 'alice');
    const popup = await asked(alice);
    await stack.knob({ op: 'state', user: 'alice', state });
    await allow(popup).click();
    await says(alice, sentence);
    expect(await sessionStatus(alice)).toBe(401);
    await logged(code);

    // Now the window does not come back: Mastodon shows a page of its own in it.
    const stranded = await alice.beginLogin();
    await expect(stranded.getByRole('heading', { name: 'Account settings' })).toBeVisible();
    await expect(alice.panel.getByText('Log in in the other window')).toBeVisible();
    const closed = stranded.waitForEvent('close');
    await alice.panel.getByRole('button', { name: 'Cancel' }).click();
    await closed;
    await stack.knob({ op: 'state', user: 'alice', state: 'active' });
    await getsIn(alice);
  });
}

for (const [state, sentence] of [
  ['suspended', /Your account is suspended on the server, so you cannot chat/],
  ['moved', /Your account has moved/],
  ['disabled', /Your account is disabled on the server, so you cannot chat/],
] as const) {
  test(`an account that becomes ${state} while it chats`, async ({ browser }) => {
    const alice = await Person.enter(browser, stack, 'alice', { prepare: secrets.watch });
    people.push(alice);
    await stack.knob({ op: 'state', user: 'alice', state });
    if (state === 'disabled') {
      // Mastodon tells of this in no webhook. It is asked when the panel connects again, some minutes later.
      await stack.control('age', { seconds: 600 });
      await stack.control('trunkline/kill');
      await stack.control('trunkline/start');
    } else {
      await stack.control('mastodon/webhook', { user: 'alice' });
    }
    await expect(alice.panel.getByText(sentence)).toBeVisible({ timeout: 30_000 });
    expect(await sessionStatus(alice)).toBe(401);
    await stack.knob({ op: 'state', user: 'alice', state: 'active' });
    await alice.login();
    await alice.online();
  });
}

for (const [how, code, sentence] of [
  ['503', 'mastodon_down', /Mastodon server does not answer at the moment/],
  ['html', 'mastodon_invalid', /gave an answer that could not be understood/],
] as const) {
  test(`Mastodon answers ${how}`, async ({ browser }) => {
    const alice = await withChatOpen(browser, 'alice');
    const popup = await asked(alice);
    const address = await wayBack(popup);
    await stack.knob({ op: 'down', how });
    await go(popup, address);
    await says(alice, sentence);
    expect(await sessionStatus(alice)).toBe(401);
    await logged(code);

    // A window that is stranded at Mastodon, and is closed by hand.
    const stranded = await alice.beginLogin();
    await expect(stranded.getByRole('heading', { name: /something went wrong|Welcome to nginx/ })).toBeVisible();
    await stranded.close();
    await expect(alice.panel.getByText('The login window was closed before it was finished.')).toBeVisible();
    await stack.knob({ op: 'down', how: '' });
    await getsIn(alice);
  });
}

test('Mastodon hangs', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const popup = await asked(alice);
  const address = await wayBack(popup);
  await stack.knob({ op: 'down', how: 'hang' });
  const told = go(popup, address);
  await expect(alice.panel.getByRole('button', { name: 'Cancel' })).toBeVisible();
  await stack.knob({ op: 'down', how: '' }); // what hangs ends in an error of the proxy before it
  await told;
  await says(alice, /Mastodon server does not answer at the moment/);

  // And for who does not want to wait. No page of this window ever comes, so there is nothing else to see of it.
  await stack.knob({ op: 'down', how: 'hang' });
  await alice.panel.getByRole('button', { name: 'Try again' }).click();
  await alice.panel.getByRole('button', { name: 'Cancel' }).click();
  await expect(alice.panel.getByRole('button', { name: /^Log in with/ })).toBeVisible();
  await stack.knob({ op: 'down', how: '' });
  await getsIn(alice);
});

test('Mastodon asks to slow down', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const popup = await asked(alice);
  await stack.knob({ op: 'rate_limit', n: 1 });
  await allow(popup).click();
  await says(alice, /Too many people are signing in right now/);
  await logged('mastodon_busy');
  await getsIn(alice);
});

test('a name that belonged to another account, until an admin hands it over', async ({ browser }) => {
  const before = await withChatOpen(browser, 'bob');
  await getsIn(before);
  await before.settle({ presence: 'nobody' });
  await stack.knob({ op: 'renew_id', user: 'bob' });
  const bob = await withChatOpen(browser, 'bob');
  await bob.login();
  await says(bob, /belongs to an earlier account with your name/);
  expect(await sessionStatus(bob)).toBe(401);
  await logged('name_taken');
  const advice = /trunkline (account rebind bob \w+)/.exec(await stack.log())?.[1];
  expect(advice, 'the log tells the admin what to run').toBeTruthy();
  await stack.control('trunkline/run', { args: advice?.split(' ') });
  await expect(before.panel.getByText(/Your session has ended/)).toBeVisible();
  expect(await sessionStatus(before)).toBe(401);
  await getsIn(bob);
});

test('the window is blocked: the way over the page itself leads back to where one was', async ({ browser }) => {
  const path = '/@carol/109?from=search';
  const alice = await arrive(browser, 'alice', {
    path,
    prepare: async (context) => {
      await context.addInitScript(() => { window.open = () => null; });
    },
  });
  await alice.openChat();
  await alice.panel.getByRole('button', { name: /^Log in with/ }).click();
  await expect(alice.panel.getByText('The window was blocked')).toBeVisible();
  await alice.panel.getByRole('link', { name: 'Log in on this page' }).click();
  await alice.page.getByRole('button', { name: 'Deny' }).click();
  await says(alice, /did not allow/i);
  await expect(alice.page.locator('trunkline-chat'), 'the chat is open again').toHaveAttribute('data-open', '');
  expect(alice.page.url()).toBe(stack.addresses.mastodon + path);

  await alice.panel.getByRole('button', { name: 'Try again' }).click();
  await alice.panel.getByRole('link', { name: 'Log in on this page' }).click();
  await allow(alice.page).click();
  await isIn(alice);
  await expect(alice.page.locator('trunkline-chat')).toHaveAttribute('data-open', '');
  expect(alice.page.url()).toBe(stack.addresses.mastodon + path);
});

test('two logins at once in one browser, ended in the other order', async ({ browser }) => {
  const alice = await withChatOpen(browser, 'alice');
  const second = await alice.tab();
  await second.openChat();
  const one = await asked(alice);
  const two = await asked(second);
  await answerMastodon(two, 'alice');
  await isIn(second);
  await answerMastodon(one, 'alice');
  await isIn(alice);
  await alice.page.reload();
  await alice.openChat();
  await isIn(alice);
});

test('where the server says so, an account that has moved is told so', async ({ browser }) => {
  const mode: Mode = 'gotosocial';
  const other = await Stack.start({ mode });
  try {
    const alice = await Person.arrive(browser, other, 'alice', { prepare: secrets.watch });
    people.push(alice);
    await alice.openChat();
    await other.knob({ op: 'state', user: 'alice', state: 'moved' });
    await alice.login();
    await says(alice, /Your account has moved/);
    await secrets.areInNoLog(other, ['code', 'state', 'cookie', 'token']);
    await other.knob({ op: 'state', user: 'alice', state: 'active' });
    await getsIn(alice);
  } finally {
    await other.stop();
  }
});
