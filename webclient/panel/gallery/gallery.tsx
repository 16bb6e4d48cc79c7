// Shows one state of the panel: ?state=NAME&theme=dark&contrast=high&dir=rtl&close=1. For tests and screenshots only.
import { signal } from "@preact/signals";
import { render } from "preact";
import type { Actions } from "../src/app.ts";
import { addMessages, type NewMessage } from "../src/state/messages.ts";
import { select, tickSubscribe } from "../src/state/people.ts";
import type { Conversation, State } from "../src/state.ts";
import { Panel } from "../src/views/app.tsx";
import { Clock } from "../src/views/parts.tsx";
import { NOW, states } from "./fixtures.ts";

const query = new URLSearchParams(location.search);
const make = states[query.get("state") ?? "list"];
if (!make) throw new Error(`no state ${query.get("state")}`);

const state = signal<State>(make());
const calls: unknown[][] = [];
const change = (part: Partial<State>): void => void (state.value = { ...state.value, ...part });

function talk(jid: string, edit: (c: Conversation) => Conversation): void {
  const c = state.value.conversations.get(jid);
  if (c) change({ conversations: new Map(state.value.conversations).set(jid, edit(c)) });
}

/** The few actions that answer at once, so that controls can be tried; all are written down. */
const live: Partial<Actions> = {
  draftConsent: (part) => change({ consentDraft: { ...state.value.consentDraft, ...part } }),
  select: (ids, on) => change({ people: select(state.value.people, ids, on) }),
  subscribe: (id, on) => change({ people: tickSubscribe(state.value.people, id, on) }),
  searchFollows: (text) => change({ people: { ...state.value.people, query: text } }),
  search: (text) => change({ query: text }),
  draft: (jid, draft) => talk(jid, (c) => ({ ...c, draft })),
  send: (jid) => talk(jid, (c) => ({ ...c, draft: "" })),
  open: (jid) => change({ screen: { kind: "conversation", jid } }),
  go: (kind) => change({ screen: { kind } }),
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
    add: (jid: string, messages: NewMessage[], place: "start" | "end") => talk(jid, (c) => addMessages(c, messages, place).conversation),
    NOW,
  },
});

render(<App />, document.getElementById("panel") ?? document.body);
