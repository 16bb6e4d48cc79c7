// Those who mean ill: pages and scripts at the gateway, and people with names and messages that want to be more than text.
import { expect, test } from '@playwright/test';
import { Native } from '../support/native.ts';
import { Person } from '../support/person.ts';
import { Stack } from '../support/stack.ts';
import { hurl, upgrade, type Stage } from '../support/wire.ts';

let stack: Stack;
test.beforeAll(async () => {
  stack = await Stack.start();
});
test.afterAll(() => stack.stop());

const MARK = 'tl-hostile';
const stanza = (inside: string): string => `<message xmlns="jabber:client" to="bob@social.example" id="${MARK}">${inside}</message>`;
const message = stanza(`<body>${MARK}</body>`);

const frames: [name: string, stage: Stage, frame: string, condition: string, code: number][] = [
  ['two elements', 'bound', message + message, 'not-well-formed', 1007],
  ['the end of the stream', 'bound', '</stream:stream>', 'not-well-formed', 1007],
  ['the end of the stream after a stanza', 'bound', `${message}</stream:stream>`, 'not-well-formed', 1007],
  ['an element that does not end', 'bound', message.replace('</message>', ''), 'not-well-formed', 1007],
  ['crossed tags', 'bound', stanza('<body><b></body></b>'), 'not-well-formed', 1007],
  ['a document type with entities', 'bound', `<!DOCTYPE m [<!ENTITY a "aaaa">]>${stanza('<body>&a;</body>')}`, 'restricted-xml', 1007],
  ['a processing instruction', 'bound', `<?php ${MARK}?>${message}`, 'restricted-xml', 1007],
  ['a comment that hides an end', 'bound', stanza('<!--</message><presence/>-->'), 'restricted-xml', 1007],
  ['an entity beyond the five', 'bound', stanza('<body>&nbsp;</body>'), 'restricted-xml', 1007],
  ['a prefix of nowhere', 'bound', stanza(`<x:y/>`), 'bad-namespace-prefix', 1007],
  ["a server's stanza", 'bound', message.replace('jabber:client', 'jabber:server'), 'invalid-namespace', 1007],
  ['STARTTLS', 'bound', `<starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls" id="${MARK}"/>`, 'unsupported-stanza-type', 1008],
  ['another <open/>', 'bound', '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="social.example" version="1.0"/>', 'bad-format', 1007],
  ['a message before <open/>', 'connected', message, '', 0],
  ['a message before the login', 'opened', message, 'not-authorized', 1008],
  ['a message in place of the second <open/>', 'authenticated', message, 'bad-format', 1007],
  ['another host', 'connected', '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="evil.example" version="1.0"/>', 'host-unknown', 1000],
];

