// Passwords for apps: made in the panel, used at the XMPP server itself, and taken away again.
import { expect, test, type Page } from '@playwright/test';
import { judge } from '../support/axe.ts';
import { Devices } from '../support/devices.ts';
import { Native } from '../support/native.ts';
import { Person } from '../support/person.ts';
import { Secrets } from '../support/secrets.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
test.beforeEach(async () => {
  stack = await Stack.start();
});
test.afterEach(() => stack.stop());

const SECRET = /^tld(-[a-z2-7]{4}){6}$/;

/** What the browser complains of in the panel: policies above all. */
function complaints(page: Page): string[] {
  const all: string[] = [];
  page.on('console', (line) => {
    if (line.type() === 'error' || line.type() === 'warning') all.push(`${line.location().url}: ${line.text()}`);
  });
  page.on('pageerror', (error) => all.push(String(error)));
  return all;
}

/** The list as the API tells it to this person's browser. */
async function told(person: Person): Promise<{ id: string; name: string }[]> {
  return person.frame.evaluate(async () => {
    const answer = await fetch('/api/v1/devices');
    return ((await answer.json()) as { devices: { id: string; name: string }[] }).devices;
  });
}

test('a password for an app: made, used, seen to be used, taken away, and the app is signed out', async ({ browser }) => {
  const secrets = new Secrets();
  const bob = await Person.ready(browser, stack, 'bob', { presence: 'nobody' });
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' }, ['bob'], { prepare: secrets.watch });
  const wrong = complaints(alice.page);
  const devices = await Devices.open(alice);
  await expect(alice.panel.getByText('No device passwords yet')).toBeVisible();
  await judge(alice, 'e2e-devices-empty');

  const { secret, address } = await devices.make('Gajim at work');
  expect(secret).toMatch(SECRET);
  expect(address).toBe('alice@social.example');
  await expect(alice.panel.getByRole('img', { name: `QR code of the address ${address}` })).toBeVisible();
  await judge(alice, 'e2e-devices-made');
  await devices.saved();
  await expect(devices.row('Gajim at work').getByText('Never used')).toBeVisible();
  expect(await alice.frame.evaluate(() => JSON.stringify([document.documentElement.outerHTML, location.href, { ...localStorage }, { ...sessionStorage }]))).not.toContain(secret);

  expect(await stack.tryPassword('bob', secret), 'it is hers alone').toBe('not-authorized');
  expect(await stack.tryPassword('alice', `${secret.slice(0, -1)}${secret.endsWith('a') ? 'b' : 'a'}`)).toBe('not-authorized');
  expect(await stack.tryPassword('alice', secret.replaceAll('-', ' ').toUpperCase()), 'as a person may type it').toBe('');
  const phone = await Native.login(stack, 'alice', secret);
  await phone.send("<message to='bob@social.example' type='chat' id='d1'><body>from her phone</body></message>");
  await bob.open('alice');
  await bob.hears('from her phone');
  await expect(async () => {
    await devices.again();
    await expect(devices.row('Gajim at work').getByText('Last used less than an hour ago, at the chat server')).toBeVisible({ timeout: 2_000 });
  }, 'last use is noted in batches').toPass({ timeout: 60_000 });
  await judge(alice, 'e2e-devices-list');

  expect(await phone.endedAt()).toBe(0);
  const start = Date.now();
  await devices.remove('Gajim at work');
  await expect(alice.panel.getByText('No device passwords yet')).toBeVisible();
  await phone.endedInTime(start);
  expect(await stack.tryPassword('alice', secret), 'and it is worth nothing').toBe('not-authorized');
  expect(await told(alice)).toEqual([]);
  await alice.online();
  expect(wrong).toEqual([]);
  await secrets.areInNoLog(stack, ['password', 'device password']);
});

test('taking one password away leaves the others, and whoever uses them', async ({ browser }) => {
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' });
  const devices = await Devices.open(alice);
  const old = await devices.add('Old tablet');
  const kept = await devices.add('Phone');
  expect(old.secret).not.toBe(kept.secret);
  const phone = await Native.login(stack, 'alice', kept.secret);
  await devices.remove('Old tablet');
  await expect.poll(() => stack.tryPassword('alice', old.secret)).toBe('not-authorized');
  await phone.sync();
  expect(await phone.endedAt()).toBe(0);
  await expect(devices.row('Phone')).toBeVisible();
});

