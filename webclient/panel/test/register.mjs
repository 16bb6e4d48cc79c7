// Lets `node --test` load TypeScript: transpiles by esbuild, types are tsc's business. Files are named with their
// extension in imports, so nothing needs resolving.
import { readFile } from "node:fs/promises";
import { register } from "node:module";

export async function load(url, context, next) {
  if (!url.startsWith("file:") || !/\.tsx?$/.test(url)) return next(url, context);
  const { transform } = await import("esbuild");
  const loader = url.endsWith("x") ? "tsx" : "ts";
  const options = { loader, target: "node20", sourcefile: url, sourcemap: "inline", jsx: "automatic", jsxImportSource: "preact" };
  const { code } = await transform(await readFile(new URL(url), "utf8"), options);
  return { format: "module", source: code, shortCircuit: true };
}

// Loaded twice: by --import in the main thread, where it registers itself, and then as the hook.
if (!globalThis.trunklineHooks) {
  globalThis.trunklineHooks = true;
  const { isMainThread } = await import("node:worker_threads");
  if (isMainThread) register(import.meta.url);
}
