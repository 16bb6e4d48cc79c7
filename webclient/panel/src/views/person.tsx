// What can be done about one contact besides writing to them. Opened from the conversation's header.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Contact } from "../state.ts";
import { Name } from "./parts.tsx";

export interface PersonActions {
  onRevoke: () => void;
  onRemove: () => void;
}

interface Props extends PersonActions {
  contact: Contact;
  name: string;
  onClose: () => void;
}

/** Asks once more: what removing means, and both ways on. The harmless one has the focus. */
function Remove({ name, onRemove, onKeep }: { name: string; onRemove: () => void; onKeep: () => void }): JSX.Element {
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []);
  return (
    <div role="group" aria-labelledby="remove-what">
      <p id="remove-what">Remove <Name>{name}</Name> from your contacts? Neither of you sees any more when the other is online. What you wrote stays.</p>
      <div class="row-of-buttons">
        <button type="button" class="plain bordered bad" onClick={onRemove}>Remove</button>
        <button type="button" class="plain" ref={keep} onClick={onKeep}>Keep</button>
      </div>
    </div>
  );
}

export function PersonMenu({ contact, name, onRevoke, onRemove, onClose }: Props): JSX.Element {
  const [sure, setSure] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const allowed = contact.subscription === "from" || contact.subscription === "both";
  useEffect(() => {
    if (!sure) box.current?.querySelector("button")?.focus();
  }, [sure, allowed]);
  return (
    <div
      id="person" class="person-menu" ref={box} onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
    >
      {sure
        ? <Remove name={name} onRemove={onRemove} onKeep={() => setSure(false)} />
        : (
          <>
            <p role="status">{allowed ? "You allowed them to see when you are online." : "They do not see when you are online."}</p>
            <div class="row-of-buttons">
              {allowed && <button type="button" class="plain bordered" onClick={onRevoke}>Stop showing them when I am online</button>}
              <button type="button" class="plain bordered" onClick={() => setSure(true)}>Remove from my contacts</button>
            </div>
          </>
        )}
    </div>
  );
}