test('nobody else sees or removes somebody\'s passwords', async ({ browser }) => {
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' });
  const { secret } = await (await Devices.open(alice)).add('Phone');
  const [hers] = await told(alice);
  const bob = await Person.ready(browser, stack, 'bob', { presence: 'nobody' });
  await Devices.open(bob);
  await expect(bob.panel.getByText('No device passwords yet')).toBeVisible();
  expect(await told(bob)).toEqual([]);
  const status = await bob.frame.evaluate(async (id) => (await fetch(`/api/v1/devices/${id}`, { method: 'DELETE' })).status, hers?.id ?? '');
  expect(status).toBe(404);
  expect(await stack.tryPassword('alice', secret)).toBe('');
  expect(await told(alice)).toHaveLength(1);
});

test('it is as the page says: an app shows her online, whatever she chose in the panel', async ({ browser }) => {
  const first = await Person.ready(browser, stack, 'bob', { presence: 'contacts' });
  await first.close();
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' }, ['bob']);
  const { secret } = await (await Devices.open(alice)).add('Phone');
  const bob = await Native.login(stack, 'bob');
  const phone = await Native.login(stack, 'alice', secret);
  await bob.send("<presence to='alice@social.example' type='subscribe'/>");
  await phone.sees(/type=['"]subscribe['"]/);
  await phone.send("<presence to='bob@social.example' type='subscribed'/>");
  await bob.sees(/type=['"]subscribed['"]/);
  await bob.sees(/<presence[^>]*from=['"]alice@social\.example\/phone['"]/);
  await bob.sync();
  const seen = (await bob.seen()).join('').match(/from=['"]alice@social\.example\/[^'"]+/g) ?? [];
  expect(seen.filter((from) => !from.endsWith('/phone')), 'and her panel does not').toEqual([]);
});

test('a page that cannot be loaded is told, tried again, and harms no chat', async ({ browser }) => {
  let up = false;
  let served = '';
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' }, ['bob'], {
    prepare: async (context) => {
      await context.route(/\/assets\/devices-[0-9a-f]+\.js/, (route) => {
        served = route.request().url();
        return up ? route.continue() : route.abort();
      });
    },
  });
  await alice.panel.getByRole('button', { name: 'Settings' }).click();
  await alice.panel.getByRole('button', { name: 'Apps & devices' }).click();
  await expect(alice.panel.getByText('could not be loaded')).toBeVisible();
  await alice.panel.getByRole('button', { name: 'Back to the settings' }).click();
  await alice.back();
  await alice.open('bob');
  await alice.say('it goes on');
  await alice.hears('it goes on');
  await alice.back();
  await alice.panel.getByRole('button', { name: 'Settings' }).click();
  await alice.panel.getByRole('button', { name: 'Apps & devices' }).click();
  await expect(alice.panel.getByText('could not be loaded')).toBeVisible();
  up = true;
  await alice.panel.getByRole('button', { name: 'Try again' }).click();
  await expect(alice.panel.getByText('No device passwords yet')).toBeVisible();
  expect(served, 'under another address than the one that failed').toMatch(/\.js\?\d+$/);
});

test('signing out elsewhere while a password is shown leaves nothing of it', async ({ browser }) => {
  const alice = await Person.ready(browser, stack, 'alice', { presence: 'nobody' });
  const devices = await Devices.open(alice);
  const { secret } = await devices.make('Gajim at work');
  const out = await alice.context.request.post(`${stack.addresses.chat}/auth/logout`);
  expect(out.status()).toBe(204);
  await expect(alice.panel.getByText('Your session has ended. Log in again to go on.')).toBeVisible();
  const page = await alice.frame.content();
  expect(page).not.toContain(secret);
  expect(page).not.toContain('Gajim');
  expect(await stack.tryPassword('alice', secret), 'device passwords outlive the browser\'s session').toBe('');
});
