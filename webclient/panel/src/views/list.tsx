// The people one chats with.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { peopleList, type Person } from "../state/contacts.ts";
import type { Message, State } from "../state.ts";
import { Icon } from "./icons.tsx";
import { Avatar, Empty, Heading, IconButton, Name, Search, Spinner, useNow } from "./parts.tsx";
import { Request, type RequestActions } from "./request.tsx";
import { VirtualList } from "./virtual.tsx";
import { plural, presenceWords, when } from "./words.ts";

export interface ListActions extends RequestActions {
  onSearch: (query: string) => void;
  onOpen: (jid: string) => void;
  onStartChat: (address: string) => string;
  onPeople: () => void;
}

interface Props extends ListActions {
  state: State;
  /** The open conversation, '' if none. */
  current: string;
}

function snippet(message: Message | undefined): string {
  if (!message) return "";
  const text = message.body.replace(/\s+/g, " ").slice(0, 120);
  return message.mine ? `You: ${text}` : text;
}

interface RowProps {
  person: Person;
  tab: 0 | -1;
  current: boolean;
  now: number;
  onOpen: (jid: string) => void;
}

function PersonRow({ person, tab, current, now, onOpen }: RowProps): JSX.Element {
  const { jid, name, contact, conversation } = person;
  const unread = conversation?.unread ?? 0;
  const last = conversation?.messages.at(-1);
  const line = conversation?.composing ? "Typing …" : snippet(last) || presenceWords[contact?.availability ?? "unknown"] || jid;
  return (
    <button type="button" class={`person ${unread ? "unread" : ""}`} tabIndex={tab} aria-current={current ? "true" : undefined} onClick={() => onOpen(jid)}>
      <Avatar src={contact?.avatar ?? ""} name={name} seed={jid} availability={contact?.availability ?? "unknown"} />
      <span class="who"><Name>{name}</Name><span class="sub"><bdi>{line}</bdi></span></span>
      <span class="aside">
        {conversation && conversation.lastAt > 0 && <time>{when(conversation.lastAt, now)}</time>}
        {unread > 0 && <span class="badge">{unread > 99 ? "99+" : unread}<span class="vh"> unread</span></span>}
      </span>
    </button>
  );
}

/** Starting a chat with an address. */
function NewChat({ onStartChat, onClose }: { onStartChat: ListActions["onStartChat"]; onClose: () => void }): JSX.Element {
  const [address, setAddress] = useState("");
  const [problem, setProblem] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const start = (event: Event): void => {
    event.preventDefault();
    const wrong = onStartChat(address.trim());
    setProblem(wrong);
    if (!wrong) onClose();
  };
  return (
    <form
      class="new-chat" onSubmit={start} onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
    >
      <label for="new-chat">Chat address</label>
      <div class="new-chat-line">
        <input
          id="new-chat" ref={field} value={address} dir="ltr" placeholder="name@example.org" autocomplete="off" autocapitalize="none" spellcheck={false} inputMode="email"
          aria-invalid={problem !== ""} aria-describedby="new-chat-problem" onInput={(event) => setAddress(event.currentTarget.value)}
        />
        <button type="submit" class="primary compact">Chat</button>
        <IconButton icon="close" label="Cancel" onClick={onClose} />
      </div>
      <p id="new-chat-problem" class="field-problem" role="alert">{problem}</p>
    </form>
  );
}

interface NobodyProps extends Pick<ListActions, "onPeople" | "onStartChat" | "onSearch"> {
  state: State;
  onNew: () => void;
}

function Nobody({ state, onPeople, onNew, onStartChat, onSearch }: NobodyProps): JSX.Element {
  if (!state.rosterLoaded) return <div class="list-wait"><Spinner label="Loading your chats" /></div>;
  const query = state.query.trim();
  if (query) {
    return (
      <Empty icon="search" title="Nobody like that">
        <p>None of your contacts matches <bdi>“{query}”</bdi>.</p>
        {query.includes("@") && <button type="button" class="plain" onClick={() => onStartChat(query)}><span>Chat with <bdi dir="ltr">{query}</bdi></span></button>}
        <button type="button" class="plain" onClick={() => onSearch("")}>Show everyone</button>
      </Empty>
    );
  }
  return (
    <Empty icon="bubbles" title="No chats yet">
      <p>Add some of the people you follow, or write to anyone whose address you know.</p>
      <button type="button" class="primary" onClick={onPeople}>Add people you follow</button>
      <button type="button" class="plain" onClick={onNew}>Write to an address</button>
    </Empty>
  );
}

export function PeopleView(props: Props): JSX.Element {
  const { state, current, onSearch, onOpen, onStartChat, onPeople, onSettings, onAccept, onDecline } = props;
  const [adding, setAdding] = useState(false);
  const now = useNow(60_000);
  const box = useRef<HTMLElement>(null);
  const people = useMemo(() => peopleList(state), [state.contacts, state.conversations, state.query]);
  const rows = useMemo(() => people.map((person) => ({ key: person.jid, height: 4.25, person })), [people]);
  const intoList = (event: KeyboardEvent): void => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    box.current?.querySelector<HTMLElement>(".virtual [tabindex='0']")?.focus();
  };
  return (
    <nav class="list" aria-label="Your chats" ref={box}>
      <header class="bar">
        <Heading>Chats</Heading>
        <IconButton icon="pencil" label="Write to an address" onClick={() => setAdding(!adding)} />
        <IconButton icon="add" label="Add people you follow" onClick={onPeople} />
        <IconButton icon="gear" label="Settings" onClick={onSettings} />
      </header>
      {adding && <NewChat onStartChat={onStartChat} onClose={() => setAdding(false)} />}
      {state.requests.length > 0 && (
        <ul class="requests" aria-label={plural(state.requests.length, "request", "requests")}>
          {state.requests.map((request) => (
            <Request key={request.jid} request={request} state={state} onAccept={onAccept} onDecline={onDecline} onSettings={onSettings} />
          ))}
        </ul>
      )}
      {(rows.length > 0 || state.query) && <div class="list-search"><Search label="Search your chats" value={state.query} onInput={onSearch} onKeyDown={intoList} /></div>}
      {state.delivery === "archive" && <p class="hint"><Icon name="clock" size={16} /><span>While nobody sees you, new messages may come some seconds late.</span></p>}
      {rows.length === 0
        ? <Nobody state={state} onPeople={onPeople} onNew={() => setAdding(true)} onStartChat={onStartChat} onSearch={onSearch} />
        : <VirtualList label="People" rows={rows} render={({ person }, tab) => <PersonRow person={person} tab={tab} current={person.jid === current} now={now} onOpen={onOpen} />} />}
    </nav>
  );
}
