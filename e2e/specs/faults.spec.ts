// What happens on a bad day: servers that die, networks that break, tabs that are duplicated.
import { expect, test } from '@playwright/test';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';

test.describe('two people who chat', () => {
  let stack: Stack;
  let alice: Person;
  let bob: Person;

  test.beforeEach(async ({ browser }) => {
    stack = await Stack.start();
    alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' }, ['bob']);
    bob = await Person.ready(browser, stack, 'bob', { presence: 'contacts', receipts: true }, ['alice']);
    await alice.open('bob');
    await bob.open('alice');
    await alice.say('one');
    await bob.hears('one');
  });

  test.afterEach(async () => {
    await alice.close();
    await bob.close();
    await stack.stop();
  });

  async function stillWhole(words: readonly string[]): Promise<void> {
    for (const word of words) {
      await alice.hears(word);
      await bob.hears(word);
    }
  }

  test('Prosody is killed in the middle: nothing is lost or doubled', async () => {
    await stack.control('server/kill');
    await alice.say('two');
    await bob.say('three');
    await expect(alice.panel.locator('[data-connection]')).not.toHaveAttribute('data-connection', 'online');
    await stack.control('server/start');
    await alice.online();
    await bob.online();
    await alice.say('four');
    await stillWhole(['one', 'two', 'three', 'four']);
  });

  test('the network is cut three times in a row: the stream resumes, nothing is lost or doubled', async () => {
    const words = ['one'];
    for (const round of ['a', 'b', 'c']) {
      await stack.control('front/cut');
      await alice.say(`from alice ${round}`);
      await bob.say(`from bob ${round}`);
      words.push(`from alice ${round}`, `from bob ${round}`);
      await stillWhole(words);
      await alice.online();
      await bob.online();
    }
    const log = await stack.control<string>('server/log');
    expect(log.match(/resum/gi)?.length ?? 0, 'the sessions were resumed at the server').toBeGreaterThan(0);
  });

  test('trunkline is killed and started again: the stream resumes', async () => {
    await stack.control('trunkline/kill');
    await alice.say('two');
    await stack.control('trunkline/start');
    await alice.online();
    await bob.online();
    await bob.say('three');
    await stillWhole(['one', 'two', 'three']);
  });

  test('a reload resumes the same stream', async () => {
    await alice.page.reload();
    await alice.openChat();
    await alice.online();
    await expect(alice.panel.locator('[data-connection]')).toHaveAttribute('data-resumed', 'true');
    await bob.say('two');
    await alice.open('bob');
    await alice.hears('two');
  });

  test('a second tab does not fight the first one', async () => {
    const second = await alice.tab();
    await second.openChat();
    await expect.poll(async () => {
      const kinds = await Promise.all([alice, second].map((tab) => tab.panel.locator('[data-connection]').getAttribute('data-connection')));
      return kinds.filter((kind) => kind === 'online').length;
    }).toBeGreaterThan(0);
    await bob.say('two');
    await expect.poll(async () => (await Promise.all([alice, second].map((tab) => tab.panel.getByText('two', { exact: true }).count()))).some((n) => n > 0)).toBe(true);
    const log = await stack.control<string>('trunkline/log');
    expect(log.match(/stream ended/g)?.length ?? 0, 'no kicking each other out').toBeLessThan(4);
  });
});

test('trunkline is killed in the middle of an import: it goes on without doubles', async ({ browser }) => {
  const stack = await Stack.start({ follows: 400 });
  try {
    const alice = await Person.arrive(browser, stack, 'alice');
    await alice.openChat();
    await alice.login();
    await alice.panel.getByRole('button', { name: 'Continue' }).click();
    await alice.consent({ presence: 'nobody' });
    await alice.panel.getByRole('button', { name: 'Continue' }).click();
    await alice.panel.getByRole('button', { name: 'Select all' }).click();
    await alice.panel.getByRole('button', { name: /^Add \d/ }).click();
    await expect(alice.panel.getByText(/^[1-9]\d* of \d+$/)).toBeVisible();
    await stack.control('trunkline/kill');
    await stack.control('trunkline/start');
    await expect(alice.panel.getByText(/^Done: /).last()).toBeVisible({ timeout: 60_000 });
    const done = await alice.panel.getByText(/^Done: \d/).textContent();
    expect(done).not.toMatch(/not added/);
  } finally {
    await stack.stop();
  }
});
