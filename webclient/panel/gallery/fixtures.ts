// Every state of the panel, as fixture data. People of Verona, as in the RFCs.
import { addMessages, newConversation, type NewMessage } from "../src/state/messages.ts";
import {
  initialState, type Contact, type Conversation, type Follow, type ImportItem, type Message, type People, type Screen, type State,
} from "../src/state.ts";

export const NOW = Date.UTC(2026, 10, 20, 14, 5);
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

const instance = { name: "Verona Social", origin: "https://verona.example", domain: "verona.example" };

export const LONG = "Bartholomäus-Maximilian von und zu Hohenzollern-Sigmaringen-Unterschweinstiegen-Oberammergau";
const UNBROKEN = "W".repeat(180);
const RTL = "روميو مونتاغيو";
const OVERRIDE = "Tybalt \u202egnp.elbissoP\u202c";
const ZALGO = `Z${"\u0310\u0333\u033f".repeat(14)}a${"\u0322\u0359\u0360".repeat(14)}lgo`;

function contact(jid: string, name: string, more: Partial<Contact> = {}): Contact {
  return { jid, name, avatar: "", subscription: "none", asked: false, groups: ["Mastodon"], availability: "unknown", ...more };
}

const contacts = new Map([
  contact("romeo@verona.example", "Romeo Montague", { subscription: "both", availability: "online" }),
  contact("mercutio@verona.example", "Mercutio", { subscription: "to", availability: "away" }),
  contact("nurse@verona.example", "The Nurse", { subscription: "both", availability: "offline" }),
  contact("laurence@cell.example", "Friar Laurence", { subscription: "to", availability: "dnd" }),
  contact("benvolio@verona.example", "", {}),
  contact("rosaline@verona.example", "Rosaline", { asked: true }),
].map((c) => [c.jid, c]));

const odd = new Map([
  contact("bart@verona.example", LONG, { subscription: "both", availability: "online" }),
  contact(`${"a".repeat(60)}@${"b".repeat(60)}.example`, UNBROKEN),
  contact("rumi@verona.example", RTL, { subscription: "both", availability: "away" }),
  contact("tybalt@verona.example", OVERRIDE),
  contact("zalgo@verona.example", ZALGO),
  contact("emoji@verona.example", "🧑‍🎤👩‍👩‍👧‍👦🏳️‍🌈 Peter 🎻"),
  contact("img@verona.example", "<img src=x onerror=alert(1)>"),
  contact("space@verona.example", "   "),
].map((c) => [c.jid, c]));

function message(n: number, body: string, mine: boolean, ago: number, more: Partial<Message> = {}): Message {
  return {
    key: `m${n}`, id: `m${n}`, stanzaId: `s${n}`, mine, body, at: NOW - ago, state: "sent", error: "",
    wantsReceipt: false, markable: false, gapBefore: false, ...more,
  };
}

const talk: Message[] = [
  message(1, "O Romeo, Romeo! wherefore art thou Romeo?", true, 2 * DAY, { state: "read" }),
  message(2, "Deny thy father and refuse thy name.", true, 2 * DAY - MINUTE, { state: "read" }),
  message(3, "Shall I hear more, or shall I speak at this?", false, 2 * DAY - 20 * MINUTE),
  message(4, "I take thee at thy word.\nCall me but love, and I'll be new baptized;\nHenceforth I never will be Romeo.", false, DAY + 30 * MINUTE),
  message(5, "What's in a name? See https://verona.example/@juliet/110001 (it says it all).", true, DAY, { state: "delivered" }),
  message(6, "🌹", false, 50 * MINUTE),
  message(7, "Tomorrow?", false, 49 * MINUTE),
  message(8, "By the hour of nine", true, 12 * MINUTE, { state: "delivered" }),
  message(9, "I will not fail: 'tis twenty years till then. I have forgot why I did call thee back.", true, 11 * MINUTE, { state: "sent" }),
];

function conversation(jid: string, messages: readonly Message[], more: Partial<Conversation> = {}): Conversation {
  return { ...newConversation(jid), messages, history: "complete", lastAt: messages.at(-1)?.at ?? 0, ...more };
}

const conversations = new Map([
  conversation("romeo@verona.example", talk),
  conversation("mercutio@verona.example", [message(20, "A plague o' both your houses! They have made worms' meat of me", false, 3 * MINUTE)], { unread: 3 }),
  conversation("nurse@verona.example", [message(21, "Anon!", false, 30 * MINUTE)], { composing: true }),
  conversation("laurence@cell.example", [message(22, "Wisely and slow; they stumble that run fast.", true, 9 * DAY)]),
].map((c) => [c.jid, c]));

const base: State = {
  ...initialState(instance),
  host: { theme: "light", contrast: "default", lang: "en", open: true },
  account: {
    id: "1", username: "juliet", acct: "juliet", displayName: "Juliet Capulet", avatar: "", url: "https://verona.example/@juliet", jid: "juliet@verona.example",
  },
  consent: { decided: true, presence: "contacts", typing: false, receipts: false, changedAt: "2026-11-18T09:00:00Z", discoverable: false, pending: false },
  consentDraft: { presence: "contacts", typing: false, receipts: false, saving: false, error: "" },
  connection: { kind: "online", resumed: false },
  contacts,
  rosterLoaded: true,
  conversations,
};

