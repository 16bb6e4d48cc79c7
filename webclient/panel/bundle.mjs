// Bundles one entry at a time: for build.mjs, which publishes, and for the gallery, which shows and tests.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");

// A style sheet that a script imports becomes a minified string: the launcher puts it into a shadow root.
const styleAsText = {
  name: "style-as-text",
  setup(setup) {
    setup.onLoad({ filter: /(launcher|devices)[/\\]\w+\.css$/ }, async ({ path }) => {
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
      const drop = (what, pattern, by) => {
        if (!pattern.test(contents)) throw new Error(`strophe.js: no ${what}`);
        contents = contents.replace(pattern, by);
      };
      drop("log lines", /^\s+log\.(debug|info|warn|error|fatal)\(.*\);$/gm, ";"); // we want none: they carry stanzas
      drop("XHTML", /^const XHTML = \{\n[^]*?^\};$/m, "const XHTML = {};");
      return { contents, loader: "js" };
    });
  },
};

/** What every bundle is built with. */
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
export async function bundle(entry, packages, options = {}) {
  const result = await build({
    ...common,
    format: "iife",
    outdir: "out",
    metafile: true,
    ...options,
    entryPoints: [join(here, entry)],
    define: { ...common.define, ...options.define },
    plugins: [...common.plugins, ...(options.plugins ?? [])],
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

// What the panel lends to a page that is loaded later is listed in one place, src/views/lent.ts; a page that imports
// more from there fails to build.
function lending() {
  const source = readFileSync(join(here, "src/views/lent.ts"), "utf8");
  const order = /lent = \[([^\]]*)\]/.exec(source)?.[1].split(",").map((name) => name.trim()).filter(Boolean) ?? [];
  const modules = new Map();
  for (const [, names, from] of source.matchAll(/^import \{ ([^}]*) \} from "([^"]+)";$/gm)) {
    const id = from.startsWith(".") ? join(here, "src/views", from) : from;
    modules.set(id, names.split(", ").map((name) => {
      if (!order.includes(name)) throw new Error(`lent.ts: ${name} is imported and not lent`);
      return `export const ${name} = lent[${order.indexOf(name)}];`;
    }).join("\n"));
  }
  return modules;
}

const borrowed = {
  name: "borrowed",
  setup(setup) {
    const modules = lending();
    setup.onResolve({ filter: /./ }, ({ path, resolveDir }) => {
      const id = path.startsWith(".") ? join(resolveDir, path) : path;
      return modules.has(id) ? { path: id, namespace: "borrowed" } : null;
    });
    setup.onLoad({ filter: /./, namespace: "borrowed" }, ({ path }) => ({ contents: modules.get(path), loader: "js" }));
  },
};

/**
 * A page that is loaded later, as a module: its default export takes what the panel lends and returns what the entry
 * exports. So there is one Preact, whichever of the two was built when.
 */
export function bundleLater(entry, packages) {
  return bundle(entry, packages, {
    globalName: "page",
    banner: { js: "export default lent=>{" },
    footer: { js: "return page}" },
    plugins: [borrowed],
  });
}
