/**
 * What the panel knows, as one immutable value.
 *
 * Nothing here knows that there is a DOM or a network: views read a `State` and call the actions of
 * app.ts; events from the network go through the pure functions in state/*.ts. JIDs are bare and
 * lower-case unless a name says "full". Times are unix milliseconds. Text fields are hostile plain
 * text: show them as text nodes only.
 */

/** A signed-in person as /api/v1/session tells it. */
export interface Account {
  /** Mastodon account id, opaque. */
  readonly id: string;
  readonly username: string;
  /** Handle as Mastodon writes it, e.g. `alice` or `alice@social.example`. */
  readonly acct: string;
  readonly displayName: string;
  readonly avatar: string;
  readonly url: string;
  /** Chat address, `alice@social.example`. */
  readonly jid: string;
}

/** The Mastodon server this panel stands in. */
export interface Instance {
  readonly name: string;
  /** Web origin, `https://social.example`. */
  readonly origin: string;
  /** Local domain of the handles. */
  readonly domain: string;
}

export type PresenceConsent = "nobody" | "contacts";

/** What the person agreed to show. `decided` is false until they have answered once. */
export interface Consent {
  readonly decided: boolean;
  readonly presence: PresenceConsent;
  readonly typing: boolean;
  readonly receipts: boolean;
  /** RFC 3339, null before the first decision. */
  readonly changedAt: string | null;
  /** The XMPP server's own: a contact with a tool can find out that somebody who hides is connected. */
  readonly discoverable: boolean;
  /** It is kept, but not every live stream is known to obey yet. */
  readonly pending: boolean;
}

/** Answers of the consent form. `presence` is null until one of the two is chosen: nothing is preselected. */
export interface ConsentDraft {
  readonly presence: PresenceConsent | null;
  readonly typing: boolean;
  readonly receipts: boolean;
  readonly saving: boolean;
  /** Plain sentence when saving failed, else ''. */
  readonly error: string;
}

/** Version of the consent texts that the views show; stored with each decision. Raise both when they change. */
export function consentTextVersion(discoverable: boolean): number {
  return discoverable ? 3 : 1;
}

export type SignedOutReason =
  | "none" // never signed in here
  | "signed-out" // by this person, just now
  | "expired" // session or credential no longer accepted
  | "other-account" // the Mastodon page belongs to somebody else
  | "popup-closed"; // login window closed before it was finished

/** Exactly one screen is shown. The steps address → consent → people come once, after the first login. */
export type Screen =
  | { readonly kind: "loading" }
  /** `message`: the server's own sentence about why. */
  | { readonly kind: "signed-out"; readonly reason: SignedOutReason; readonly message?: string }
  /** `blocked`: the popup did not open; show `redirectUrl` as a link with target=_top. */
  | { readonly kind: "login-pending"; readonly blocked: boolean; readonly redirectUrl: string }
  | { readonly kind: "login-error"; readonly code: string; readonly message: string }
  /** Trunkline itself does not answer; `retryAt` is when it is tried again. */
  | { readonly kind: "server-down"; readonly retryAt: number }
  | { readonly kind: "address" }
  | { readonly kind: "consent" }
  | { readonly kind: "people" }
  | { readonly kind: "list" }
  | { readonly kind: "conversation"; readonly jid: string }
  | { readonly kind: "settings" }
  | { readonly kind: "devices" };

export type ScreenKind = Screen["kind"];

/** The stream to the XMPP server. */
export type Connection =
  | { readonly kind: "idle" } // not wanted (signed out, first-run steps before consent)
  | { readonly kind: "connecting" }
  | { readonly kind: "online"; readonly resumed: boolean }
  /** Lost; next attempt at `nextAt`. `attempt` counts from 1. `reason` is a stable word for tests and help. */
  | { readonly kind: "reconnecting"; readonly nextAt: number; readonly attempt: number; readonly reason: string }
  | { readonly kind: "offline" } // the browser says there is no network
  | { readonly kind: "replaced" } // another tab holds the connection; actions.takeOver() fetches it here
  | { readonly kind: "server-down"; readonly nextAt: number; readonly attempt: number };

/**
 * How messages arrive. `archive`: presence is held back because the XMPP server has no privacy lists,
 * so new messages are fetched from the archive and come some seconds late. Say so in the list.
 */
export type Delivery = "live" | "archive";

export type Subscription = "none" | "to" | "from" | "both";

/** Presence as far as this contact shows it. `unknown`: they show none; draw no dot. */
export type Availability = "unknown" | "offline" | "online" | "away" | "dnd";

export interface Contact {
  readonly jid: string;
  /** Name from the roster, '' if none: then show the localpart. */
  readonly name: string;
  readonly avatar: string;
  readonly subscription: Subscription;
  /** We asked to see them and they have not answered. */
  readonly asked: boolean;
  readonly groups: readonly string[];
  readonly availability: Availability;
}

/** Somebody asks to see when this person is online. Accepting needs presence consent. */
export interface IncomingRequest {
  readonly jid: string;
  readonly at: number;
}

export type DeliveryState =
  | "queued" // waits for a connection
  | "sending" // on the wire, not yet acknowledged by the server
  | "sent" // the server has it
  | "delivered" // receipt from one of their devices
  | "read" // displayed marker from them
  | "failed"; // refused; `error` says why, actions.retry() sends anew

