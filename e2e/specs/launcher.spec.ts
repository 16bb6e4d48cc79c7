// The launcher on the real page: where it shows itself, what it loads when, and how it gets along with the page.
import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import { Native } from '../support/native.ts';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
test.beforeAll(async () => {
  stack = await Stack.start();
});
test.afterAll(() => stack.stop());

/** What a browser complains about, on whichever page of it. */
function complaints(context: BrowserContext): string[] {
  const all: string[] = [];
  context.on('console', (message) => {
    if (/Content.Security.Policy|Refused to/i.test(message.text())) all.push(message.text());
  });
  context.on('weberror', (error) => all.push(String(error.error())));
  return all;
}

const app = '<div id="mastodon"></div>';
const state = (meta: string): string => `<script id="initial-state" type="application/json">{"meta":{${meta}}}</script>`;
const embed = '<script src="/trunkline/embed.js" defer></script>';

test('it shows itself on the app, to who is signed in, at the top of the window, and nowhere else', async ({ browser }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const broken: Error[] = [];
  page.on('pageerror', (error) => broken.push(error));
  const shows = async (body: string): Promise<number> => {
    await page.route('**/made-up', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><title>x</title>${body}` }));
    await page.route('**/inner', (route) => route.fulfill({ contentType: 'text/html', body: app + state('"me":"1"') + embed }));
    const script = page.waitForResponse('**/trunkline/embed.js');
    await page.goto(`${stack.addresses.mastodon}/made-up`); // waits for deferred scripts, those of frames too
    expect((await script).status(), 'the script is there').toBe(200);
    const found = await Promise.all(page.frames().map((frame) => frame.locator('trunkline-chat').count()));
    return found.reduce((sum, count) => sum + count, 0);
  };
  expect(await shows(app + state('"me":"1"') + embed)).toBe(1);
  expect(await shows(app + state('"me":"1"') + embed + embed), 'two tags').toBe(1);
  expect(await shows(state('"me":"1"') + embed), 'no app').toBe(0);
  expect(await shows(app + embed), 'no state').toBe(0);
  expect(await shows(app + state('') + embed), 'signed out').toBe(0);
  expect(await shows(app + state('"disabled_account_id":"1"') + embed), 'may not use the app').toBe(0);
  expect(await shows('<iframe src="/inner"></iframe>'), 'in a frame').toBe(0);

  const signedOut = page.waitForResponse('**/trunkline/embed.js');
  await page.goto(`${stack.addresses.mastodon}/`);
  expect((await signedOut).status()).toBe(200);
  await expect(page.locator('#mastodon')).toBeVisible();
  await expect(page.locator('trunkline-chat')).toHaveCount(0);
  expect(broken).toEqual([]);
  await context.close();
});

test('before its first use nothing is loaded from the chat, and no cookie is set', async ({ browser }) => {
  const asked: string[] = [];
  const alice = await Person.arrive(browser, stack, 'alice', {
    prepare: (context) => {
      context.on('request', (request) => asked.push(request.url()));
    },
  });
  await expect(alice.launcher).toBeVisible();
  expect(asked).toContain(`${stack.addresses.mastodon}/trunkline/embed.js`);
  expect(asked.filter((url) => url.startsWith(stack.addresses.chat))).toEqual([]);
  await expect(alice.page.locator('trunkline-chat iframe')).toHaveCount(0);
  expect((await alice.context.cookies()).map(({ name }) => name)).toEqual(['_mastodon_session']);
  for (const origin of [stack.addresses.mastodon, stack.addresses.chat]) {
    const script = await fetch(`${origin}/trunkline/embed.js`, { headers: { cookie: 'trunkline_session=x; _mastodon_session=y' } });
    expect(script.status).toBe(200);
    expect(script.headers.get('set-cookie'), origin).toBeNull();
  }
  await alice.openChat();
  await expect(alice.page.locator('trunkline-chat iframe')).toHaveCount(1);
  await alice.close();
});

test('after its first use it counts in the background what is unread', async ({ browser }) => {
  const alice = await Person.enter(browser, stack, 'alice');
  await (await Person.enter(browser, stack, 'bob')).close();
  const bob = await Native.login(stack, 'bob');
  await alice.launcher.click();
  await alice.page.reload();
  await alice.online();
  await expect(alice.launcher).toHaveAccessibleName('Open chat');
  await bob.send("<message to='alice@social.example' type='chat' id='u1'><body>psst</body></message>");
  await expect(alice.launcher).toHaveAccessibleName('Open chat, 1 unread');
  await expect(alice.page.locator('trunkline-chat')).not.toHaveAttribute('data-open');
  await expect(alice.page.locator('trunkline-chat iframe')).toBeHidden();
  await alice.openChat();
  await expect(alice.row('bob')).toContainText('1 unread');
  await alice.close();
});

async function theme(alice: Person): Promise<string> {
  return alice.frame.evaluate(() => `${document.documentElement.dataset['theme'] ?? ''} ${document.documentElement.dataset['contrast'] ?? ''}`);
}

/** The background of the panel as it is painted: light or dark. */
async function painted(alice: Person): Promise<string> {
  return alice.frame.evaluate(() => {
    const colours = [document.querySelector('.panel'), document.body, document.documentElement]
      .map((element) => (element ? getComputedStyle(element).backgroundColor.match(/[\d.]+/g) ?? [] : []).map(Number));
    const [r = 0, g = 0, b = 0] = colours.find(([, , , alpha = 1]) => alpha > 0) ?? [];
    return r + g + b > 382 ? 'light' : 'dark';
  });
}

for (const mode of ['4.6', '4.3'] as const) {
  test(`it looks as the page does and leaves the page its keys, ${mode}`, async ({ browser }) => {
    const own = mode === '4.6' ? stack : await Stack.start({ mode });
    const alice = await Person.enter(browser, own, 'alice');
    const { page } = alice;
    await alice.launcher.click(); // the open chat lies over the switch; closed, it follows all the same
    const choose = (name: string): Promise<void> => page.locator('[data-js=appearance]').getByText(name, { exact: true }).click();
    for (const name of ['Dark', 'Light', 'Dark']) {
      await choose(name);
      await expect.poll(() => theme(alice)).toBe(`${name.toLowerCase()} default`);
      await expect.poll(() => painted(alice)).toBe(name.toLowerCase());
    }
    await choose('High contrast');
    await expect.poll(() => theme(alice)).toBe('dark high');
    await choose('High contrast');
    await choose('Auto'); // the system's, which is light here
    await expect.poll(() => theme(alice)).toBe('light default');

    await alice.openChat();
    const shortcuts = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await alice.open('bob');
    await alice.composer.pressSequentially('?ns/fbjk');
    await expect(alice.composer).toHaveValue('?ns/fbjk');
    await expect(alice.composer).toBeFocused();
    await expect(shortcuts).toBeHidden();
    await alice.composer.fill('');
    await alice.launcher.focus();
    await page.keyboard.press('?');
    await page.keyboard.press('n');
    await expect(alice.launcher, 'no shortcut took the focus').toBeFocused();
    await expect(shortcuts).toBeHidden();
    await page.locator('#main').focus();
    await page.keyboard.press('?');
    await expect(shortcuts, 'the page has such a shortcut').toBeVisible();
    await alice.close();
    if (own !== stack) await own.stop();
  });
}

async function focusIsInPanel(page: Page): Promise<boolean> {
  return page.evaluate(() => document.querySelector('trunkline-chat')?.shadowRoot?.activeElement?.tagName === 'IFRAME');
}

test('it opens and closes by keyboard, and the focus comes back', async ({ browser }) => {
  const alice = await Person.enter(browser, stack, 'alice');
  const host = alice.page.locator('trunkline-chat');
  await alice.open('bob');
  await alice.composer.press('Escape');
  await expect(host).not.toHaveAttribute('data-open');
  await expect(alice.launcher).toBeFocused();
  await expect(alice.page.locator('trunkline-chat iframe')).toBeHidden();
  await alice.page.keyboard.press('Enter');
  await expect(host).toHaveAttribute('data-open', '');
  await expect.poll(() => focusIsInPanel(alice.page)).toBe(true);
  await expect(alice.composer, 'work goes on where it was left').toBeFocused();
  await alice.launcher.focus();
  await alice.page.keyboard.press('Escape');
  await expect(host).not.toHaveAttribute('data-open');
  await expect(alice.launcher).toBeFocused();
  await expect(alice.launcher).toHaveAttribute('aria-expanded', 'false');
  await alice.close();
});

test("page, panel and login window live within each other's policies", async ({ browser }) => {
  let seen: string[] = [];
  const alice = await Person.enter(browser, stack, 'alice', {
    prepare: (context) => {
      seen = complaints(context);
    },
  });
  await alice.open('bob');
  await alice.say('Hello https://social.example/@bob 👋');
  await alice.hears('Hello https://social.example/@bob 👋');
  await alice.back();
  await alice.signOut();
  expect(seen).toEqual([]);
  // The policies are there, in page and panel, and a breach of them would have been seen.
  const inline = (): void => {
    const script = document.createElement('script');
    script.textContent = 'window.__broken = true';
    document.body.append(script);
  };
  await alice.frame.evaluate(inline);
  await expect.poll(() => seen.length).toBe(1);
  await alice.page.evaluate(inline);
  await expect.poll(() => seen.length).toBe(2);
  await alice.close();
});
