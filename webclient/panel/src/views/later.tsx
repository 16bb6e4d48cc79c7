// A page that few people open and that is therefore loaded when one opens it (docs/adr/0029).
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { DevicesProps } from "./devices/page.tsx";
import { lent } from "./lent.ts";
import { Problem, SidePage, Spinner } from "./parts.tsx";

/** Where the page's script is, seen from this one; the build puts it in. */
declare const DEVICES_FILE: string;

interface Script {
  default: (borrowed: typeof lent) => { DevicesPage: (props: DevicesProps) => JSX.Element };
}

let page: ReturnType<Script["default"]> | undefined;
let failures = 0;

/** Browsers remember that a module could not be loaded, so each attempt has an address of its own. */
async function load(): Promise<boolean> {
  try {
    const url = DEVICES_FILE + (failures ? `?${failures}` : "");
    page = ((await import(url)) as Script).default(lent);
    return true;
  } catch {
    failures++;
    return false;
  }
}

export function Later(props: DevicesProps): JSX.Element {
  const [ok, set] = useState<boolean | null>(null);
  useEffect(() => {
    if (ok === null) void load().then(set);
  }, [ok]);
  if (page) return <page.DevicesPage {...props} />;
  return (
    <SidePage title="Apps & devices" back="Back to the settings" onBack={props.onBack}>
      {ok === null
        ? <Spinner label="Loading" />
        : (
          <>
            <Problem>This page could not be loaded. If it stays so, reload the page around the chat.</Problem>
            <button type="button" class="plain bordered" onClick={() => set(null)}>Try again</button>
          </>
        )}
    </SidePage>
  );
}
