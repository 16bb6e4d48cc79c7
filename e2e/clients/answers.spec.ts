// What the plugin of contrib/converse makes of the answers to credentials_url that are no password: when the page asks
// again, by its own clock, and what people are told.
import { expect, test, type Browser, type Page, type Route } from '@playwright/test';
import { Stack } from '../support/stack.ts';
import { ConversePage } from './converse.ts';

let stack: Stack;

test.beforeAll(async () => {
  stack = await Stack.start({ converse: true });
});

test.afterAll(async () => {
  await stack.stop();
});

const CREDENTIALS = '**/api/v1/credentials';
/** Steps of the page's clock, one after the other. */
const PATIENT = { intervals: [20], timeout: 120_000 };
/** A timer of the page may be so much early by its Date, in milliseconds. */
const ROUNDING = 100;

interface Diary {
  /** When each password was asked for, in milliseconds of the page's clock. */
  asked: number[];
  /** The waits that the page was told of, in seconds, and when. */
  waits: { seconds: number; at: number }[];
}

/** Opens the page with a clock to be moved, a diary of what the plugin does, and these answers for it. */
async function visit(browser: Browser, answer: (route: Route, page: Page) => Promise<unknown>,
  prepare?: (page: Page) => Promise<unknown>): Promise<ConversePage> {
  return ConversePage.open(browser, stack, async (page) => {
    await page.clock.install();
    await page.addInitScript(() => {
      const diary: Diary = { asked: [], waits: [] };
      Object.assign(window, { diary });
      const own = XMLHttpRequest.prototype;
      const proxy = (name: 'open' | 'send', before: (xhr: XMLHttpRequest, args: unknown[]) => void): void => {
        const method = Reflect.get(own, name) as (...args: unknown[]) => void;
        Reflect.set(own, name, new Proxy(method, {
          apply(_, xhr: XMLHttpRequest, args) {
            before(xhr, args);
            Reflect.apply(method, xhr, args);
          },
        }));
      };
      const questions = new WeakSet<XMLHttpRequest>();
      proxy('open', (xhr, args) => {
        if (String(args[1]).endsWith('/api/v1/credentials')) questions.add(xhr);
      });
      proxy('send', (xhr) => {
        if (questions.has(xhr)) diary.asked.push(Date.now());
      });
      addEventListener('trunkline:waiting', (event) => {
        diary.waits.push({ seconds: (event as CustomEvent<{ seconds: number }>).detail.seconds, at: Date.now() });
      });
    });
    await prepare?.(page);
    await page.route(CREDENTIALS, (route) => answer(route, page));
  });
}

const diaryOf = (alice: ConversePage): Promise<Diary> => alice.page.evaluate(() => (window as unknown as { diary: Diary }).diary);

/** Moves the clock until the plugin has told so many waits. */
async function waited(alice: ConversePage, times: number, step = 5): Promise<void> {
  await expect.poll(async () => {
    const { length } = (await diaryOf(alice)).waits;
    if (length < times) await alice.minutes(step / 60, step);
    return length;
  }, { message: 'waits', ...PATIENT }).toBeGreaterThanOrEqual(times);
}

/** Moves the clock until it gives up, and holds what it did meanwhile: nine questions at growing distances. */
async function givesUp(alice: ConversePage): Promise<void> {
  await expect.poll(async () => {
    await alice.minutes(1 / 12, 5);
    return alice.told('stopped');
  }, { message: 'it gives up', ...PATIENT }).toBe(1);
  const { asked, waits } = await diaryOf(alice);
  expect(asked.length, 'questions').toBe(9);
  expect(waits.length, 'waits').toBe(8);
  waits.forEach(({ seconds, at }, n) => {
    const most = Math.min(60, 2 ** (n + 1));
    expect(seconds, `wait ${String(n + 1)}`).toBeGreaterThanOrEqual(most / 2);
    expect(seconds, `wait ${String(n + 1)}`).toBeLessThanOrEqual(most);
    expect((asked[n + 1] ?? 0) - at, `after wait ${String(n + 1)}`).toBeGreaterThanOrEqual(seconds * 1000 - ROUNDING);
  });
  await alice.minutes(10);
  expect(alice.asked, 'ten minutes later').toBe(9);
}

