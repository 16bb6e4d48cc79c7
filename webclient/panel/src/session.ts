/**
 * Who is signed in, and how that begins and ends. Signed out, nothing is asked of the server until the person does
 * something; every way out, a 401 included, purges what the browser kept.
 */
import type { Api, Failure, SessionInfo } from "./api.ts";
import { delay } from "./backoff.ts";
import type { HostMessage } from "./app.ts";
import type { Env, Popup } from "./env.ts";
import { loginError } from "./login-errors.ts";
import { initialState, type Account, type Consent, type ConsentDraft, type Screen, type SignedOutReason } from "./state.ts";
import type { Cell } from "./state/cell.ts";
import { purge, purgeOthers, Store } from "./storage.ts";

const LOGIN_MS = 10 * 60_000; // the server forgets a pending login after that
const POPUP_MS = 1_000;
const HOST_MS = 1_000; // the page around the panel answers within milliseconds, if it answers

export interface SessionEvents {
  /** Signed in and consent decided: chat may start. */
  begin(account: Account, activeImport: string): void;
  /** Chat must end; `properly`: tell the XMPP server. */
  end(): void;
}

export interface LoginResult {
  readonly ok: boolean;
  readonly error: string;
  readonly message: string;
  readonly handoff: string;
}

export class Session {
  readonly #env: Env;
  readonly #api: Api;
  readonly #cell: Cell;
  readonly #on: SessionEvents;
  #me = "";
  #nobody = false;
  #page = "";
  #told = false;
  #stopWaiting: (() => void) | null = null;
  #popup: Popup | null = null;
  #loginUntil = 0;
  #attempt = 0;
  #checking = false;
  #leaving = false;
  #stopTimer: () => void = () => undefined;

  constructor(env: Env, api: Api, cell: Cell, on: SessionEvents) {
    this.#env = env;
    this.#api = api;
    this.#cell = cell;
    this.#on = on;
  }

