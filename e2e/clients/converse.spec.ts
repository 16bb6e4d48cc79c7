// Converse.js as published, with the page and the plugin of contrib/converse, behind their Caddy, on both servers.
import { expect, test } from '@playwright/test';
import { Native } from '../support/native.ts';
import { SERVERS, Stack } from '../support/stack.ts';
import { ConversePage } from './converse.ts';

for (const server of SERVERS) {
  test(`on ${server}: login, messages both ways, archive, and a stream resumed after cuts`, async ({ browser }) => {
    const stack = await Stack.start({ server, converse: true });
    try {
      const alice = await ConversePage.open(browser, stack);
      await alice.logIn('alice');
      await alice.connected();
      const bob = await friends(browser, stack);
      await chats(stack, alice, bob);
      await alice.close();
    } finally {
      await stack.stop();
    }
  });
}

/** Makes bob known, puts him among alice's contacts, and lets him be there. */
async function friends(browser: Parameters<typeof ConversePage.open>[0], stack: Stack): Promise<Native> {
  const bob = await ConversePage.open(browser, stack);
  await bob.logIn('bob');
  await bob.connected();
  await bob.close();
  const phone = await Native.login(stack, 'alice');
  await phone.send("<iq type='set' id='add'><query xmlns='jabber:iq:roster'><item jid='bob@social.example'/></query></iq>");
  await phone.sees(/id=['"]add['"]/);
  await phone.logout();
  return Native.login(stack, 'bob');
}

async function chats(stack: Stack, alice: ConversePage, bob: Native): Promise<void> {
  const said: string[] = [];
  const ofAlice: string[] = [];
  const fromBob = async (text: string): Promise<void> => {
    said.push(text);
    await bob.send(`<message to='alice@social.example' type='chat' id='b${String(said.length)}'><body>${text}</body></message>`);
  };
  const fromAlice = async (text: string): Promise<void> => {
    said.push(text);
    ofAlice.push(text);
    await alice.say(text);
  };
  const arrived = async (text: string): Promise<number> => (await bob.seen()).filter((xml) => xml.includes(`<body>${text}</body>`)).length;

  await alice.talkTo('bob');
  await fromAlice('hello');
  await expect.poll(() => arrived('hello'), { message: 'a message from Converse' }).toBe(1);
  await fromBob('hello yourself');
  await alice.shows(said);

  for (const round of [1, 2]) {
    await fromAlice(`on the way ${String(round)}`); // in a buffer, or on the line, or there: the page cannot know
    await stack.control('front/mute');
    await fromAlice(`lost ${String(round)}`); // it is sent, and gets no further
    await expect.poll(() => alice.sent(new RegExp(`<body>lost ${String(round)}<`)), { message: 'frames with it' }).toBe(1);
    await stack.control('front/down');
    await fromBob(`while away ${String(round)}`);
    expect(await arrived(`lost ${String(round)}`), 'what was lost with the line').toBe(0);
    await stack.control('front/up');
    await expect.poll(() => alice.received(/^< <resumed /), { message: 'streams resumed', timeout: 60_000 }).toBe(round);
    await alice.connected();
    for (const text of ['on the way', 'lost']) {
      await expect.poll(() => arrived(`${text} ${String(round)}`), { message: `“${text}”, after the cut` }).toBe(1);
    }
    await alice.shows(said);
    await fromAlice(`back ${String(round)}`);
    await expect.poll(() => arrived(`back ${String(round)}`), { message: 'after the cut' }).toBe(1);
  }
  await alice.shows(said);
  await bob.sync();
  // Whatever is still under way has arrived: what alice wrote once each, in her order, and nothing else.
  const bodies = (await bob.seen()).flatMap((xml) => /^<message[^]*?<body>(.*?)<\/body>/.exec(xml)?.[1] ?? []);
  expect(bodies, 'what came to bob').toEqual(ofAlice);

  // The page forgets with its tab: all of this is from the archive.
  await alice.page.close();
  const later = await ConversePage.tab(alice.context, stack);
  await later.connected();
  await later.talkTo('bob');
  await later.shows(said);
}
