// The panel page's entry: starts the app, draws it, and follows the page around it in its looks.
import { effect, type ReadonlySignal } from "@preact/signals";
import { render, type JSX } from "preact";
import { startApp } from "./browser.ts";
import type { Host, State } from "./state.ts";
import { Panel } from "./views/app.tsx";

const PATIENCE = 1000;

/** The system's looks, for a panel that is a page of its own. */
function systemLook(): Pick<Host, "theme" | "contrast"> {
  return {
    theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
    contrast: matchMedia("(prefers-contrast: more)").matches ? "high" : "default",
  };
}

function paint({ theme, contrast }: Pick<Host, "theme" | "contrast">): void {
  Object.assign(document.documentElement.dataset, { theme, contrast });
}

/** Nothing is painted before the page around the panel has told its looks; if it never does, the system's are taken. */
function followLook(state: ReadonlySignal<State>, framed: boolean): void {
  const untold = state.peek().host;
  const bySystem = (): void => {
    if (state.peek().host === untold) paint(systemLook());
  };
  if (framed) setTimeout(bySystem, PATIENCE);
  else bySystem();
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) matchMedia(query).addEventListener("change", bySystem);
  effect(() => {
    if (state.value.host !== untold) paint(state.value.host);
  });
}

function main(): void {
  const app = startApp();
  const framed = window.parent !== window;
  const origin = document.body.dataset["instanceOrigin"] ?? "";
  const onClose = framed && origin ? () => window.parent.postMessage({ type: "trunkline:close" }, origin) : undefined;
  followLook(app.state, framed);
  if (location.hash) history.replaceState(null, "", location.pathname); // a login's error is told once
  const root = document.createElement("div");
  root.id = "panel";
  document.body.replaceChildren(root);
  const App = (): JSX.Element => <Panel state={app.state.value} actions={app.actions} onClose={onClose} />;
  render(<App />, root);
}

main();