const at = (screen: Screen, more: Partial<State> = {}): State => ({ ...base, screen, ...more });
const fresh: Partial<State> = { rosterLoaded: false, contacts: new Map(), conversations: new Map(), connection: { kind: "idle" }, consentDraft: { presence: null, typing: false, receipts: false, saving: false, error: "" } };
const chat = (jid: string, more: Partial<Conversation> = {}, state: Partial<State> = {}): State => {
  const c = { ...(conversations.get(jid) ?? newConversation(jid)), ...more };
  return at({ kind: "conversation", jid }, { conversations: new Map(conversations).set(jid, c), ...state });
};

const reaches = ["local", "local", "address", "none"] as const;
const names = ["Romeo Montague", "Mercutio", "Friar Laurence", "Paris", "Benvolio", LONG, RTL, OVERRIDE, "", "Balthasar 🎻"];

export function follows(count: number): Follow[] {
  return Array.from({ length: count }, (_, i) => {
    const reach = reaches[i % reaches.length] ?? "none";
    const acct = reach === "local" ? `person${i}` : `person${i}@far.example`;
    return {
      id: String(i), acct, displayName: names[i % names.length] ?? "", avatar: "", url: "", reach,
      jid: reach === "none" ? null : reach === "local" ? `${acct}@verona.example` : `p${i}@chat.example`,
    };
  });
}

const people = (more: Partial<People>): State => at({ kind: "people" }, { ...fresh, people: { ...base.people, status: "done", people: follows(40), ...more } });

const results = ["added", "added", "already", "added", "failed", "skipped"] as const;
const items = (count: number): ImportItem[] => Array.from({ length: count }, (_, i) => {
  const status = results[i % results.length] ?? "added";
  const reason = status === "failed" ? "The chat server of this person could not be reached." : status === "skipped" ? "Their address is not valid." : "";
  return { id: String(i), jid: `person${i}@verona.example`, name: names[i % names.length] ?? "", status, reason };
});

const hostile = [
  "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
  "javascript:alert(1) data:text/html,<b>x</b> https://bank.example@evil.example/ &lt;b&gt; &#x3c;svg onload=alert(1)&#x3e;",
  `\u202ehttps://verona.example/\u202efdp.exe\u202c ${OVERRIDE}`,
  UNBROKEN, ZALGO, "\n\n\n\nfour empty lines above, three below\n\n\n", RTL, `${RTL} https://verona.example/x?y=1 ${RTL}`,
  `https://verona.example/${"long".repeat(60)}`, "مرحبا! كيف حالك؟\nHello, mixed lines.\nשלום", "👩‍👩‍👧‍👦👍🏽🏳️‍🌈", "1️⃣ 2 3",
];

const many = (count: number): NewMessage[] => Array.from({ length: count }, (_, i) => message(1000 + i, `Line ${i}. ${"thus with a kiss I die ".repeat(i % 4)}`, i % 3 === 0, (count - i) * 7 * MINUTE));
const crowd = (count: number): State["contacts"] => new Map(Array.from({ length: count }, (_, i) => {
  const c = contact(`person${i}@verona.example`, `Person ${i}`, { subscription: "both", availability: i % 3 ? "offline" : "online" });
  return [c.jid, c];
}));

