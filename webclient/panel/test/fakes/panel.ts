/** The whole core over a fake browser and a fake server. */
import { type App, createApp } from "../../src/app.ts";
import type { Contact, Conversation, State } from "../../src/state.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { h } from "../../src/xmpp/xml.ts";
import { FakeEnv, json } from "./env.ts";
import { FakeServer, OWN } from "./server.ts";

export const BOB = "bob@social.example";

export class FakePanel {
  readonly env: FakeEnv;
  readonly server: FakeServer;
  readonly app: App;
  consent = { decided: true, presence: "contacts", typing: true, receipts: true, text_version: 1, changed_at: null as string | null, discoverable: false };
  signedIn = true;

  constructor(server = new FakeServer(), env = new FakeEnv()) {
    this.server = server;
    this.env = env;
    if (server.roster.length === 0) server.roster.push(h("item", { xmlns: NS.ROSTER, jid: BOB, name: "Bob", subscription: "both" }));
    this.#routes();
    this.app = createApp(env, { name: "Test", origin: "https://social.example", domain: "social.example" }, server.transport);
  }

  get state(): State {
    return this.app.state.value;
  }

  conversation(jid = BOB): Conversation {
    const c = this.state.conversations.get(jid);
    if (!c) throw new Error(`no conversation with ${jid}`);
    return c;
  }

  bodies(jid = BOB): string[] {
    return this.state.conversations.get(jid)?.messages.map((m) => m.body) ?? [];
  }

  contact(jid = BOB): Contact {
    const c = this.state.contacts.get(jid);
    if (!c) throw new Error(`no contact ${jid}`);
    return c;
  }

  /** Starts and waits until online and caught up. */
  async start(): Promise<this> {
    this.app.actions.attention(true);
    this.app.actions.start();
    await this.env.advance(100);
    return this;
  }

  #routes(): void {
    const guarded = (make: (body: unknown) => unknown) => (body: unknown) =>
      this.signedIn ? json(make(body)) : json({ error: "signed_out" }, 401);
    const account = { id: "1", username: "alice", acct: "alice", display_name: "Alice", avatar: "", url: "" };
    const r = this.env.routes;
    r.set("GET /api/v1/session", guarded(() => ({
      account, jid: OWN, consent: this.consent, websocket_url: "wss://chat/x", active_import: null,
      instance: { name: "Test", origin: "https://social.example", domain: "social.example" },
    })));
    r.set("POST /api/v1/credentials", guarded(() => ({ jid: OWN, password: `tlt_${this.env.requests.length}`, expires_in: 120, websocket_url: "wss://chat/x" })));
    r.set("GET /api/v1/consent", guarded(() => this.consent));
    r.set("PUT /api/v1/consent", guarded((body) => (this.consent = { ...this.consent, ...(body as object), decided: true })));
    r.set("GET /api/v1/follows", guarded(() => ({ people: [], next: null })));
    r.set("POST /auth/logout", guarded(() => {
      this.signedIn = false;
      return {};
    }));
  }
}
