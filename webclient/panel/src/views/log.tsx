// The messages of one conversation, in a box that keeps its place.
import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { rows, type Row } from "../state/messages.ts";
import type { Conversation, Message } from "../state.ts";
import { together } from "./bubbles.ts";
import { Icon } from "./icons.tsx";
import { MessageRow } from "./message.tsx";
import { Empty, Spinner, useNow } from "./parts.tsx";
import { ScrollKeeper } from "./scroll.ts";
import { day } from "./words.ts";

export interface LogActions {
  onOlder: () => void;
  onGap: (key: string) => void;
  onRetry: (key: string) => void;
  onDiscard: (key: string) => void;
}

interface Props extends LogActions {
  conversation: Conversation;
  name: string;
}

/** What has come in since the last time it was drawn; history that is added above is not news. */
function news(before: readonly Message[], after: readonly Message[]): Message[] {
  const newest = before.at(-1);
  if (!newest) return [];
  const known = after.findLastIndex((message) => message.key === newest.key);
  return known < 0 ? [] : after.slice(known + 1);
}

/** The messages that are new now, for the ear and for the button that leads down to them. */
function useNews(messages: readonly Message[]): Message[] {
  const before = useRef(messages);
  const fresh = news(before.current, messages);
  useEffect(() => {
    before.current = messages;
  }, [messages]);
  return fresh;
}

interface Kept {
  keeper: RefObject<ScrollKeeper | null>;
  /** Messages that came in below what is in view. */
  below: number;
  down: () => void;
}

function useKeeper(box: RefObject<HTMLElement | null>, conversation: Conversation, fresh: readonly Message[], onOlder: () => void): Kept {
  const keeper = useRef<ScrollKeeper | null>(null);
  const [below, setBelow] = useState(0);
  const { history, messages } = conversation;
  const older = useRef(onOlder);
  older.current = onOlder;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const kept = (keeper.current = new ScrollKeeper(element));
    const line = element.querySelector<HTMLElement>(".fresh");
    if (line && element.scrollHeight > element.clientHeight) kept.toElement(line);
    else kept.toEnd();
    const scrolled = (): void => {
      kept.note();
      if (kept.stuck) setBelow(0);
      if (kept.nearTop) older.current();
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    const observer = new ResizeObserver(() => kept.settle());
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", scrolled);
      observer.disconnect();
    };
  }, [box]);

  useLayoutEffect(() => {
    const kept = keeper.current;
    if (!kept) return;
    if (fresh.some((message) => message.mine)) kept.toEnd();
    else kept.settle();
    if (!kept.stuck) setBelow((count) => count + fresh.filter((message) => !message.mine).length);
    // What is there may not fill the view, so that nothing can be scrolled.
    if (kept.nearTop && (history === "unknown" || history === "more")) older.current();
  }, [messages, history, conversation.composing]);

  return { keeper, below, down: () => keeper.current?.toEnd(true) };
}

function Top({ conversation, name, onOlder }: { conversation: Conversation; name: string; onOlder: () => void }): JSX.Element | null {
  switch (conversation.history) {
    case "loading":
    case "unknown":
      return <div class="log-top"><Spinner label="Loading messages" /></div>;
    case "failed":
      return <div class="log-top"><span>Older messages could not be loaded.</span> <button type="button" class="link" onClick={onOlder}>Try again</button></div>;
    case "complete":
      return conversation.messages.length > 0 ? <div class="log-top begin">This is the beginning of your chat with <bdi>{name}</bdi>.</div> : null;
    default:
      return null;
  }
}

function Line({ row, before, after, name, props, now }: { row: Row; before: Row | undefined; after: Row | undefined; name: string; props: Props; now: number }): JSX.Element {
  switch (row.kind) {
    case "day":
      return <li class="day"><span>{day(row.at, now)}</span></li>;
    case "new":
      return <li class="fresh"><span>New messages</span></li>;
    case "gap":
      return (
        <li class="gap">
          <span>Some messages in between are not loaded.</span> <button type="button" class="link" onClick={() => props.onGap(row.above)}>Load them</button>
        </li>
      );
    case "message":
      return (
        <MessageRow
          message={row.message} author={row.message.mine ? "You" : name} first={!together(before, row)} last={!together(row, after)}
          onRetry={props.onRetry} onDiscard={props.onDiscard}
        />
      );
  }
}

export function Log(props: Props): JSX.Element {
  const { conversation, name, onOlder } = props;
  const box = useRef<HTMLDivElement>(null);
  const now = useNow(60_000);
  const fresh = useNews(conversation.messages);
  const { below, down } = useKeeper(box, conversation, fresh, onOlder);
  const lines = rows(conversation, (at) => new Date(at).toDateString());
  const empty = lines.length === 0 && conversation.history === "complete";
  return (
    <div class="log-frame">
      <div class="log" ref={box} role="log" aria-live="off" aria-label={`Messages with ${name}`} tabIndex={0}>
        <Top conversation={conversation} name={name} onOlder={onOlder} />
        {empty && <Empty icon="bubble" title="Nothing here yet"><p>Say hello to <bdi>{name}</bdi>. It goes to nobody's timeline.</p></Empty>}
        <ol class="messages" aria-label="Messages">
          {lines.map((row, i) => <Line key={row.key} row={row} before={lines[i - 1]} after={lines[i + 1]} name={name} props={props} now={now} />)}
        </ol>
        {conversation.composing && <p class="typing"><span class="typing-dots" aria-hidden="true"><i /><i /><i /></span><span><bdi>{name}</bdi> is typing</span></p>}
      </div>
      <Announcer fresh={fresh} name={name} />
      {below > 0 && (
        <button type="button" class="to-end" onClick={down}><Icon name="down" size={18} />{below === 1 ? "1 new message" : `${below} new messages`}</button>
      )}
    </div>
  );
}

/**
 * Says new messages to those who listen. The log itself is silent: it would read out the history that is loaded above
 * as if it were news.
 */
function Announcer({ fresh, name }: { fresh: readonly Message[]; name: string }): JSX.Element {
  const said = useRef<{ key: string; text: string }[]>([]);
  const theirs = fresh.filter((message) => !message.mine && !said.current.some((line) => line.key === message.key));
  said.current = [...said.current, ...theirs.map((message) => ({ key: message.key, text: `${name}: ${message.body}` }))].slice(-5);
  return <div class="vh" aria-live="polite" aria-relevant="additions" data-announcer>{said.current.map((line) => <p key={line.key}>{line.text}</p>)}</div>;
}
