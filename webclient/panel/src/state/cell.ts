/** The one place where State lives, as the orchestrating classes see it. */
import type { Conversation, State } from "../state.ts";
import { newConversation } from "./messages.ts";

export interface Cell {
  readonly state: State;
  /** Replaces the state by what `fn` makes of it; returning the same object changes nothing. */
  change(fn: (s: State) => State): void;
}

/** Changes one conversation, starting it if need be. */
export function withConversation(s: State, jid: string, fn: (c: Conversation) => Conversation): State {
  const old = s.conversations.get(jid);
  const next = fn(old ?? newConversation(jid));
  return next === old ? s : { ...s, conversations: new Map(s.conversations).set(jid, next) };
}

/** Changes one conversation if it exists. */
export function inConversation(s: State, jid: string, fn: (c: Conversation) => Conversation): State {
  return s.conversations.has(jid) ? withConversation(s, jid, fn) : s;
}
