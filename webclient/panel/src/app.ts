/**
 * The panel's heart: one signal with the whole State, and the actions that views may call.
 *
 * createApp() builds everything over an Env (clock, timers, fetch, storage, …), so that nothing below
 * reaches for a global. Actions never throw; what goes wrong appears in the state. They may be called
 * in any order; those that make no sense in the current state do nothing.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { Api, type Ask } from "./api.ts";
import { Chat, type MakeTransport } from "./chat.ts";
import type { Env } from "./env.ts";
import { Follows } from "./follows.ts";
import { type LoginResult, Session } from "./session.ts";
import { type Account, type ConsentDraft, initialState, type Instance, isSaved, type Screen, type ScreenKind, type State } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import { show, totalUnread } from "./state/contacts.ts";
import { select, tickSubscribe } from "./state/people.ts";
import { domain, typed } from "./xmpp/jid.ts";

/** What the launcher says with {type:'trunkline:host'}, already checked for origin and shape. */
export interface HostMessage {
  readonly theme: "light" | "dark";
  readonly contrast: "default" | "high";
  readonly lang: string;
  /** Mastodon account id of the person signed in on the page, '' if unknown. */
  readonly me: string;
  /** The page is sure that nobody is signed in there. */
  readonly nobody: boolean;
  /** URL of the page around the panel, for coming back after a redirect login. */
  readonly page: string;
  readonly open: boolean;
}

export interface Actions {
  /** Asks who is signed in and goes on from there. Once, at load. */
  start(): void;
  /** The launcher spoke. If the session is not of the page's person: signs out and purges, and shows nothing of it. */
  host(message: HostMessage): void;
  /** Whether the panel is seen by the person now (open, tab visible, window focused); gates reading and polling. */
  attention(seen: boolean): void;

  /** Opens the login popup. Call it straight from the click, or browsers block the window. */
  login(): void;
  /** Gives up a pending login. */
  cancelLogin(): void;
  /** The callback window reported (shape and origin already checked), or the launcher saw #trunkline-error=CODE. */
  loginResult(result: LoginResult): void;
  /** Ends the session on the server and purges every trace in the browser. */
  signOut(): void;
  /** Tries again now: server-down screen, reconnecting line. */
  retryNow(): void;
  /** Brings the connection from another tab to this one. */
  takeOver(): void;

  /** address → consent. */
  addressSeen(): void;
  draftConsent(change: Partial<Pick<ConsentDraft, "presence" | "typing" | "receipts">>): void;
  /** Saves the draft (presence must be chosen). In the first run goes on to people, in settings stays. */
  saveConsent(): void;

  searchFollows(query: string): void;
  /** Selects or deselects follows that can be reached. Deselecting also takes back the subscribe tick. */
  select(ids: readonly string[], on: boolean): void;
  /** Ticks "ask to see when they are online" for one selected person. */
  subscribe(id: string, on: boolean): void;
  /** Loads pages again after an error. */
  reloadFollows(): void;
  startImport(): void;
  /** Leaves the people step (skip, or done) for the list. */
  leavePeople(): void;

  /** Back to the list, to settings, to the people step, to the device passwords. */
  go(to: Extract<ScreenKind, "list" | "settings" | "people" | "devices">): void;
  /** For a page with matters of its own: asks the server. Who is told to be signed out is signed out here as well. */
  readonly ask: Ask;
  /** Sets State.notice, unless nobody is signed in any more. */
  tell(notice: string): void;
  search(query: string): void;
  /** Opens a conversation with anyone in the list. */
  open(jid: string): void;
  /** Starts a chat by address (`bob@social.example`, `@bob@social.example`, or `bob`). Returns '' or a plain sentence. */
  startChat(address: string): string;
  /** Lets somebody see when this person is online; needs presence consent. */
  acceptRequest(jid: string): void;
  declineRequest(jid: string): void;
  /** Asks a contact to let us see when they are online. */
  askPresence(jid: string): void;
  /** Takes back what acceptRequest gave. */
  revokePresence(jid: string): void;
  /** Takes a contact off the list and goes back to it. Neither sees the other's presence afterwards. */
  removeContact(jid: string): void;

