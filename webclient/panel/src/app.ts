/**
 * The panel's heart: one signal with the whole State, and the actions that views may call.
 *
 * createApp() builds everything over an Env (clock, timers, fetch, storage, …), so that nothing below
 * reaches for a global. Actions never throw; what goes wrong appears in the state. They may be called
 * in any order; those that make no sense in the current state do nothing.
 */
import { signal, type ReadonlySignal } from "@preact/signals";
import type { Env } from "./env.ts";
import type { ConsentDraft, Instance, ScreenKind, State } from "./state.ts";
import { initialState } from "./state.ts";

/** What the launcher says with {type:'trunkline:host'}, already checked for origin and shape. */
export interface HostMessage {
  readonly theme: "light" | "dark";
  readonly contrast: "default" | "high";
  readonly lang: string;
  /** Mastodon account id of the person signed in on the page, '' if unknown. */
  readonly me: string;
  /** URL of the page around the panel, for coming back after a redirect login. */
  readonly page: string;
  readonly open: boolean;
}

export interface Actions {
  /** Asks who is signed in and goes on from there. Once, at load. */
  start(): void;
  /** The launcher spoke. If `me` is somebody else than the session's account: signs out and purges. */
  host(message: HostMessage): void;
  /** Whether the panel is seen by the person now (open, tab visible, window focused); gates reading and polling. */
  attention(seen: boolean): void;

  /** Opens the login popup. Call it straight from the click, or browsers block the window. */
  login(): void;
  /** Gives up a pending login. */
  cancelLogin(): void;
  /** The callback window reported (shape and origin already checked), or the launcher saw #trunkline-error=CODE. */
  loginResult(result: { ok: boolean; error: string; message: string; handoff: string }): void;
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

  /** Back to the list, to settings, to the people step. */
  go(to: Extract<ScreenKind, "list" | "settings" | "people">): void;
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

/** Builds the app. Nothing happens before actions.start(). */
export function createApp(env: Env, instance: Instance): App {
  void env;
  const state = signal(initialState(instance));
  return { state, unread: signal(0), actions: {} as Actions };
}
