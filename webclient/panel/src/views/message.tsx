// One message. Its text is hostile: it becomes text nodes and links, never markup.
import { Component, type JSX } from "preact";
import type { DeliveryState, Message } from "../state.ts";
import { onlyEmoji } from "./bubbles.ts";
import { Icon, type IconName } from "./icons.tsx";
import { linkify } from "./linkify.ts";
import { deliveryWords, time } from "./words.ts";

export function Text({ text }: { text: string }): JSX.Element {
  return (
    <>
      {linkify(text).map((piece, i) => typeof piece === "string"
        ? piece
        : <a key={i} href={piece.href} target="_blank" rel="noopener noreferrer">{piece.text}</a>)}
    </>
  );
}

const icons: Record<DeliveryState, IconName> = {
  queued: "clock", sending: "clock", sent: "check", delivered: "checks", read: "checks", failed: "warning",
};

function Delivery({ state }: { state: DeliveryState }): JSX.Element {
  return (
    <span class={`delivery ${state}`} title={deliveryWords[state]}>
      <Icon name={icons[state]} size={16} /><span class="vh">{deliveryWords[state]}</span>
    </span>
  );
}

export interface MessageProps {
  message: Message;
  /** Who wrote it, for those who hear it: "You" or their name. */
  author: string;
  first: boolean;
  last: boolean;
  onRetry: (key: string) => void;
  onDiscard: (key: string) => void;
}

function Failed({ message, onRetry, onDiscard }: Pick<MessageProps, "message" | "onRetry" | "onDiscard">): JSX.Element {
  return (
    <div class="not-sent">
      <span class="not-sent-why">{message.error || "This was not sent."}</span>
      <button type="button" class="link" onClick={() => onRetry(message.key)}>Try again</button>
      <button type="button" class="link" onClick={() => onDiscard(message.key)}>Remove</button>
    </div>
  );
}

/** Drawn anew only when the message or its place in the group has changed. */
export class MessageRow extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    const { message, author, first, last } = this.props;
    return next.message !== message || next.author !== author || next.first !== first || next.last !== last;
  }

  override render({ message, author, first, last, onRetry, onDiscard }: MessageProps): JSX.Element {
    const { mine, body, at, state, key } = message;
    // Within a group only the last line says when; what is not on its way as usual says so on every line.
    const foot = last || (mine && (state === "queued" || state === "sending"));
    return (
      <li data-key={key} class={`message ${mine ? "mine" : "theirs"} ${first ? "first" : ""} ${last ? "last" : ""} ${onlyEmoji(body) ? "emoji" : ""}`}>
        <span class="vh">{author}: </span>
        <div class="bubble" dir="auto"><Text text={body} /></div>
        {mine && state === "failed" && <Failed message={message} onRetry={onRetry} onDiscard={onDiscard} />}
        {foot && state !== "failed" && (
          <div class="foot"><time dateTime={new Date(at).toISOString()}>{time(at)}</time>{mine && <Delivery state={state} />}</div>
        )}
      </li>
    );
  }
}
