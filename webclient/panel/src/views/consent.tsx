// What others may see. The words here are what the person agrees to: change consentTextVersion with them.
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { ConsentDraft, PresenceConsent } from "../state.ts";
import { Problem, ReasonButton } from "./parts.tsx";

interface Props {
  draft: ConsentDraft;
  /** What the server tells others in spite of "nobody" has to be said. */
  discoverable: boolean;
  /** What the button says: "Continue" in the first run, "Save" later. */
  action: string;
  onChange: (change: Partial<Pick<ConsentDraft, "presence" | "typing" | "receipts">>) => void;
  onSave: () => void;
}

interface Choice {
  value: PresenceConsent;
  title: string;
  text: string;
}

const hidden: Choice = {
  value: "nobody",
  title: "Nobody",
  text: "You look offline to everyone, all the time. Messages reach you as usual. To let somebody see you, choose the other.",
};

const discoverablyHidden: Choice = {
  ...hidden,
  text: "You look offline to everyone, in every ordinary app. Messages reach you as usual. But anybody who knows your address "
    + "can find out with a special tool whether you are connected: this chat server cannot keep that from them.",
};

const choices = (discoverable: boolean): readonly Choice[] => [
  discoverable ? discoverablyHidden : hidden,
  {
    value: "contacts",
    title: "Contacts that I allow",
    text: "Each person has to ask, and you say yes or no. Those you allow see when you come, when you are away and when you leave.",
  },
];

interface TickProps {
  checked: boolean;
  title: string;
  text: string;
  onChange: (on: boolean) => void;
}

function Tick({ checked, title, text, onChange }: TickProps): JSX.Element {
  return (
    <label class="choice">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span><strong>{title}</strong><span class="choice-text">{text}</span></span>
    </label>
  );
}

export function ConsentForm({ draft, discoverable, action, onChange, onSave }: Props): JSX.Element {
  const first = useRef<HTMLInputElement>(null);
  const reason = draft.presence === null ? "Choose who sees when you are online." : "";
  return (
    <form class="consent" onSubmit={(event) => event.preventDefault()}>
      <fieldset>
        <legend>Who sees when you are online?</legend>
        {choices(discoverable).map(({ value, title, text }, i) => (
          <label class="choice" key={value}>
            <input
              ref={i === 0 ? first : null} type="radio" name="presence" value={value} required
              checked={draft.presence === value} onChange={() => onChange({ presence: value })}
            />
            <span><strong>{title}</strong><span class="choice-text">{text}</span></span>
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>What else may people see that you chat with?</legend>
        <Tick
          checked={draft.typing} title="When I am typing" onChange={(typing) => onChange({ typing })}
          text="They see that you are writing, even if you never send it."
        />
        <Tick
          checked={draft.receipts} title="When I got and read their messages" onChange={(receipts) => onChange({ receipts })}
          text="They can tell that you have read something and not answered."
        />
      </fieldset>
      {draft.error && <Problem>{draft.error}</Problem>}
      <ReasonButton reason={reason} busy={draft.saving} onClick={onSave} onRefused={() => first.current?.focus()}>{action}</ReasonButton>
    </form>
  );
}
