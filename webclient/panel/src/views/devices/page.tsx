// "Apps & devices": passwords for apps that log in directly. Loaded when it is first opened.
import type { JSX } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Ask } from "../../api.ts";
import { Clock, Problem, SidePage, Spinner } from "../parts.tsx";
import style from "./devices.css";
import { Form } from "./form.tsx";
import { initial, Keeper, type State } from "../../devices/keeper.ts";
import { DeviceList } from "./list.tsx";
import { MadePassword } from "./made.tsx";

export interface DevicesProps {
  /** The person's chat address. */
  address: string;
  offline: boolean;
  ask: Ask;
  tell: (notice: string) => void;
  /** Leaves the page. */
  onBack: () => void;
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(style);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

/** The keeper of this visit to the page. */
function useKeeper({ ask, tell }: DevicesProps): [Keeper, State] {
  const now = useContext(Clock);
  const [state, changed] = useState(initial);
  const ref = useRef<Keeper | null>(null);
  ref.current ??= new Keeper(ask, now, { changed, tell });
  const keeper = ref.current;
  useEffect(() => {
    void keeper.load();
    return keeper.stop;
  }, []);
  return [keeper, state];
}

/** Whoever goes away with the whole browser page is asked first, and takes no secret into its memory of pages. */
function useSecret(keeper: Keeper, shown: boolean): void {
  useEffect(() => {
    if (!shown) return;
    const ask = (event: Event): void => event.preventDefault();
    const forget = (): void => keeper.forget();
    addEventListener("beforeunload", ask);
    addEventListener("pagehide", forget);
    return () => {
      removeEventListener("beforeunload", ask);
      removeEventListener("pagehide", forget);
    };
  }, [shown]);
}

/** What did not come while offline is got when the connection is back. */
function useConnection(keeper: Keeper, offline: boolean): void {
  useEffect(() => {
    if (!offline && keeper.state.loading === "failed") void keeper.load();
  }, [offline]);
}

const titles: Record<State["view"], string> = { list: "Apps & devices", form: "New device password", made: "Your new password" };

export function DevicesPage(props: DevicesProps): JSX.Element {
  const { address, offline, onBack } = props;
  const [keeper, state] = useKeeper(props);
  useSecret(keeper, state.view === "made");
  useConnection(keeper, offline);
  return (
    <>
      <SidePage title={titles[state.view]} back={state.view === "list" ? "Back to the settings" : "Back to your devices"} onBack={() => keeper.back() || onBack()}>
        <View keeper={keeper} state={state} address={address} offline={offline} />
      </SidePage>
      <p class="vh" role="status">{state.said}</p>
    </>
  );
}

interface ViewProps {
  keeper: Keeper;
  state: State;
  address: string;
  offline: boolean;
}

function View({ keeper, state, address, offline }: ViewProps): JSX.Element {
  const { listing, made, view } = state;
  if (view === "made" && made) return <MadePassword made={made} address={address} leaving={state.leaving} onStay={keeper.stay} onDone={keeper.forget} />;
  if (listing && view === "form") {
    return (
      <Form
        name={state.name} service={state.service} services={listing.services} busy={state.busy} trouble={state.trouble} offline={offline}
        onEdit={keeper.edit} onCreate={() => void keeper.create()}
      />
    );
  }
  if (listing) {
    return (
      <DeviceList
        listing={listing} asked={state.asked} busy={state.busy} trouble={state.trouble} offline={offline}
        onNew={keeper.begin} onAsk={keeper.askToRemove} onRemove={() => void keeper.remove()}
      />
    );
  }
  if (state.loading === "loading") return <Spinner label="Loading your devices" />;
  if (state.loading === "unavailable") return <p class="lead">This server gives no passwords for other apps. Its admins can tell you whether that will change.</p>;
  return (
    <>
      <Problem>{offline ? "You are offline. The list comes when the connection is back." : state.trouble?.text}</Problem>
      <button type="button" class="plain bordered" onClick={() => void keeper.load()}>Try again</button>
    </>
  );
}
