// Two thousand follows: all of them arrive once, the panel stays usable meanwhile, and only who was ticked is asked.
import { expect, test, type Frame } from '@playwright/test';
import { Native } from '../support/native.ts';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';

const FOLLOWS = 2_000;

/** Begins to watch how long the panel draws nothing; the result ends the watch and tells the longest gap in milliseconds. */
async function watchGaps(frame: Frame): Promise<() => Promise<number>> {
  await frame.evaluate(() => {
    const watch = { longest: 0, last: performance.now(), on: true };
    Object.assign(window, { __gaps: watch });
    const drawn = (at: number): void => {
      watch.longest = Math.max(watch.longest, at - watch.last);
      watch.last = at;
      if (watch.on) requestAnimationFrame(drawn);
    };
    requestAnimationFrame(drawn);
  });
  return () => frame.evaluate(() => {
    const { __gaps: watch } = window as unknown as { __gaps: { longest: number; on: boolean } };
    watch.on = false;
    return Math.round(watch.longest);
  });
}

/** The addresses on a person's contact list, as the XMPP server has it, those with an open request apart. */
async function roster(stack: Stack, user: string): Promise<{ all: string[]; asked: string[]; groups: Set<string> }> {
  const native = await Native.login(stack, user);
  await native.send("<iq type='get' id='whole-roster'><query xmlns='jabber:iq:roster'/></iq>");
  await native.sees(/id=['"]whole-roster['"]/);
  const xml = (await native.seen()).find((stanza) => /id=['"]whole-roster['"]/.test(stanza)) ?? '';
  await native.logout();
  const items = xml.match(/<item [^>]*>/g) ?? [];
  const address = (item: string): string => /jid=['"]([^'"]+)/.exec(item)?.[1] ?? '';
  return {
    all: items.map(address),
    asked: items.filter((item) => /ask=['"]subscribe/.test(item)).map(address),
    groups: new Set([...xml.matchAll(/<group>([^<]*)/g)].map(([, name]) => name ?? '')),
  };
}

test('two thousand follows are imported, once each, while the panel goes on working', async ({ browser }) => {
  test.setTimeout(240_000); // the XMPP server writes the whole list anew for each of them
  const stack = await Stack.start({ follows: FOLLOWS });
  try {
    for (const name of ['bob', 'carol']) await (await Person.ready(browser, stack, name, { presence: 'contacts' })).close();
    const bob = await Native.login(stack, 'bob');
    const carol = await Native.login(stack, 'carol');

    const alice = await Person.arrive(browser, stack, 'alice');
    const { panel } = alice;
    await alice.openChat();
    await alice.login();
    await panel.getByRole('button', { name: 'Continue' }).click();
    await alice.consent({ presence: 'nobody' });
    const loading = await watchGaps(alice.frame);
    await panel.getByRole('button', { name: 'Continue' }).click();
    const search = panel.getByRole('searchbox', { name: 'Search the people you follow' });
    await search.fill('bob'); // while the pages come in
    await expect(panel.getByRole('checkbox', { name: /@bob\b/ })).toBeVisible({ timeout: 30_000 });
    await search.fill('');
    await expect(panel.getByRole('status').filter({ hasText: /so far|slow down/ }), 'all pages are there').toHaveCount(0, { timeout: 120_000 });
    const line = await panel.getByText(/people can be reached$/).textContent();
    const reachable = Number((line ?? '').replace(/\D/g, ''));
    expect(reachable, 'a third of them is local, half of the others has an address').toBeGreaterThan(FOLLOWS / 2);

    for (const box of await panel.getByRole('checkbox').all()) await expect(box, 'nobody is preselected').not.toBeChecked();
    await panel.getByRole('button', { name: 'Select all' }).click();
    await search.fill('bob lindqvist');
    await panel.getByRole('checkbox', { name: /^Ask .*Bob/ }).check();
    await search.fill('');
    const loadingGap = await loading();

    const newest = /@(\w+)/.exec(await panel.getByRole('list', { name: 'People you follow' }).getByRole('listitem').first().innerText())?.[1] ?? '';
    const importing = await watchGaps(alice.frame);
    const started = Date.now();
    await panel.getByRole('button', { name: `Add ${reachable.toLocaleString('en')} people` }).click();
    await expect(panel.getByText(/^[1-9][\d,]* of [\d,]+$/), 'it is under way').toBeVisible();
    await panel.getByRole('button', { name: 'Go to your chats' }).click();
    await panel.getByRole('searchbox', { name: 'Search your chats' }).fill(newest); // the first to be added
    await expect(alice.row(newest)).toBeVisible();
    await panel.getByRole('button', { name: 'Write to an address' }).click();
    await panel.getByRole('textbox', { name: 'Chat address' }).fill('carol@social.example');
    await panel.getByRole('button', { name: 'Chat', exact: true }).click();
    await alice.say('Are you there while I move in?');
    await carol.sees(/Are you there while I move in\?/);
    const session = await (await alice.context.request.get(`${stack.addresses.chat}/api/v1/session`)).json() as { active_import: string | null };
    expect(session.active_import, 'all this while the import goes on').not.toBeNull();
    await alice.back();
    await panel.getByRole('searchbox', { name: 'Search your chats' }).fill('');
    await panel.getByRole('button', { name: 'Add people you follow' }).click();
    await expect(panel.getByText(`Done: ${reachable.toLocaleString('en')} people added.`)).toBeVisible({ timeout: 180_000 });
    const took = Date.now() - started;
    const importingGap = await importing();
    process.stdout.write(`  ${String(reachable)} people added in ${String(took)} ms; longest gap between frames: `
      + `${String(loadingGap)} ms while ${String(FOLLOWS)} follows were loaded, ${String(importingGap)} ms during the import\n`);

    const { all, asked, groups } = await roster(stack, 'alice');
    expect(all.length).toBe(reachable);
    expect(new Set(all).size, 'nobody twice').toBe(reachable);
    expect(groups).toEqual(new Set(['Mastodon']));
    expect(asked).toEqual(['bob@social.example']);
    await bob.sees(/<presence[^>]*type=['"]subscribe['"]/);
    await carol.sync();
    const toCarol = (await carol.seen()).filter((xml) => xml.startsWith('<presence') && xml.includes('alice@'));
    expect(toCarol, 'who was not ticked is not asked, and sees nothing').toEqual([]);

    await panel.getByRole('button', { name: 'Start chatting' }).click();
    const people = panel.getByRole('list', { name: 'People' }).getByRole('listitem');
    await expect(people.first()).toHaveAttribute('aria-setsize', String(reachable));
  } finally {
    await stack.stop();
  }
});