  /** Text in the composer changed; sends typing states only with that consent. */
  draft(jid: string, text: string): void;
  /** Sends text; queued when offline. Blank text does nothing. */
  send(jid: string, text: string): void;
  /** Sends a failed message anew. */
  retry(jid: string, key: string): void;
  /** Removes a failed message from view. */
  discard(jid: string, key: string): void;
  /** Loads one older page. Safe to call on every scroll event. */
  loadOlder(jid: string): void;
  /** Loads what is missing above this message. */
  fillGap(jid: string, key: string): void;
  /** Clears State.notice. */
  dismiss(): void;
}

export interface App {
  readonly state: ReadonlySignal<State>;
  readonly actions: Actions;
  /** Sum of unread messages, for the launcher's badge. */
  readonly unread: ReadonlySignal<number>;
}

/** Builds the app over its environment. Nothing happens before actions.start(). */
export function createApp(env: Env, instance: Instance, makeTransport: MakeTransport): App {
  const state = signal(initialState(instance));
  const cell: Cell = {
    get state() {
      return state.peek();
    },
    change(fn) {
      state.value = fn(state.peek());
    },
  };
  const unread = computed(() => totalUnread(state.value));
  const core = new Core(env, cell, makeTransport);
  unread.subscribe((count) => env.toHost({ type: "trunkline:unread", count }));
  computed(() => (state.value.account ? true : state.value.screen.kind === "signed-out" ? false : null)).subscribe((used) => {
    if (used !== null) env.toHost({ type: "trunkline:used", used });
  });
  return { state, unread, actions: core };
}

/** The actions, over the parts that do the work. */
class Core implements Actions {
  readonly #env: Env;
  readonly #cell: Cell;
  readonly #api: Api;
  readonly #session: Session;
  readonly #follows: Follows;
  readonly #make: MakeTransport;
  #chat: Chat | null = null;
  #seen = false;
  #importSeen = false;