export interface Message {
  /** Stable key for lists; never changes during a message's life. */
  readonly key: string;
  /** id attribute and origin-id of the stanza. */
  readonly id: string;
  /** Archive id given by our own server, '' while unknown. */
  readonly stanzaId: string;
  readonly mine: boolean;
  readonly body: string;
  readonly at: number;
  /** Only meaningful for own messages; 'sent' for those from the archive or other devices. */
  readonly state: DeliveryState;
  /** Plain sentence, only with state 'failed'. */
  readonly error: string;
  /** They asked for a receipt / may be marked as displayed. */
  readonly wantsReceipt: boolean;
  readonly markable: boolean;
  /** History between the message before this one and this one is missing: draw a gap marker above it. */
  readonly gapBefore: boolean;
}

export interface Conversation {
  readonly jid: string;
  /** Oldest first. */
  readonly messages: readonly Message[];
  readonly unread: number;
  /** Key of the first unread message when the conversation was opened, '' if none: draw a "new" line above it. */
  readonly firstUnread: string;
  /** They are typing now. */
  readonly composing: boolean;
  /** Text in the composer; survives leaving the conversation, not a reload. */
  readonly draft: string;
  /** unknown: never asked; more: older messages exist; complete: the beginning is loaded. */
  readonly history: "unknown" | "loading" | "more" | "complete" | "failed";
  /** Newest thing that happened, for sorting the list. 0 = nothing. */
  readonly lastAt: number;
}

export type Reach = "local" | "address" | "none";

/** One person followed on Mastodon. */
export interface Follow {
  readonly id: string;
  readonly acct: string;
  readonly displayName: string;
  readonly avatar: string;
  readonly url: string;
  readonly jid: string | null;
  /** local: same instance; address: their profile shows a chat address; none: cannot be reached. */
  readonly reach: Reach;
}

export type ImportStatus = "pending" | "added" | "already" | "skipped" | "failed";

export interface ImportItem {
  readonly id: string;
  readonly jid: string;
  readonly name: string;
  readonly status: ImportStatus;
  readonly reason: string;
}

export interface ImportProgress {
  readonly id: string;
  readonly total: number;
  readonly done: number;
  readonly finished: boolean;
  /** In the order in which they were handled. */
  readonly items: readonly ImportItem[];
  /** Plain sentence when the progress cannot be followed, else ''. */
  readonly error: string;
}

/** The people step. Pages stream in by themselves until `done`. */
export interface People {
  /** login-again: Mastodon no longer accepts our access; offer actions.login(). */
  readonly status: "idle" | "loading" | "done" | "waiting" | "error" | "login-again";
  readonly people: readonly Follow[];
  readonly query: string;
  /** Follow ids. Nothing is preselected. */
  readonly selected: ReadonlySet<string>;
  /** Follow ids whose presence is asked for; subset of `selected`. */
  readonly subscribe: ReadonlySet<string>;
  /** With status waiting: Mastodon asked us to wait until then. */
  readonly retryAt: number;
  /** Plain sentence with status error / waiting. */
  readonly message: string;
  readonly starting: boolean;
  readonly progress: ImportProgress | null;
}

/** What the launcher told about the page around us. */
export interface Host {
  readonly theme: "light" | "dark";
  readonly contrast: "default" | "high";
  readonly lang: string;
  /** The panel is open on the page (the iframe is visible). */
  readonly open: boolean;
}

export interface State {
  readonly screen: Screen;
  readonly host: Host;
  readonly account: Account | null;
  readonly instance: Instance;
  readonly consent: Consent;
  readonly consentDraft: ConsentDraft;
  readonly connection: Connection;
  readonly delivery: Delivery;
  readonly contacts: ReadonlyMap<string, Contact>;
  /** The roster has been loaded at least once since sign-in. */
  readonly rosterLoaded: boolean;
  readonly requests: readonly IncomingRequest[];
  readonly conversations: ReadonlyMap<string, Conversation>;
  readonly people: People;
  /** Search in the people list. */
  readonly query: string;
  /** Plain sentence about the last action that failed ('' = none), for a status line; actions.dismiss() clears it. */
  readonly notice: string;
}

export const NO_CONSENT: Consent = {
  decided: false, presence: "nobody", typing: false, receipts: false, changedAt: null, discoverable: false, pending: false,
};

export const EMPTY_DRAFT: ConsentDraft = { presence: null, typing: false, receipts: false, saving: false, error: "" };

/** Whether the consent form says what is saved. */
export function isSaved({ consent: c, consentDraft: d }: Pick<State, "consent" | "consentDraft">): boolean {
  return c.decided && c.presence === d.presence && c.typing === d.typing && c.receipts === d.receipts;
}

export const NO_PEOPLE: People = {
  status: "idle", people: [], query: "", selected: new Set(), subscribe: new Set(), retryAt: 0, message: "",
  starting: false, progress: null,
};

/** The state before anything is known. `instance` comes from the page's data attributes. */
export function initialState(instance: Instance): State {
  return {
    screen: { kind: "loading" },
    host: { theme: "light", contrast: "default", lang: "en", open: false },
    account: null,
    instance,
    consent: NO_CONSENT,
    consentDraft: EMPTY_DRAFT,
    connection: { kind: "idle" },
    delivery: "live",
    contacts: new Map(),
    rosterLoaded: false,
    requests: [],
    conversations: new Map(),
    people: NO_PEOPLE,
    query: "",
    notice: "",
  };
}
