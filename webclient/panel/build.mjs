// Builds panel, callback script and launcher into static/dist.
//
//   node webclient/panel/build.mjs            writes static/dist
//   node webclient/panel/build.mjs --check    builds aside and fails if static/dist is not what it built
//
// The output depends on the sources and the pinned packages alone: no time, no path, no environment. Names carry
// a hash of their content. The compressed copies are compared unpacked by --check, because compressors may
// differ between versions of Node while what they pack does not.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { bundle, bundleLater, root } from "./bundle.mjs";

const dist = join(root, "static", "dist");

// What is built: the logical name, where it starts, whether its published name carries a hash, and whether the panel
// loads it later: then it comes first, because the panel holds its name. The launcher keeps its name because the page
// that loads it is not ours to rewrite.
const outputs = [
  { name: "devices.js", entry: "src/views/devices/page.tsx", hashed: true, later: true },
  { name: "panel.js", entry: "src/main.tsx", hashed: true },
  { name: "panel.css", entry: "src/css/panel.css", hashed: true },
  { name: "callback.js", entry: "src/callback.ts", hashed: true },
  { name: "embed.js", entry: "src/launcher/embed.ts", hashed: false },
];

/** The licence texts of the packages that the bundles contain: they ask to be handed on with every copy. */
function licences(packages) {
  const parts = [...packages].sort().map((name) => {
    const dir = join(root, "node_modules", name);
    const file = readdirSync(dir).sort().find((f) => /^licen[cs]e/i.test(f));
    if (!file) throw new Error(`${name}: no licence file`);
    const { version } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    return `${name} ${version}\n\n${readFileSync(join(dir, file), "utf8").replaceAll("\r\n", "\n").trim()}\n`;
  });
  const rule = `\n${"-".repeat(72)}\n\n`;
  return Buffer.from(`The panel contains code of these packages.\n${rule}${parts.join(rule)}`);
}

/** The published name: panel.js → panel-1a2b3c4d5e.js */
function published({ name, hashed }, bytes) {
  if (!hashed) return name;
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 10);
  return name.replace(/(\.\w+)$/, `-${hash}$1`);
}

/** gzip with a header that names no time and no system. */
function gzip(bytes) {
  const packed = gzipSync(bytes, { level: 9 });
  packed[9] = 255;
  return packed;
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** Builds everything into dir and returns a line per file for the reader. */
async function write(dir) {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const manifest = {};
  const report = [];
  const packages = new Set();
  const built = [];
  for (const output of outputs) {
    const later = built.find(([{ name }]) => name === "devices.js");
    const define = later ? { DEVICES_FILE: JSON.stringify(`./${published(...later)}`) } : {};
    built.push([output, await (output.later ? bundleLater(output.entry, packages) : bundle(output.entry, packages, { define }))]);
  }
  built.push([{ name: "licences.txt", hashed: true }, licences(packages)]);
  for (const [output, bytes] of built) {
    const name = published(output, bytes);
    const gz = gzip(bytes);
    const br = brotli(bytes);
    writeFileSync(join(dir, name), bytes);
    writeFileSync(join(dir, `${name}.gz`), gz);
    writeFileSync(join(dir, `${name}.br`), br);
    manifest[output.name] = name;
    report.push(`${name.padEnd(26)} ${String(bytes.length).padStart(8)} B ${String(gz.length).padStart(7)} gz ${String(br.length).padStart(7)} br`);
  }
  writeFileSync(join(dir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return report;
}

/** A directory's files, the compressed ones unpacked. */
function contents(dir) {
  return new Map(
    readdirSync(dir).sort().map((name) => {
      const bytes = readFileSync(join(dir, name));
      if (name.endsWith(".gz")) return [name, gunzipSync(bytes)];
      if (name.endsWith(".br")) return [name, brotliDecompressSync(bytes)];
      return [name, bytes];
    }),
  );
}

async function check() {
  const fresh = mkdtempSync(join(tmpdir(), "trunkline-dist-"));
  try {
    await write(fresh);
    const want = contents(fresh);
    const have = contents(dist);
    const names = new Set([...want.keys(), ...have.keys()]);
    const wrong = [...names].filter((name) => !have.get(name)?.equals(want.get(name) ?? Buffer.alloc(0)));
    if (wrong.length > 0) {
      console.error(`static/dist is not what the sources build: ${wrong.join(", ")}\nRun: npm run build`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) {
  await check();
} else {
  for (const line of await write(dist)) console.log(line);
}
