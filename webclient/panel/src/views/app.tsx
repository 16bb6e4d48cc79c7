// The panel: one screen at a time, two side by side where there is room.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Actions } from "../app.ts";
import type { ScreenKind, State } from "../state.ts";
import { ConnectionLine, connectionWords } from "./connection.tsx";
import { ConversationView } from "./conversation.tsx";
import { PeopleView } from "./list.tsx";
import { Later } from "./later.tsx";
import { Loading, LoginError, LoginPending, ServerDown, SignedOut } from "./login.tsx";
import { Empty, Heading, IconButton, Problem } from "./parts.tsx";
import { PeoplePicker } from "./people.tsx";
import { Progress } from "./progress.tsx";
import { SettingsView } from "./settings.tsx";
import { AddressStep, ConsentStep, StepPage } from "./steps.tsx";

interface Props {
  state: State;
  actions: Actions;
  /** Closes the panel on the page around it; absent where the panel is the page. */
  onClose?: (() => void) | undefined;
}

interface ScreenProps extends Props {
  /** The first steps after the first login; later the same screens are reached from the list. */
  first: boolean;
}

function People({ state, actions, first }: ScreenProps): JSX.Element {
  const { people } = state;
  if (people.progress) return <Progress progress={people.progress} onDone={actions.leavePeople} />;
  return (
    <PeoplePicker
      people={people} first={first} onSearch={actions.searchFollows} onSelect={actions.select} onSubscribe={actions.subscribe}
      onReload={actions.reloadFollows} onStart={actions.startImport} onLeave={actions.leavePeople} onLogin={actions.login}
    />
  );
}

function PeoplePage(props: ScreenProps): JSX.Element {
  const running = props.state.people.progress !== null;
  return (
    <StepPage step={props.first ? 3 : 0}>
      <Heading>{running ? "Adding people" : "Whom would you like to chat with?"}</Heading>
      {!running && <p class="lead">These are the people you follow. Adding somebody tells them nothing, unless you ask to see when they are online.</p>}
      <People {...props} />
    </StepPage>
  );
}

/** What stands beside the list. */
function Pane({ state, actions }: Props): JSX.Element {
  const { screen } = state;
  switch (screen.kind) {
    case "conversation": {
      const { jid } = screen;
      return (
        <ConversationView
          key={jid} state={state} jid={jid} onBack={() => actions.go("list")} onDraft={(text) => actions.draft(jid, text)}
          onSend={(text) => actions.send(jid, text)} onAskPresence={() => actions.askPresence(jid)} onOlder={() => actions.loadOlder(jid)}
          onAccept={actions.acceptRequest} onDecline={actions.declineRequest} onSettings={() => actions.go("settings")}
          onRevoke={() => actions.revokePresence(jid)} onRemove={() => actions.removeContact(jid)}
          onGap={(key) => actions.fillGap(jid, key)} onRetry={(key) => actions.retry(jid, key)} onDiscard={(key) => actions.discard(jid, key)}
        />
      );
    }
    case "settings":
      return (
        <SettingsView
          state={state} onChange={actions.draftConsent} onSave={actions.saveConsent} onDevices={() => actions.go("devices")}
          onSignOut={actions.signOut} onBack={() => actions.go("list")}
        />
      );
    case "devices":
      return (
        <Later
          address={state.account?.jid ?? ""} offline={state.connection.kind === "offline"} ask={actions.ask} tell={actions.tell}
          onBack={() => actions.go("settings")}
        />
      );
    default: // only seen where there is room for two
      return state.contacts.size + state.conversations.size > 0
        ? <Empty icon="bubbles" title="Your chats"><p>Choose somebody on the side to read and write.</p></Empty>
        : <></>;
  }
}

/** Coming back to the list or to the settings, the focus returns to what one left from. */
function useComingBack(kind: ScreenKind): void {
  const before = useRef(kind);
  useEffect(() => {
    if (kind !== before.current && document.hasFocus()) {
      const find = (what: string): HTMLElement | null => document.querySelector(what);
      if (kind === "list") (find(".list .virtual [tabindex='0']") ?? find(".list [data-focus]"))?.focus();
      if (kind === "settings" && before.current === "devices") find("[data-devices]")?.focus();
    }
    before.current = kind;
  }, [kind]);
}

