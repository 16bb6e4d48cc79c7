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
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const dist = join(root, "static", "dist");

// What is built: the logical name, where it starts, and whether its published name carries a hash. The launcher
// keeps its name because the page that loads it is not ours to rewrite.
const outputs = [
  { name: "panel.js", entry: "src/main.tsx", hashed: true },
  { name: "panel.css", entry: "src/css/panel.css", hashed: true },
  { name: "callback.js", entry: "src/callback.ts", hashed: true },
  { name: "embed.js", entry: "src/launcher/embed.ts", hashed: false },
];

// A style sheet that a script imports becomes a minified string: the launcher puts it into a shadow root.
const styleAsText = {
  name: "style-as-text",
  setup(setup) {
    setup.onLoad({ filter: /launcher[/\\]\w+\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true, target: common.target });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

// Parts of strophe.js that no stream of ours reaches: the gateway offers a WebSocket and PLAIN, one tab holds the
// stream, and what must survive a reload has our own store. Their classes and functions are emptied, and what only they
// used falls away with them. One that is not found fails the build, so that an update cannot pass unseen.
const unusedClasses = [
  "Bosh", "Request", "WorkerWebsocket", "StreamManagementMirror", "MemoryStorageBackend", "SessionStorageBackend",
  "SASLAnonymous", "SASLExternal", "SASLOAuthBearer", "SASLXOAuth2", "SASLSHA1", "SASLSHA256", "SASLSHA384", "SASLSHA512", "Stanza",
];
const unusedFunctions = [
  "createHtml", "createFromHtmlElement", "validTag", "validAttribute", "validCSS", "addCookies", "escapeNode", "unescapeNode", "stripWhitespace",
  "xorArrayBuffers", "base64ToArrayBuf",
];

const leanStrophe = {
  name: "lean-strophe",
  setup(setup) {
    setup.onLoad({ filter: /strophe\.esm\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      const empty = (kind, names, head, end) => {
        for (const name of names) {
          const whole = new RegExp(`^${kind} ${name}${head} \\{\\n[^]*?^\\}$`, "m");
          if (!whole.test(contents)) throw new Error(`strophe.js: no ${kind} ${name}`);
          contents = contents.replace(whole, `${kind} ${name}${end}`);
        }
      };
      empty("class", unusedClasses, "(?: extends \\w+)?", " {}");
      empty("function", unusedFunctions, "\\([\\w, ]*\\)", "() {}");
      contents = contents.replace(/^globalThis\.\$?\w+ = [\w$.]+;$/gm, ""); // nothing of it is for other scripts
      return { contents, loader: "js" };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: ["es2022", "chrome111", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
  plugins: [styleAsText, leanStrophe],
};

/** One bundle as bytes; the packages it took code from are added to packages. */
async function bundle({ entry }, packages) {
  const result = await build({
    ...common,
    entryPoints: [join(here, entry)],
    format: "iife",
    outdir: "out",
    metafile: true,
  });
  if (result.outputFiles.length !== 1) {
    throw new Error(`${entry}: expected one file, got ${result.outputFiles.map((f) => relative(root, f.path))}`);
  }
  for (const input of Object.keys(result.metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  return Buffer.from(result.outputFiles[0].contents);
}

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
  for (const output of outputs) built.push([output, await bundle(output, packages)]);
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
