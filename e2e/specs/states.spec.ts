// Every state of the panel in the real page: judged for accessibility, and drawn for people to look at.
import { expect, test } from '@playwright/test';
import { judge } from '../support/axe.ts';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';

const looks = [
  { look: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { look: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { look: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
] as const;

for (const { look, ...options } of looks) {
  test(`the states of the panel, ${look}`, async ({ browser }) => {
    const stack = await Stack.start({ follows: 60 });
    try {
      const bob = await Person.ready(browser, stack, 'bob', { presence: 'contacts' }, ['alice']);
      const alice = await Person.arrive(browser, stack, 'alice', options);
      await expect(alice.launcher).toBeVisible();
      await alice.page.screenshot({ path: `screenshots/${look}-00-launcher.png` });
      await alice.openChat();
      await expect(alice.panel.getByRole('button', { name: /^Log in/ })).toBeVisible();
      await judge(alice, `${look}-01-signed-out`);
      await alice.login();
      await expect(alice.panel.getByRole('button', { name: 'Continue' })).toBeVisible();
      await judge(alice, `${look}-02-address`);
      await alice.panel.getByRole('button', { name: 'Continue' }).click();
      await judge(alice, `${look}-03-consent`);
      await alice.consent({ presence: 'contacts' });
      await alice.panel.getByRole('button', { name: 'Continue' }).click();
      await alice.panel.getByRole('searchbox', { name: 'Search the people you follow' }).fill('bob');
      await alice.panel.getByRole('checkbox', { name: /@bob\b/ }).check();
      await alice.panel.getByRole('searchbox', { name: 'Search the people you follow' }).fill('');
      await judge(alice, `${look}-04-people`);
      await alice.panel.getByRole('button', { name: /^Add \d/ }).click();
      await expect(alice.panel.getByText(/^Done: \d/)).toBeVisible();
      await judge(alice, `${look}-05-added`);
      await alice.panel.getByRole('button', { name: 'Start chatting' }).click();
      await alice.online();
      await judge(alice, `${look}-06-list`);
      await bob.open('alice');
      for (const text of ['Hello Alice!', 'Have you seen the programme for Saturday? https://social.example/@carol/1', 'It is long: ' + 'word '.repeat(60), 'a'.repeat(200), '👋']) {
        await bob.say(text);
      }
      await expect(alice.row('bob')).toContainText('5 unread');
      await judge(alice, `${look}-07-unread`);
      await alice.open('bob');
      await alice.hears('Hello Alice!');
      await alice.say('Yes! I will be there at ten.');
      await bob.hears('Yes! I will be there at ten.');
      await judge(alice, `${look}-08-conversation`);
      await alice.back();
      await alice.panel.getByRole('button', { name: 'Settings' }).click();
      await judge(alice, `${look}-09-settings`);
      await alice.back();
      await stack.control('front/down');
      await expect(alice.panel.getByText(/Connection lost|does not answer/).first()).toBeVisible();
      await judge(alice, `${look}-10-reconnecting`);
      await stack.control('front/up');
      await alice.online();
      await alice.signOut();
      await judge(alice, `${look}-11-after-sign-out`);
    } finally {
      await stack.stop();
    }
  });
}
