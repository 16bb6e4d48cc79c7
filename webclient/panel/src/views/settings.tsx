// What was chosen, and the way out.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type ConsentDraft, isSaved, type State } from "../state.ts";
import { ConsentForm } from "./consent.tsx";
import { Icon } from "./icons.tsx";
import { Avatar, Name, SidePage } from "./parts.tsx";
import { Address } from "./steps.tsx";
import { date } from "./words.ts";

export interface SettingsActions {
  onChange: (change: Partial<Pick<ConsentDraft, "presence" | "typing" | "receipts">>) => void;
  onSave: () => void;
  onDevices: () => void;
  onSignOut: () => void;
  onBack: () => void;
}

/** Whether the last saving went well while this was in view. */
function useSaved({ saving, error }: ConsentDraft): boolean {
  const [saved, setSaved] = useState(false);
  const before = useRef(saving);
  useEffect(() => {
    if (before.current && !saving) setSaved(error === "");
    before.current = saving;
  }, [saving, error]);
  return saved;
}

interface Props extends SettingsActions {
  state: Pick<State, "account" | "consent" | "consentDraft">;
}

export function SettingsView({ state, onChange, onSave, onDevices, onSignOut, onBack }: Props): JSX.Element {
  const { account, consent, consentDraft } = state;
  const name = account?.displayName || account?.username || "";
  const same = isSaved(state);
  const saved = useSaved(consentDraft);
  return (
    <SidePage title="Settings" back="Back to your chats" beside onBack={onBack}>
      {account && (
        <div class="card">
          <div class="card-who">
            <Avatar src={account.avatar} name={name} seed={account.jid} />
            <span class="who"><Name>{name}</Name><span class="sub"><bdi dir="ltr">@{account.acct}</bdi></span></span>
          </div>
          <Address jid={account.jid} />
        </div>
      )}
      <h2>What others may see</h2>
      <ConsentForm draft={consentDraft} discoverable={consent.discoverable} action="Save" onChange={onChange} onSave={onSave} />
      <p class="saved" role="status">
        {same && saved && <><Icon name="check" size={16} />Saved. {consent.pending ? "It can take some minutes until it holds everywhere." : "It holds from now on."}</>}
        {same && !saved && consent.changedAt && <>You chose this on {date(Date.parse(consent.changedAt))}.</>}
      </p>
      <h2>Other apps</h2>
      <p>Use this account in a chat app on your phone or computer.</p>
      <button type="button" class="plain bordered" data-devices onClick={onDevices}><Icon name="phone" size={18} />Apps & devices</button>
      <h2>This browser</h2>
      <p>Signing out removes your chats from this browser. They stay on your server and come back when you log in.</p>
      <button type="button" class="plain bordered" onClick={onSignOut}><Icon name="out" size={18} />Sign out</button>
    </SidePage>
  );
}
