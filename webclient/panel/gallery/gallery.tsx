// Shows one state of the panel: ?state=NAME&theme=dark&contrast=high&dir=rtl&close=1. For tests and screenshots only.
import { signal } from "@preact/signals";
import { render } from "preact";
import { Api } from "../src/api.ts";
import type { Actions } from "../src/app.ts";
import type { Env } from "../src/env.ts";
import { addMessages, type NewMessage } from "../src/state/messages.ts";
import { select, tickSubscribe } from "../src/state/people.ts";
import type { Conversation, State } from "../src/state.ts";
import { Panel } from "../src/views/app.tsx";
import { Clock } from "../src/views/parts.tsx";
import { answer, answers } from "./devices.ts";
import { NOW, states } from "./fixtures.ts";

const query = new URLSearchParams(location.search);
const name = query.get("state") ?? "list";

/** The page of device passwords asks for what it shows, so its states are answers of the server. */
function devices(): State | undefined {
  const settings = states["settings"]?.();
  const a = answers[name];
  return a && settings && { ...settings, screen: { kind: "devices" }, ...(a.offline ? { connection: { kind: "offline" } } : {}) };
}

const first = states[name]?.() ?? devices();
if (!first) throw new Error(`no state ${name}`);

const state = signal<State>(first);
const calls: unknown[][] = [];
const change = (part: Partial<State>): void => void (state.value = { ...state.value, ...part });

function talk(jid: string, edit: (c: Conversation) => Conversation): void {
  const c = state.value.conversations.get(jid);
  if (c) change({ conversations: new Map(state.value.conversations).set(jid, edit(c)) });
}

const api = new Api({
  request: (method: string, path: string, body?: unknown) => {
    calls.push([method, path, body]);
    return answer(name in answers ? name : "devices", method, body);
  },
} as Env);

/** The few actions that answer at once, so that controls can be tried; all are written down. */
const live: Partial<Actions> = {
  draftConsent: (part) => change({ consentDraft: { ...state.value.consentDraft, ...part } }),
  saveConsent: () => {
    const { presence, typing, receipts } = state.value.consentDraft;
    if (presence === null) return;
    const saving = (on: boolean): Partial<State> => ({ consentDraft: { ...state.value.consentDraft, saving: on } });
    change(saving(true));
    setTimeout(() => change({ ...saving(false), consent: { ...state.value.consent, presence, typing, receipts } }));
  },
  select: (ids, on) => change({ people: select(state.value.people, ids, on) }),
  subscribe: (id, on) => change({ people: tickSubscribe(state.value.people, id, on) }),
  searchFollows: (text) => change({ people: { ...state.value.people, query: text } }),
  search: (text) => change({ query: text }),
  draft: (jid, draft) => talk(jid, (c) => ({ ...c, draft })),
  send: (jid) => talk(jid, (c) => ({ ...c, draft: "" })),
  open: (jid) => change({ screen: { kind: "conversation", jid } }),
  go: (kind) => change({ screen: { kind } }),
  ask: api.ask,
  tell: (notice) => change({ notice }),
  dismiss: () => change({ notice: "" }),
  startChat: (address) => (address.includes("@") ? "" : "That is not a chat address."),
};

const actions = new Proxy({} as Actions, {
  get: (_, name: string) => (...args: unknown[]) => {
    calls.push([name, ...args]);
    return (live as Record<string, (...a: unknown[]) => unknown>)[name]?.(...args);
  },
});

const root = document.documentElement;
root.dataset["theme"] = query.get("theme") ?? "light";
root.dataset["contrast"] = query.get("contrast") ?? "default";
if (query.get("dir")) root.dir = query.get("dir") ?? "";

function App(): preact.JSX.Element {
  const close = query.has("close") ? () => void calls.push(["close"]) : undefined;
  return <Clock.Provider value={() => NOW}><Panel state={state.value} actions={actions} onClose={close} /></Clock.Provider>;
}

// What a test may do: read what was called, and let messages come.
Object.assign(window, {
  gallery: {
    calls,
    connect: (online: boolean) => change({ connection: online ? { kind: "online", resumed: false } : { kind: "offline" } }),
    add: (jid: string, messages: NewMessage[], place: "start" | "end") => talk(jid, (c) => addMessages(c, messages, place).conversation),
    NOW,
  },
});

render(<App />, document.getElementById("panel") ?? document.body);
