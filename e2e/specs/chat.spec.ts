// The whole way, once for each kind of server: two people log in, choose what to show, add each other and chat.
import { expect, test } from '@playwright/test';
import { Person } from '../support/person.ts';
import { Stack, type Mode } from '../support/stack.ts';

for (const mode of ['4.6', '4.3', 'gotosocial'] satisfies Mode[]) {
  test(`two people chat, on a server like ${mode}`, async ({ browser }) => {
    const stack = await Stack.start({ mode });
    try {
      const alice = await Person.arrive(browser, stack, 'alice');
      await alice.openChat();
      await alice.login();
      await expect(alice.panel.getByText('alice@social.example', { exact: true })).toBeVisible();
      await alice.panel.getByRole('button', { name: 'Continue' }).click();
      for (const kind of ['radio', 'checkbox'] as const) {
        for (const box of await alice.panel.getByRole(kind).all()) await expect(box, 'nothing is preselected').not.toBeChecked();
      }
      await alice.consent({ presence: 'nobody' });
      await alice.panel.getByRole('button', { name: 'Continue' }).click();
      await expect(alice.panel.getByRole('checkbox', { name: /@bob\b/ })).not.toBeChecked();
      await alice.pickPeople(['bob']);

      const bob = await Person.arrive(browser, stack, 'bob');
      await bob.openChat();
      await bob.login();
      await bob.settle({ presence: 'nobody' }, ['alice']);

      await alice.open('bob');
      await alice.say('Hello Bob <b>not bold</b>');
      await expect(bob.row('alice')).toContainText('1 unread');
      await bob.open('alice');
      await bob.hears('Hello Bob <b>not bold</b>');
      await bob.say('Hello Alice');
      await alice.hears('Hello Alice');

      await alice.page.reload();
      await alice.openChat();
      await alice.online();
      await alice.open('bob');
      await alice.hears('Hello Bob <b>not bold</b>');
      await alice.hears('Hello Alice');

      await bob.launcher.click();
      await expect(bob.launcher).toHaveAttribute('aria-expanded', 'false');
      await alice.say('Are you there?');
      await expect(bob.launcher).toHaveAccessibleName(/1 unread/);
      await bob.page.reload();
      await expect(bob.launcher, 'unread survives a reload').toHaveAccessibleName(/1 unread/);
      await bob.openChat();
      await bob.open('alice');
      await bob.hears('Are you there?');
      await bob.back();
      await expect(bob.row('alice')).not.toContainText('unread');
      await expect(bob.launcher).not.toHaveAccessibleName(/unread/);
    } finally {
      await stack.stop();
    }
  });
}