  /** In a frame, the page says first whose it is: nobody else's chats are shown in it, not for a moment. */
  start(): void {
    if (this.#env.framed && !this.#told) this.#stopWaiting = this.#env.after(HOST_MS, () => this.#hostTold());
    else void this.check("none");
  }

  /** Asks who is signed in. `otherwise` is the reason shown when nobody is. */
  async check(otherwise: SignedOutReason): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    this.#stopTimer();
    const r = await this.#api.session();
    this.#checking = false;
    if (r.ok) this.#enter(r.value);
    else if (r.why === "signed-out" || r.why === "again") {
      const { account, screen } = this.#cell.state;
      this.end(account ? "expired" : otherwise, why(r));
      if (screen.kind === "login-error") this.#show(screen); // how a login by redirect ended, told before this answer
    } else if (!this.#cell.state.account) this.#down(r, otherwise);
  }

  host(m: HostMessage): void {
    this.#me = m.me;
    this.#nobody = m.nobody;
    this.#page = m.page;
    const account = this.#cell.state.account;
    if (account && this.#isStranger(account)) void this.#evict();
    this.#hostTold();
  }

  login(): void {
    this.#popup?.close();
    this.#popup = this.#env.popup("/auth/login?mode=popup");
    this.#loginUntil = this.#env.now() + LOGIN_MS;
    const back = this.#page ? `&return=${encodeURIComponent(this.#page)}` : "";
    this.#show({ kind: "login-pending", blocked: this.#popup === null, redirectUrl: `/auth/login?mode=redirect${back}` });
    if (this.#popup) this.#watchPopup();
  }

  cancelLogin(): void {
    this.#endLogin();
    if (this.#cell.state.screen.kind === "login-pending") this.#show({ kind: "signed-out", reason: "none" });
  }

  async result(r: LoginResult): Promise<void> {
    this.#endLogin();
    if (!r.ok) return this.#show({ kind: "login-error", code: r.error, message: r.message || loginError(r.error) });
    this.#show({ kind: "loading" });
    if (r.handoff) await this.#api.handoff(r.handoff);
    await this.check("none");
  }

  /** The person came back to this window: a login whose window could not report may have succeeded. */
  focus(): void {
    const kind = this.#cell.state.screen.kind;
    if (this.#cell.state.account || this.#env.now() > this.#loginUntil) return;
    if (kind === "login-pending" || kind === "signed-out") void this.#recheck("none");
  }

  /** Another tab of this browser changed the storage: was that a sign-out? */
  storage(): void {
    const account = this.#cell.state.account;
    if (account && new Store(this.#env.local, account.id).get("who", isText) === null) void this.check("signed-out");
  }

  retryNow(): void {
    if (this.#cell.state.screen.kind === "server-down") void this.check("none");
  }

  /** Ends the session on the server; when that fails the person stays signed in and is told. */
  async signOut(): Promise<void> {
    const account = this.#cell.state.account;
    if (!account || this.#leaving) return;
    this.#leaving = true;
    this.#on.end();
    const r = await this.#api.logout();
    this.#leaving = false;
    if (r.ok || r.why === "signed-out") return this.end("signed-out");
    if (this.#isStranger(account)) return this.#evict();
    this.#cell.change((s) => ({ ...s, notice: "You are still signed in: the server could not be reached. Try again." }));
    if (this.#cell.state.consent.decided) this.#on.begin(account, "");
  }

  /** The server takes this session no more. */
  refused(f: Failure): void {
    this.end("expired", why(f));
  }

  /** Forgets everything in this browser and shows the signed-out screen. */
  end(reason: SignedOutReason, message = ""): void {
    if (!this.#leaving) this.#forget(message ? { kind: "signed-out", reason, message } : { kind: "signed-out", reason });
  }

  async saveConsent(): Promise<Consent | null> {
    const draft = this.#cell.state.consentDraft;
    const presence = draft.presence;
    const account = this.#cell.state.account;
    if (presence === null || draft.saving || !account) return null;
    this.#draft({ saving: true, error: "" });
    const { discoverable } = this.#cell.state.consent;
    const r = await this.#api.saveConsent({ presence, typing: draft.typing, receipts: draft.receipts, discoverable });
    if (this.#cell.state.account !== account) return null;
    this.#draft({ saving: false });
    if (r.ok) {
      const consent = { ...r.value, decided: true };
      this.#cell.change((s) => ({ ...s, consent }));
      return consent;
    }
    if (r.why === "signed-out") this.refused(r);
    else this.#draft({ error: r.message || "Your choice could not be saved. Try again." });
    return null;
  }

  #isStranger(account: Account): boolean {
    return this.#nobody || (this.#me !== "" && this.#me !== account.id);
  }

  /** Ends a session that is not of this page's person and shows nothing of it. Tried until the server has heard. */
  async #evict(): Promise<void> {
    if (this.#leaving) return;
    this.#forget({ kind: "loading" });
    this.#leaving = true;
    const r = await this.#api.logout();
    this.#leaving = false;
    const reason = this.#nobody ? "signed-out" : "other-account";
    if (r.ok || r.why === "signed-out") this.end(reason);
    else this.#down(r, reason);
  }

  #forget(screen: Screen): void {
    this.#stopTimer();
    this.#on.end();
    purge(this.#env);
    this.#cell.change((s) => ({ ...initialState(s.instance), host: s.host, screen }));
  }

  #hostTold(): void {
    this.#told = true;
    if (!this.#stopWaiting) return;
    this.#stopWaiting();
    this.#stopWaiting = null;
    void this.check("none");
  }

  #draft(change: Partial<ConsentDraft>): void {
    this.#cell.change((s) => ({ ...s, consentDraft: { ...s.consentDraft, ...change } }));
  }

  #enter(info: SessionInfo): void {
    const { account, consent } = info;
    if (this.#cell.state.account) return;
    this.#endLogin();
    if (this.#isStranger(account)) return void this.#evict();
    this.#attempt = 0;
    purgeOthers(this.#env, account.id);
    new Store(this.#env.local, account.id).set("who", account.id);
    const { presence, typing, receipts, decided } = consent;
    const instance = info.instance.origin ? info.instance : this.#cell.state.instance;
    this.#cell.change((s) => ({
      ...s, account, instance, consent,
      consentDraft: { presence: decided ? presence : null, typing, receipts, saving: false, error: "" },
      screen: decided ? { kind: info.activeImport ? "people" : "list" } : { kind: "address" },
    }));
    if (decided) this.#on.begin(account, info.activeImport);
  }

  #down(f: Failure, otherwise: SignedOutReason): void {
    this.#attempt += 1;
    const ms = delay(this.#attempt + 2, this.#env.random(), f.retryAfter * 1000);
    this.#show({ kind: "server-down", retryAt: this.#env.now() + ms });
    this.#stopTimer = this.#env.after(ms, () => void this.check(otherwise));
  }

  #watchPopup(): void {
    this.#stopTimer = this.#env.after(POPUP_MS, () => {
      if (this.#cell.state.screen.kind !== "login-pending") return;
      if (!this.#popup?.closed()) return this.#watchPopup();
      void this.#recheck("popup-closed");
    });
  }

  /** One quiet look whether the login succeeded; a server that is down changes nothing on the screen. */
  async #recheck(reason: SignedOutReason): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    const r = await this.#api.session();
    this.#checking = false;
    if (r.ok) this.#enter(r.value);
    else if (this.#cell.state.screen.kind === "login-pending" && this.#popup?.closed()) this.#show({ kind: "signed-out", reason });
  }

  #endLogin(): void {
    this.#stopTimer();
    this.#popup?.close();
    this.#popup = null;
    this.#loginUntil = 0;
  }

  #show(screen: Screen): void {
    this.#cell.change((s) => ({ ...s, screen }));
  }
}

const isText = (v: unknown): v is string => typeof v === "string";

/** The server's sentence where it knows more than that the session is over. */
function why({ code, message }: Failure): string {
  if (code === "login_again") return message || "Mastodon asks you to log in again.";
  return code.startsWith("account_") ? message || loginError(code) : "";
}
