/** A real Prosody with its own WebSocket, and a proxy before it that can cut every connection. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const DOMAIN = "social.example";
const HOST_DIR = "social%2eexample";
const MODULES = ["roster", "saslauth", "disco", "mam", "smacks", "carbons", "ping", "offline", "privacy_lists", "websocket"];

export class Prosody {
  readonly #dir = mkdtempSync(join(tmpdir(), "panel-prosody-"));
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #proxy: Server | null = null;
  #child: ChildProcess | null = null;

  /** Everybody named knows everybody else; passwords equal names. */
  static async start(users: readonly string[]): Promise<Prosody> {
    const p = new Prosody();
    p.#port = await freePort();
    p.#write(users);
    await p.launch();
    p.#proxy = createServer((from) => p.#pipe(from));
    p.#proxy.listen(0, "127.0.0.1");
    await once(p.#proxy, "listening");
    return p;
  }

  get url(): string {
    const address = this.#proxy?.address();
    return `ws://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/xmpp-websocket`;
  }

  async launch(): Promise<void> {
    this.#child = spawn("prosody", ["-F", "--config", join(this.#dir, "prosody.cfg.lua")], { stdio: "ignore" });
    for (;;) {
      const s = connect(this.#port, "127.0.0.1");
      const open = await Promise.race([once(s, "connect").then(() => true), once(s, "error").then(() => false)]).catch(() => false);
      s.destroy();
      if (open) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = null;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  /** Cuts every connection without a word. */
  cut(): void {
    for (const s of this.#sockets) s.resetAndDestroy();
  }

  async stop(): Promise<void> {
    await this.kill();
    this.cut();
    this.#proxy?.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #pipe(from: Socket): void {
    const to = connect(this.#port, "127.0.0.1");
    for (const [s, other] of [[from, to], [to, from]] as const) {
      this.#sockets.add(s);
      s.on("error", () => other.destroy());
      s.on("close", () => {
        this.#sockets.delete(s);
        other.destroy();
      });
      s.pipe(other);
    }
  }

  #write(users: readonly string[]): void {
    const data = join(this.#dir, "data");
    for (const kind of ["accounts", "roster"]) mkdirSync(join(data, HOST_DIR, kind), { recursive: true });
    for (const u of users) {
      writeFileSync(join(data, HOST_DIR, "accounts", `${u}.dat`), `return { ["password"] = "${u}"; };`);
      const others = users.filter((o) => o !== u).map((o) => `["${o}@${DOMAIN}"] = { subscription = "both"; groups = {}; name = "${o}"; };`);
      writeFileSync(join(data, HOST_DIR, "roster", `${u}.dat`), `return { [false] = { version = 1; pending = {}; }; ${others.join(" ")} };`);
    }
    writeFileSync(join(this.#dir, "prosody.cfg.lua"), `
run_as_root = true
data_path = "${data}"
pidfile = "${this.#dir}/prosody.pid"
log = { { levels = { min = "debug" }, to = "file", filename = "${this.#dir}/prosody.log" } }
interfaces = { "127.0.0.1" }
c2s_ports = {}; c2s_direct_tls_ports = {}; legacy_ssl_ports = {}; https_ports = {}; s2s_ports = {}
modules_disabled = { "s2s", "tls" }
modules_enabled = { ${MODULES.map((m) => `"${m}"`).join(", ")} }
http_ports = { ${this.#port} }; http_interfaces = { "127.0.0.1" }; http_default_host = "${DOMAIN}"
consider_websocket_secure = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
archive_expires_after = "never"
VirtualHost "${DOMAIN}"
`);
  }
}

async function freePort(): Promise<number> {
  const s = createServer().listen(0, "127.0.0.1");
  await once(s, "listening");
  const address = s.address();
  s.close();
  await once(s, "close");
  return typeof address === "object" && address ? address.port : 0;
}