test('frames that are none end the stream, and the XMPP server hears nothing of them', async ({ browser }) => {
  const alice = await Person.enter(browser, stack, 'alice');
  // What is well reaches the server this way, and would be seen in its log.
  const well = await hurl(alice.frame, {
    stage: 'bound', frame: '<iq xmlns="jabber:client" type="get" id="tl-welcome" to="social.example"><ping xmlns="urn:xmpp:ping"/></iq>', answer: 'tl-welcome',
  });
  expect(well.heard).toMatch(/type=['"]result['"]/);
  expect(await stack.control<string>('server/log')).toContain('tl-welcome');

  for (const [name, stage, frame, condition, code] of frames) {
    const { heard, code: closed } = await hurl(alice.frame, { stage, frame });
    expect(heard, name).toMatch(/<(\w+:)?error\b/);
    if (condition) expect(heard, name).toContain(`<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'`);
    expect(closed, `${name}: close code`).not.toBe(0);
    if (code) expect(closed, `${name}: close code`).toBe(code);
  }
  // Too much for the server, and yet one stanza: it is answered as one, and the stream goes on.
  for (const inside of ['<a>'.repeat(10_000) + '</a>'.repeat(10_000), `<body>${'a'.repeat(1 << 20)}</body>`]) {
    const much = await hurl(alice.frame, { stage: 'bound', frame: stanza(inside), answer: 'policy-violation' });
    expect(much.heard).toContain("<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'");
    expect(much.heard).not.toContain('xmpp-streams');
  }
  const binary = await hurl(alice.frame, { stage: 'bound', frame: message, binary: true });
  expect(binary.heard).toContain('<bad-format');
  expect(binary.code).toBe(1003);
  expect(await stack.control<string>('server/log')).not.toContain(MARK);
  await alice.online(); // none of this was her panel's fault
  await alice.close();
});

test('nobody logs in as somebody else', async ({ browser }) => {
  const alice = await Person.enter(browser, stack, 'alice');
  const auth = (text: string, mechanism = 'PLAIN'): string => `<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="${mechanism}">${text}</auth>`;
  for (const [name, frame, condition] of [
    ['on behalf of bob', auth('{plain:bob:alice}'), 'invalid-authzid'],
    ['on behalf of bob, with the domain', auth('{plain:bob@social.example:alice}'), 'invalid-authzid'],
    ['as bob', auth('{plain::bob}'), 'not-authorized'],
    ['as somebody made up', auth(`{plain::${MARK}}`), 'not-authorized'],
    ['by another mechanism', auth('{plain::alice}', 'EXTERNAL'), 'invalid-mechanism'],
    ['by no base64', auth('!!!'), 'incorrect-encoding'],
  ] as const) {
    const { heard } = await hurl(alice.frame, { stage: 'opened', frame, answer: '<failure' });
    expect(heard, name).toContain(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><${condition}/>`);
    expect(heard, name).not.toContain('<success');
  }
  const well = await hurl(alice.frame, { stage: 'opened', frame: auth('{plain::alice}'), answer: '<(success|failure)' });
  expect(well.heard, 'this is how one gets in').toContain('<success');
  const asked = (await stack.log()).match(/op=auth user=\S+/g) ?? [];
  expect(new Set(asked), 'the XMPP server was asked about nobody else').toEqual(new Set(['op=auth user=alice']));
  expect(await stack.control<string>('server/log')).not.toContain(MARK);
  await alice.close();
});

test("only the chat's own pages may open a stream", async () => {
  const { chat, mastodon } = stack.addresses;
  const xmpp = { 'Sec-WebSocket-Protocol': 'xmpp' };
  expect(await upgrade(chat, { ...xmpp, Origin: chat })).toContain(' 101 ');
  for (const origin of [mastodon, 'https://evil.example', 'null', `${chat}.evil.example`, chat.replace('127.0.0.1', 'localhost')]) {
    expect(await upgrade(chat, { ...xmpp, Origin: origin }), origin).toContain(' 403 ');
  }
  expect(await upgrade(chat, { Origin: chat }), 'no subprotocol').toContain(' 400 ');
  expect(await upgrade(chat, { Origin: chat, 'Sec-WebSocket-Protocol': 'chat' }), 'another subprotocol').toContain(' 400 ');
});

const payloads = [
  '<img src=x onerror="window.__x=1">',
  '<script>window.__x=1</script>',
  '"><svg onload=window.__x=1>',
  '<iframe srcdoc="<script>top.__x=1</script>"></iframe>',
  '<a href="javascript:window.__x=1">click</a>',
  '&lt;img src=x onerror=window.__x=1&gt;',
  'javascript:window.__x=1',
  'javascript:window.__x=1;//a@b.example',
  'data:text/html,<script>window.__x=1</script>',
  'see https://social.example/"onmouseover="window.__x=1"',
  'see xmpp:bob@social.example?javascript:window.__x=1',
  'see https://bank.example@evil.example/',
  "{{constructor.constructor('window.__x=1')()}}${window.__x=1}",
  'a \u202egnp.exe https://x.example/\u202etxt.exe',
  ']]><x/>',
];
const escaped = (text: string): string => text.replace(/[<>&"']/g, (char) => `&#${String(char.charCodeAt(0))};`);

test('text stays text: messages, names and pictures', async ({ browser }) => {
  const trouble: string[] = [];
  const name = payloads[0] ?? '';
  const avatars = ['javascript:window.__x=1', 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="window.__x=1"/>', 'http://127.0.0.1:9/" onerror="window.__x=1'];
  const alice = await Person.arrive(browser, stack, 'carol', {
    bypassCSP: true,
    prepare: async (context) => {
      context.on('request', (request) => {
        if (request.url().includes('tracker')) trouble.push(request.url());
      });
      context.on('weberror', (error) => trouble.push(String(error.error())));
      context.on('dialog', (dialog) => {
        trouble.push(dialog.message());
        void dialog.dismiss();
      });
      // What Mastodon says of people, as people with ill intent and a server of their own could make it say.
      await context.route(/\/api\/v1\/(session|follows)/, async (route) => {
        const answer = await route.fetch();
        if (!answer.ok()) return route.fulfill({ response: answer });
        const body = await answer.json() as { account?: Record<string, string>; people?: Record<string, string>[] };
        if (body.account) Object.assign(body.account, { display_name: name, avatar: avatars[0] });
        body.people?.forEach((person, i) => Object.assign(person, { display_name: payloads[i % payloads.length], avatar: avatars[i % avatars.length], acct: `${person['acct'] ?? ''}"><b>` }));
        return route.fulfill({ response: answer, json: body });
      });
    },
  });
  const nothingRan = async (): Promise<void> => {
    for (const frame of alice.page.frames()) expect(await frame.evaluate(() => (window as { __x?: unknown }).__x)).toBeUndefined();
    const strange = await alice.frame.evaluate(() => [...document.querySelectorAll('img, a, script, iframe, svg [onload], [onerror], [onmouseover]')]
      .filter((element) => !(element instanceof HTMLScriptElement && element.src.startsWith(location.origin))
        && !(element instanceof HTMLImageElement && /^https?:/.test(element.src) && element.getAttributeNames().every((attribute) => !attribute.startsWith('on')))
        && !(element instanceof HTMLAnchorElement && /^(https?|xmpp|mailto):/.test(element.href) && element.rel.includes('noopener')))
      .map((element) => element.outerHTML));
    expect(strange).toEqual([]);
    expect(trouble).toEqual([]);
  };

  await alice.openChat();
  await alice.login();
  await expect(alice.panel.getByRole('heading', { name: `Welcome, ${name}` })).toBeVisible();
  await nothingRan();
  await alice.panel.getByRole('button', { name: 'Continue' }).click();
  await alice.consent({ presence: 'nobody' });
  await alice.panel.getByRole('button', { name: 'Continue' }).click();
  await expect(alice.panel.getByRole('checkbox', { name: '@bob"><b>' })).toBeVisible();
  await expect(alice.panel.getByText(payloads[2] ?? '', { exact: true }).first()).toBeVisible();
  await nothingRan();
  await alice.panel.getByRole('checkbox', { name: '@bob"><b>' }).check();
  await alice.panel.getByRole('button', { name: 'Add 1 person' }).click();
  await expect(alice.panel.getByText(/^Done: \d/)).toBeVisible();
  await alice.panel.getByRole('button', { name: 'Start chatting' }).click();
  await alice.online();

  const phone = await Native.login(stack, 'carol');
  await phone.send(`<iq type='set' id='rename'><query xmlns='jabber:iq:roster'><item jid='bob@social.example' name='${escaped(name)}'><group>${escaped(name)}</group></item></query></iq>`);
  await expect(alice.row('onerror').getByText(name, { exact: true }), 'the name is shown as it is').toBeVisible();

  await (await Person.enter(browser, stack, 'bob')).close();
  const bob = await Native.login(stack, 'bob');
  for (const [i, text] of payloads.entries()) {
    await bob.send(`<message to='carol@social.example' type='chat' id='p${String(i)}'><body>${escaped(text)}</body>`
      + `<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><img src='x' onerror='window.__x=1'/><img src='${stack.addresses.mastodon}/packs/night.svg?tracker'/><p>rich</p></body></html>`
      + `<x xmlns='jabber:x:oob'><url>javascript:window.__x=1</url></x><nick xmlns='http://jabber.org/protocol/nick'>${escaped(name)}</nick></message>`);
  }
  await expect(alice.row('onerror').getByText(payloads.at(-1) ?? '', { exact: true }), 'the line in the list').toBeVisible();
  await alice.row('onerror').click();
  const bubbles = alice.log.locator('.bubble');
  await expect(bubbles).toHaveCount(payloads.length);
  expect(await bubbles.allTextContents()).toEqual(payloads);
  expect(await bubbles.locator('*').evaluateAll((all) => [...new Set(all.map((element) => element.tagName))]), 'links are all that a text becomes').toEqual(['A']);
  const links = await bubbles.locator('a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  expect(links).toEqual(['https://social.example/', 'xmpp:bob@social.example?javascript:window.__x=1', 'https://x.example/']);
  await nothingRan();

  const own = '<b onclick="window.__x=1">mine</b>';
  await alice.say(own);
  await alice.hears(own);
  await nothingRan();

  // In this browser it would have run, had it become markup.
  await alice.frame.evaluate((markup) => {
    document.body.insertAdjacentHTML('beforeend', markup);
  }, name);
  await expect.poll(() => alice.frame.evaluate(() => (window as { __x?: unknown }).__x)).toBe(1);
  await alice.close();
});
