// What others see of a person, watched from the outside by somebody who is allowed to see them.
import { expect, test, type Browser } from '@playwright/test';
import { Native } from '../support/native.ts';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';

/** Alice in the panel, bob at the XMPP server itself, each subscribed to the other's presence. */
async function watched(browser: Browser, stack: Stack): Promise<{ alice: Person; bob: Native }> {
  const first = await Person.ready(browser, stack, 'bob', { presence: 'contacts' });
  await first.close();
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' }, ['bob']);
  // Mutual subscriptions are made by native clients of both, as from years before.
  const phone = await Native.login(stack, 'alice');
  const bob = await Native.login(stack, 'bob');
  await phone.send("<presence to='bob@social.example' type='subscribe'/>");
  await bob.sees(/type=['"]subscribe['"]/);
  await bob.send("<presence to='alice@social.example' type='subscribed'/>");
  await bob.send("<presence to='alice@social.example' type='subscribe'/>");
  await phone.sees(/type=['"]subscribe['"]/);
  await phone.send("<presence to='bob@social.example' type='subscribed'/>");
  await bob.sees(/type=['"]subscribed['"]/);
  await phone.sync();
  await phone.logout();
  await bob.sees(/<presence[^>]*alice@social\.example\/phone[^>]*type=['"]unavailable['"]|<presence[^>]*type=['"]unavailable['"][^>]*alice@social\.example\/phone/);
  await bob.logout();
  return { alice, bob: await Native.login(stack, 'bob') };
}

for (const noPrivacyLists of [false, true]) {
  test(`nothing is shown before consent, and at once no more after it is withdrawn, ${noPrivacyLists ? 'without' : 'with'} privacy lists`, async ({ browser }) => {
    const stack = await Stack.start({ noPrivacyLists });
    try {
      const { alice, bob } = await watched(browser, stack);
      if (noPrivacyLists) await expect(alice.panel.getByText(/new messages may come some seconds late/)).toBeVisible();
      await alice.page.reload();
      await alice.openChat();
      await alice.online();
      await bob.send("<message to='alice@social.example' type='chat' id='m1'><body>Seen?</body><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>");
      await alice.open('bob');
      await alice.hears('Seen?');
      await alice.composer.pressSequentially('I am typing this');
      await alice.composer.press('Enter');
      await bob.sees(/I am typing this/);
      await bob.sync();
      expect(await bob.signals('alice'), 'hidden').toEqual([]);

      await alice.back();
      await alice.changeConsent({ presence: 'contacts', typing: true, receipts: true });
      await bob.sees(/<presence[^>]*from=['"]alice@social\.example\//);
      await alice.back();
      await bob.send("<message to='alice@social.example' type='chat' id='m2'><body>And now?</body><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>");
      await alice.open('bob');
      await alice.hears('And now?');
      await alice.composer.pressSequentially('typing');
      await bob.sees(/<composing/);
      await bob.sees(/<received[^>]*id=['"]m2['"]/);

      await alice.back();
      const before = (await bob.seen()).length;
      await alice.changeConsent({ presence: 'nobody' });
      await expect.poll(async () => (await bob.seen()).slice(before).filter((xml) => xml.startsWith('<presence')).length).toBe(1);
      await bob.sync();
      const after = (await bob.seen()).slice(before).filter((xml) => xml.startsWith('<presence'));
      expect(after[0]).toMatch(/type=['"]unavailable['"]/);

      await alice.back();
      const hidden = (await bob.signals('alice')).length;
      await bob.send("<message to='alice@social.example' type='chat' id='m3'><body>Still there?</body><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>");
      await alice.open('bob');
      await alice.hears('Still there?');
      await alice.say('Hidden again');
      await bob.sees(/Hidden again/);
      await bob.sync();
      expect((await bob.signals('alice')).length, 'hidden again').toBe(hidden);
    } finally {
      await stack.stop();
    }
  });
}

test('who is hidden takes a permission back and removes a contact, and is not seen doing it', async ({ browser }) => {
  const stack = await Stack.start();
  try {
    const { alice, bob } = await watched(browser, stack);
    await alice.page.reload();
    await alice.openChat();
    await alice.online();
    await alice.open('bob');
    await alice.panel.getByRole('button', { name: 'About this contact' }).click();
    await alice.panel.getByRole('button', { name: /^Stop showing/ }).click();
    await bob.sees(/<presence[^>]*type=['"]unsubscribed['"]/);
    await bob.send("<message to='alice@social.example' type='chat'><body>Still live?</body></message>");
    await alice.hears('Still live?');
    const remove = alice.panel.getByRole('button', { name: 'Remove from my contacts' });
    if (!(await remove.isVisible())) await alice.panel.getByRole('button', { name: 'About this contact' }).click();
    await remove.click();
    await alice.panel.getByRole('button', { name: 'Remove', exact: true }).click();
    await bob.sees(/<presence[^>]*type=['"]unsubscribe['"]/);
    await bob.sync();
    expect(await bob.signals('alice')).toEqual([]);
    await alice.signOut();
    await expect.poll(async () => /stream ended/.test(await stack.control<string>('trunkline/log'))).toBe(true);
    await bob.sync();
    expect(await bob.signals('alice'), 'leaving is not seen either').toEqual([]);
  } finally {
    await stack.stop();
  }
});