test('403: the reason is shown, and nobody asks again but a person', async ({ browser }) => {
  let sentence: string | undefined = 'Your account is <b>locked</b>.';
  const alice = await visit(browser, (route) => route.fulfill(sentence === undefined
    ? { status: 403, contentType: 'text/html', body: '<h1>Forbidden</h1>' }
    : { status: 403, json: { error: 'account_locked', message: sentence } }));
  await expect(alice.notice).toContainText('Your account is <b>locked</b>.');
  await alice.minutes(10);
  expect(alice.asked, 'in ten minutes').toBe(1);
  expect(await alice.events()).toEqual(['refused']);
  await expect(alice.page.locator('converse-root'), 'no form for passwords').toBeHidden();

  sentence = undefined; // a proxy's page
  await alice.notice.getByRole('button', { name: 'Try again' }).click();
  await expect(alice.notice).toContainText('You may not use the chat.');
  await alice.minutes(10);
  expect(alice.asked).toBe(2);
  expect(await alice.events()).toEqual(['refused', 'refused']);
  await alice.close();
});

test('429: as long as Retry-After says, as a number or a date, and no longer than a day', async ({ browser }) => {
  const answers: ((now: number) => string)[] = [
    () => '90',
    (now) => new Date(now + 120_000).toUTCString(),
    () => 'soon',
    () => '99999999999',
  ];
  const alice = await visit(browser, async (route, page) => {
    const answer = answers.shift();
    if (!answer) return route.continue();
    const after = answer(await page.evaluate(() => Date.now()));
    return route.fulfill({ status: 429, headers: { 'Retry-After': after }, json: { error: 'rate_limited', message: 'Too many.' } });
  });
  await waited(alice, 3);
  const { asked, waits } = await diaryOf(alice);
  const [number, date, neither] = waits.map(({ seconds }) => seconds);
  expect(number, 'a number').toBe(90);
  expect(date, 'a date').toBeGreaterThan(60); // the way to the page may have taken some of it
  expect(date, 'a date').toBeLessThanOrEqual(120);
  expect(neither, 'neither').toBeLessThanOrEqual(8);
  expect(asked.length).toBe(3);
  for (const n of [0, 1]) {
    const wait = waits[n] ?? { seconds: NaN, at: NaN };
    expect((asked[n + 1] ?? 0) - wait.at, 'it is obeyed').toBeGreaterThanOrEqual(wait.seconds * 1000 - ROUNDING);
  }
  await waited(alice, 4);
  expect((await diaryOf(alice)).waits[3]?.seconds, 'a day').toBe(86_400);
  await alice.minutes(60, 600);
  expect(alice.asked, 'an hour later').toBe(4);
  await alice.notice.getByRole('button', { name: 'Try now' }).click();
  await expect(alice.notice).toContainText('You are signed out');
  expect(alice.asked).toBe(5);
  await alice.close();
});

test('nobody answers: fewer and fewer questions, and none in the end', async ({ browser }) => {
  const alice = await visit(browser, (route) => route.abort('connectionrefused'));
  await givesUp(alice);
  await expect(alice.notice).toContainText('cannot be reached');
  await alice.close();
});

test('an answer that does not come is not waited for for ever', async ({ browser }) => {
  // The patience is the browser's own, which the page's clock does not move: it is kept here, and a shorter one set.
  const alice = await visit(browser, () => Promise.resolve(), async (page) => page.addInitScript(() => {
    const patience: number[] = [];
    Object.assign(window, { patience });
    const own = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, 'timeout');
    Object.defineProperty(XMLHttpRequest.prototype, 'timeout', {
      set(milliseconds: number) {
        patience.push(milliseconds);
        own?.set?.call(this, 200);
      },
    });
  }));
  await givesUp(alice);
  expect(new Set(await alice.page.evaluate(() => (window as unknown as { patience: number[] }).patience))).toEqual(new Set([30_000]));
  await expect(alice.notice).toContainText('cannot be reached');
  await alice.close();
});
