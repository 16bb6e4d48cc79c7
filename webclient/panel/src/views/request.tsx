// Somebody asks to see when this person is online.
import type { JSX } from "preact";
import { displayName } from "../state/contacts.ts";
import type { IncomingRequest, State } from "../state.ts";
import { Avatar, Name } from "./parts.tsx";
import { isolated } from "./words.ts";

export interface RequestActions {
  onAccept: (jid: string) => void;
  onDecline: (jid: string) => void;
  onSettings: () => void;
}

interface Props extends RequestActions {
  request: IncomingRequest;
  state: Pick<State, "contacts" | "consent">;
}

export function Request({ request: { jid }, state, onAccept, onDecline, onSettings }: Props): JSX.Element {
  const name = displayName(state, jid);
  const visible = state.consent.presence === "contacts"; // so that the answer may be yes
  return (
    <li class="request">
      <div class="card-who">
        <Avatar src={state.contacts.get(jid)?.avatar ?? ""} name={name} seed={jid} />
        <p><strong><Name>{name}</Name></strong> <bdi class="sub" dir="ltr">{jid}</bdi><br />asks to see when you are online.</p>
      </div>
      {!visible && <p class="sub">You show this to nobody now.</p>}
      <div class="row-of-buttons">
        {visible
          ? <button type="button" class="primary compact" onClick={() => onAccept(jid)}>Allow<span class="vh"> {isolated(name)}</span></button>
          : <button type="button" class="plain bordered" onClick={onSettings}>Change what I show</button>}
        <button type="button" class="plain" onClick={() => onDecline(jid)}>No<span class="vh">, not {isolated(name)}</span></button>
      </div>
    </li>
  );
}