function Chats(props: Props): JSX.Element {
  const { state, actions } = props;
  const { screen } = state;
  useComingBack(screen.kind);
  return (
    <div class={`chats ${screen.kind === "list" ? "at-list" : "at-pane"}`}>
      <PeopleView
        state={state} current={screen.kind === "conversation" ? screen.jid : ""} onSearch={actions.search} onOpen={actions.open} onStartChat={actions.startChat}
        onPeople={() => actions.go("people")} onSettings={() => actions.go("settings")} onAccept={actions.acceptRequest} onDecline={actions.declineRequest}
      />
      <div class="pane"><Pane {...props} /></div>
    </div>
  );
}

function Screen(props: ScreenProps): JSX.Element {
  const { state, actions } = props;
  const { screen, instance } = state;
  switch (screen.kind) {
    case "loading":
      return <Loading />;
    case "signed-out":
      return <SignedOut instance={instance} reason={screen.reason} message={screen.message} onLogin={actions.login} />;
    case "login-pending":
      return <LoginPending instance={instance} blocked={screen.blocked} redirectUrl={screen.redirectUrl} onLogin={actions.login} onCancel={actions.cancelLogin} />;
    case "login-error":
      return <LoginError instance={instance} message={screen.message} onLogin={actions.login} />;
    case "server-down":
      return <ServerDown retryAt={screen.retryAt} onRetry={actions.retryNow} />;
    case "address":
      return state.account ? <AddressStep account={state.account} instance={instance} onContinue={actions.addressSeen} /> : <Loading />;
    case "consent":
      return (
        <ConsentStep
          draft={state.consentDraft} discoverable={state.consent.discoverable} onChange={actions.draftConsent} onSave={actions.saveConsent}
        />
      );
    case "people":
      return <PeoplePage {...props} />;
    default:
      return <Chats {...props} />;
  }
}

/** Escape closes the panel, unless something nearer has used it. */
function useEscape(onClose: Props["onClose"]): void {
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing) close.current?.();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

/** Whether nothing but the first steps has been shown since the login. */
function useFirstRun(kind: ScreenKind): boolean {
  const chatted = useRef(false);
  if (kind === "list" || kind === "conversation" || kind === "settings" || kind === "devices") chatted.current = true;
  if (kind === "signed-out" || kind === "address") chatted.current = false;
  return !chatted.current;
}

/** When the panel is opened again, the focus goes where work goes on: the composer, else the heading. */
function useOpening(open: boolean): void {
  const before = useRef(open);
  useEffect(() => {
    if (open && !before.current) focusScreen();
    before.current = open;
  }, [open]);
}

function focusScreen(): void {
  const visible = (element: HTMLElement): boolean => element.getClientRects().length > 0;
  const first = matchMedia("(pointer: fine)").matches ? [...document.querySelectorAll<HTMLElement>("[data-focus-fine]")] : [];
  const target = [...first, ...document.querySelectorAll<HTMLElement>("[data-focus]")].find(visible);
  target?.focus({ preventScroll: true });
}

export function Panel(props: Props): JSX.Element {
  const { state, actions, onClose } = props;
  useEscape(onClose);
  useOpening(state.host.open);
  const first = useFirstRun(state.screen.kind);
  const chatting = ["list", "conversation", "settings", "devices", "people"].includes(state.screen.kind);
  return (
    <div class="panel" data-screen={state.screen.kind}>
      <div class="top">
        {chatting && <ConnectionLine connection={state.connection} onRetry={actions.retryNow} onTakeOver={actions.takeOver} />}
        {state.notice && <Problem onDismiss={actions.dismiss}>{state.notice}</Problem>}
      </div>
      <div class="body">
        {onClose && <IconButton icon="close" label="Close chat" onClick={onClose} class="close" />}
        <main class="screen"><Screen {...props} first={first} /></main>
      </div>
      <div class="vh" role="status" data-connection={state.connection.kind} data-resumed={state.connection.kind === "online" && state.connection.resumed}>{chatting ? connectionWords(state.connection) : ""}</div>
    </div>
  );
}
