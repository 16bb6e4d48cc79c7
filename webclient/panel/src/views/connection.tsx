// The line that says when the connection is not what it should be. When it is, there is no line.
import type { JSX } from "preact";
import type { Connection } from "../state.ts";
import { Icon } from "./icons.tsx";
import { Countdown } from "./login.tsx";

interface Props {
  connection: Connection;
  onRetry: () => void;
  onTakeOver: () => void;
}

export function ConnectionLine({ connection, onRetry, onTakeOver }: Props): JSX.Element | null {
  switch (connection.kind) {
    case "connecting":
      return <div class="line quiet"><span class="spinner" aria-hidden="true" /><span>Connecting …</span></div>;
    case "reconnecting":
      return (
        <div class="line"><Icon name="cloud" size={18} /><span>Connection lost. Next try <Countdown until={connection.nextAt} />.</span>
          <button type="button" class="link" onClick={onRetry}>Try now</button>
        </div>
      );
    case "server-down":
      return (
        <div class="line"><Icon name="cloud" size={18} /><span>The chat server does not answer. Next try <Countdown until={connection.nextAt} />.</span>
          <button type="button" class="link" onClick={onRetry}>Try now</button>
        </div>
      );
    case "offline":
      return <div class="line"><Icon name="cloud" size={18} /><span>You are offline. What you write is sent when you are back.</span></div>;
    case "replaced":
      return (
        <div class="line"><Icon name="tab" size={18} /><span>Your chat is open in another tab.</span>
          <button type="button" class="link" onClick={onTakeOver}>Use it here</button>
        </div>
      );
    default:
      return null;
  }
}

/** The same for the ear: only changes, and no countdown. */
export function connectionWords(connection: Connection): string {
  switch (connection.kind) {
    case "reconnecting":
    case "server-down":
      return "Connection lost. Trying again.";
    case "offline":
      return "You are offline.";
    case "replaced":
      return "Your chat is open in another tab.";
    case "online":
      return "Connected.";
    default:
      return "";
  }
}