export const states: Record<string, () => State> = {
  "loading": () => at({ kind: "loading" }, fresh),
  "signed-out": () => at({ kind: "signed-out", reason: "none" }, fresh),
  "signed-out-expired": () => at({ kind: "signed-out", reason: "expired" }, fresh),
  "login-pending": () => at({ kind: "login-pending", blocked: false, redirectUrl: "" }, fresh),
  "login-blocked": () => at({ kind: "login-pending", blocked: true, redirectUrl: "/auth/login?mode=redirect" }, fresh),
  "login-error": () => at({ kind: "login-error", code: "account_moved", message: "This account has moved. Log in with the new one." }, fresh),
  "server-down": () => at({ kind: "server-down", retryAt: NOW + 8000 }, fresh),
  "address": () => at({ kind: "address" }, fresh),
  "consent": () => at({ kind: "consent" }, fresh),
  "consent-chosen": () => at({ kind: "consent" }, { ...fresh, consentDraft: { presence: "contacts", typing: true, receipts: false, saving: false, error: "" } }),
  "consent-discoverable": () => at({ kind: "consent" }, { ...fresh, consent: { ...base.consent, decided: false, discoverable: true } }),
  "consent-error": () => at({ kind: "consent" }, { ...fresh, consentDraft: { presence: "nobody", typing: false, receipts: false, saving: false, error: "That could not be saved. Try again." } }),
  "people": () => people({}),
  "people-selected": () => people({ selected: new Set(["0", "1", "2", "5"]), subscribe: new Set(["1"]) }),
  "people-loading": () => people({ status: "loading", people: [] }),
  "people-more": () => people({ status: "loading" }),
  "people-waiting": () => people({ status: "waiting", retryAt: NOW + 40_000, message: "Your server asks us to slow down." }),
  "people-error": () => people({ status: "error", message: "Your server does not answer." }),
  "people-login-again": () => people({ status: "login-again", people: [] }),
  "people-empty": () => people({ people: [] }),
  "people-none-found": () => people({ query: "Rosencrantz" }),
  "people-2000": () => people({ people: follows(2000) }),
  "importing": () => people({ progress: { id: "i", total: 60, done: 23, finished: false, items: items(23), error: "" } }),
  "imported": () => people({ progress: { id: "i", total: 60, done: 60, finished: true, items: items(60), error: "" } }),
  "list": () => at({ kind: "list" }),
  "list-empty": () => at({ kind: "list" }, { contacts: new Map(), conversations: new Map() }),
  "list-loading": () => at({ kind: "list" }, { ...fresh, connection: { kind: "connecting" } }),
  "list-none-found": () => at({ kind: "list" }, { query: "paris@france.example" }),
  "list-requests": () => at({ kind: "list" }, { requests: [{ jid: "paris@verona.example", at: NOW }, { jid: `${"x".repeat(50)}@verona.example`, at: NOW }] }),
  "list-requests-hidden": () => at({ kind: "list" }, { requests: [{ jid: "paris@verona.example", at: NOW }], consent: { ...base.consent, presence: "nobody" }, delivery: "archive" }),
  "list-odd-names": () => at({ kind: "list" }, { contacts: odd, conversations: new Map([...odd.keys()].map((jid, i) => [jid, conversation(jid, [message(i, hostile[i] ?? "x", i % 2 === 0, i * DAY)], { unread: i * 40 })])) }),
  "list-8000": () => at({ kind: "list" }, { contacts: crowd(8000), conversations: new Map() }),
  "conversation": () => chat("romeo@verona.example"),
  "conversation-empty": () => chat("benvolio@verona.example", { history: "complete" }),
  "conversation-request": () => chat("romeo@verona.example", {}, { requests: [{ jid: "romeo@verona.example", at: NOW }] }),
  "conversation-loading": () => chat("benvolio@verona.example", { history: "loading" }),
  "conversation-typing": () => chat("romeo@verona.example", { composing: true, draft: "Three words, dear Romeo,\nand good night indeed." }),
  "conversation-unread": () => chat("romeo@verona.example", { firstUnread: "m6", history: "failed" }),
  "conversation-delivery": () => chat("romeo@verona.example", {
    messages: [
      message(1, "What was read", true, 9 * MINUTE * 6, { state: "read" }), message(2, "What was delivered", true, 8 * MINUTE * 6, { state: "delivered" }),
      message(3, "What was sent", true, 7 * MINUTE * 6), message(4, "On its way", true, 6 * MINUTE * 6, { state: "sending" }),
      message(5, "Waiting", true, 5 * MINUTE, { state: "queued", gapBefore: true }),
      message(6, "Refused", true, 4 * MINUTE, { state: "failed", error: "This person does not take messages from strangers." }),
    ],
  }, { connection: { kind: "reconnecting", nextAt: NOW + 5000, attempt: 2, reason: "cut" } }),
  "conversation-hostile": () => chat("tybalt@verona.example", { messages: hostile.map((body, i) => message(i, body, i % 3 === 0, (40 - i) * MINUTE)), history: "complete" }, { contacts: odd }),
  "conversation-long-name": () => chat("bart@verona.example", { history: "complete", messages: talk }, { contacts: odd }),
  "conversation-rtl": () => chat("rumi@verona.example", { history: "complete", messages: ["مرحبا! كيف حالك؟", "بخير، شكرا. انظر https://verona.example/@rumi", RTL].map((body, i) => message(i, body, i === 1, (9 - i) * MINUTE)) }, { contacts: odd }),
  "conversation-many": () => chat("romeo@verona.example", { messages: addMessages(newConversation("romeo@verona.example"), many(300), "end").conversation.messages, history: "more" }),
  "reconnecting": () => at({ kind: "list" }, { connection: { kind: "reconnecting", nextAt: NOW + 8000, attempt: 1, reason: "cut" } }),
  "offline": () => chat("romeo@verona.example", {}, { connection: { kind: "offline" } }),
  "replaced": () => at({ kind: "list" }, { connection: { kind: "replaced" } }),
  "xmpp-down": () => at({ kind: "list" }, { connection: { kind: "server-down", nextAt: NOW + 30_000, attempt: 5 } }),
  "notice": () => at({ kind: "list" }, { notice: "That could not be done. Try again in a minute." }),
  "settings": () => at({ kind: "settings" }),
  "settings-pending": () => at({ kind: "settings" }, { consent: { ...base.consent, pending: true } }),
  "settings-undecided": () => at({ kind: "settings" }, { consentDraft: { presence: "nobody", typing: true, receipts: false, saving: true, error: "" } }),
};
