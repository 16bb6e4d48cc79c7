// Builds the gallery and serves it on a free loopback port, under a policy as strict as the real panel's.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundleLater } from "../bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; base-uri 'none'; form-action 'none'";

async function bundle(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [join(here, entry)], bundle: true, write: false, format: "iife", outdir: "out", jsx: "automatic", jsxImportSource: "preact", logLevel: "warning",
    define: { DEVICES_FILE: '"./devices.js"' },
  });
  return result.outputFiles[0]?.text ?? "";
}

export interface Served {
  origin: string;
  close(): Promise<void>;
}

export async function serve(): Promise<Served> {
  const files: Record<string, { type: string; body: string }> = {
    "/gallery.js": { type: "text/javascript", body: await bundle("gallery.tsx") },
    "/devices.js": { type: "text/javascript", body: (await bundleLater("src/views/devices/page.tsx", new Set())).toString() },
    "/panel.css": { type: "text/css", body: await bundle("../src/css/panel.css") },
    "/": {
      type: "text/html",
      body: '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"><title>Chat</title><link rel="stylesheet" href="/panel.css"><body><div id="panel"></div><script src="/gallery.js"></script>',
    },
  };
  const server = createServer((request, response) => {
    const file = files[new URL(request.url ?? "/", "http://gallery").pathname];
    response.writeHead(file ? 200 : 404, { "content-type": `${file?.type ?? "text/plain"}; charset=utf-8`, "content-security-policy": policy });
    response.end(file?.body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((done) => {
      server.closeAllConnections();
      server.close(() => done());
    }),
  };
}