  constructor(env: Env, cell: Cell, make: MakeTransport) {
    this.#env = env;
    this.#cell = cell;
    this.#make = make;
    this.#api = new Api(env);
    this.#session = new Session(env, this.#api, cell, {
      begin: (account, activeImport) => this.#begin(account, activeImport),
      end: () => this.#end(),
    });
    this.#follows = new Follows(env, this.#api, cell, {
      picked: (avatars) => this.#chat?.contacts.rememberAvatars(avatars),
      met: (avatars) => this.#chat?.contacts.refreshAvatars(avatars),
      signedOut: (f) => this.#session.refused(f),
    });
  }

  start = (): void => {
    const chat = (): Chat | null => this.#chat;
    this.#env.listen("online", () => chat()?.link.network());
    this.#env.listen("offline", () => chat()?.link.network());
    this.#env.listen("pagehide", () => chat()?.contacts.save());
    this.#env.listen("storage", () => this.#session.storage());
    this.#env.listen("focus", () => {
      this.#session.focus();
      chat()?.link.awake();
    });
    this.#session.start();
  };

  host = (m: HostMessage): void => {
    const { theme, contrast, lang, open } = m;
    this.#cell.change((s) => ({ ...s, host: { theme, contrast, lang, open } }));
    this.#session.host(m);
  };

  attention = (seen: boolean): void => {
    this.#seen = seen;
    this.#chat?.attention(seen);
  };

  login = (): void => this.#session.login();
  cancelLogin = (): void => this.#session.cancelLogin();
  loginResult = (r: LoginResult): void => void this.#session.result(r);
  signOut = (): void => void this.#session.signOut();
  takeOver = (): void => this.#chat?.link.takeOver();

  retryNow = (): void => {
    this.#session.retryNow();
    this.#chat?.link.retryNow();
  };

  addressSeen = (): void => {
    if (this.#cell.state.screen.kind === "address") this.#show({ kind: "consent" });
  };

  draftConsent = (change: Partial<Pick<ConsentDraft, "presence" | "typing" | "receipts">>): void => {
    this.#cell.change((s) => ({ ...s, consentDraft: { ...s.consentDraft, ...change, error: "" } }));
  };

  saveConsent = (): void => void this.#saveConsent();

  searchFollows = (query: string): void => this.#follows.change((p) => ({ ...p, query }));
  select = (ids: readonly string[], on: boolean): void => this.#follows.change((p) => select(p, ids, on));
  subscribe = (id: string, on: boolean): void => this.#follows.change((p) => tickSubscribe(p, id, on));
  reloadFollows = (): void => this.#follows.load();
  startImport = (): void => void this.#follows.start();

  leavePeople = (): void => {
    if (this.#cell.state.screen.kind !== "people") return;
    this.#importSeen = this.#cell.state.people.progress?.finished === true;
    this.#show({ kind: "list" });
  };

  go = (to: "list" | "settings" | "people" | "devices"): void => {
    const { account, consent } = this.#cell.state;
    if (!account || !consent.decided) return;
    const { presence, typing, receipts } = consent;
    if (to === "settings") {
      this.tell("");
      this.draftConsent({ presence, typing, receipts });
    }
    if (to === "people") this.#people();
    this.#show({ kind: to });
  };

  ask: Ask = async (...question) => {
    const r = await this.#api.ask(...question);
    if (!r.ok && (r.why === "signed-out" || r.why === "again")) this.#session.refused(r);
    return r;
  };

  search = (query: string): void => this.#cell.change((s) => ({ ...s, query }));

  open = (jid: string): void => {
    if (!this.#chat) return;
    this.#show({ kind: "conversation", jid });
    this.#chat.open(jid);
  };

  startChat = (address: string): string => {
    const own = this.#cell.state.account?.jid ?? "";
    const jid = typed(address, domain(own));
    if (!jid) return "This is no chat address. Write it like name@server.";
    if (jid === own) return "This is your own address.";
    this.open(jid);
    return "";
  };

  acceptRequest = (jid: string): void => this.#chat?.contacts.accept(jid);
  declineRequest = (jid: string): void => this.#chat?.contacts.decline(jid);
  askPresence = (jid: string): void => this.#chat?.contacts.ask(jid);
  revokePresence = (jid: string): void => this.#chat?.contacts.decline(jid);

  removeContact = (jid: string): void => {
    const { screen } = this.#cell.state;
    if (screen.kind === "conversation" && screen.jid === jid) this.go("list");
    this.#chat?.contacts.remove(jid);
  };

  draft = (jid: string, text: string): void => this.#chat?.draft(jid, text);

  send = (jid: string, text: string): void => {
    if (this.#chat?.say(jid, text) === false) this.tell("This message is too long.");
  };

  retry = (jid: string, key: string): void => this.#chat?.settle(jid, key, true);
  discard = (jid: string, key: string): void => this.#chat?.settle(jid, key, false);
  loadOlder = (jid: string): void => void this.#chat?.history.older(jid);
  fillGap = (jid: string, key: string): void => void this.#chat?.history.gap(jid, key);
  tell = (notice: string): void => {
    this.#cell.change((s) => (s.notice === notice || (notice && !s.account) ? s : { ...s, notice }));
  };

  dismiss = (): void => this.tell("");

  async #saveConsent(): Promise<void> {
    const first = this.#cell.state.screen.kind === "consent";
    const consent = await this.#session.saveConsent();
    const account = this.#cell.state.account;
    if (!consent || !account) return;
    if (!first) return this.#chat?.consentChanged(consent);
    this.#begin(account, "");
    this.#people();
    this.#show({ kind: "people" });
  }

  /** Enters the people step, anew unless an import is under way there or its result has not been seen. */
  #people(): void {
    if (this.#cell.state.people.progress && !this.#importSeen) return;
    this.#importSeen = false;
    this.#follows.restart();
  }

  #begin(account: Account, activeImport: string): void {
    if (this.#chat) return;
    this.#chat = new Chat(this.#env, this.#api, this.#cell, account, this.#make, (f) => this.#session.refused(f));
    this.#chat.attention(this.#seen);
    this.#chat.link.start();
    if (activeImport) void this.#follows.follow(activeImport);
  }

  #end(): void {
    this.#follows.stop();
    const chat = this.#chat;
    this.#chat = null;
    chat?.stop();
  }

  #show(screen: Screen): void {
    const s = this.#cell.state;
    if (s.screen.kind === "settings" && screen.kind !== "settings" && !s.consentDraft.saving && !isSaved(s)) {
      this.tell("Your choice in the settings was not saved.");
    }
    this.#cell.change((now) => show(now, screen));
  }
}
