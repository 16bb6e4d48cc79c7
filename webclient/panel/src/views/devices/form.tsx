// What a new password is for.
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { Problem, ReasonButton, useNow } from "../parts.tsx";
import { NAME_LENGTH, type Offer, type Service, wrongName } from "../../devices/devices.ts";
import type { State, Trouble } from "../../devices/keeper.ts";
import { Privacy } from "./list.tsx";
import { serviceWords } from "./words.ts";

const about: Record<Service, string> = {
  xmpp: "For messages: Conversations, Monal, Dino, Gajim, Cheogram and others.",
  sip: "For calls: Linphone, Baresip, desk phones and others.",
};

const suggestions: Record<Service, readonly string[]> = {
  xmpp: ["Conversations on my phone", "Monal on my iPhone", "Dino on my computer", "Gajim at work"],
  sip: ["Linphone on my phone", "Phone on my desk"],
};

const wrongs = { "": "", empty: "Give it a name first.", long: `The name is too long: ${NAME_LENGTH} characters at most.`, control: "The name holds characters that cannot be shown." };

interface Props {
  name: string;
  service: Service;
  services: readonly Offer[];
  busy: boolean;
  trouble: Trouble | null;
  offline: boolean;
  onEdit: (part: Partial<Pick<State, "name" | "service">>) => void;
  onCreate: () => void;
}

/** "Wait 40 s.", or '' when the time has come. */
function useWait(trouble: Trouble | null): string {
  const left = Math.ceil(((trouble?.until ?? 0) - useNow(1000)) / 1000);
  return left > 60 ? `Wait ${Math.ceil(left / 60)} min.` : left > 0 ? `Wait ${left} s.` : "";
}

function Services({ service, services, onEdit }: Pick<Props, "service" | "services" | "onEdit">): JSX.Element {
  return (
    <fieldset>
      <legend>What is it for?</legend>
      {services.map(({ service: value }) => (
        <label class="choice" key={value}>
          <input type="radio" name="service" value={value} checked={service === value} onChange={() => onEdit({ service: value })} />
          <span><strong>{serviceWords[value]}</strong><span class="choice-text">{about[value]}</span></span>
        </label>
      ))}
    </fieldset>
  );
}

export function Form({ name, service, services, busy, trouble, offline, onEdit, onCreate }: Props): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const wrong = wrongName(name);
  const wait = useWait(trouble);
  const reason = offline ? "You are offline." : wait || wrongs[wrong];
  const take = (suggestion: string): void => {
    onEdit({ name: suggestion });
    field.current?.focus();
  };
  return (
    <form
      class="consent devices-form" onSubmit={(event) => {
        event.preventDefault();
        if (!reason && !busy) onCreate();
      }}
    >
      {services.length > 1 && <Services service={service} services={services} onEdit={onEdit} />}
      <div class="field">
        <label for="device-name">Name</label>
        <p id="device-hint" class="sub">It tells your devices apart in the list. Nobody else sees it.</p>
        <input
          id="device-name" ref={field} value={name} autocomplete="off" dir="auto" enterkeyhint="done" aria-describedby="device-hint"
          aria-invalid={wrong === "long" || wrong === "control"} onInput={(event) => onEdit({ name: event.currentTarget.value })}
        />
        <div class="suggestions" role="group" aria-label="Suggestions for the name">
          {suggestions[service].map((text) => <button type="button" class="chip" key={text} onClick={() => take(text)}>{text}</button>)}
        </div>
      </div>
      {service === "xmpp" && <Privacy />}
      <div class="way-on">
        {trouble && <Problem>{trouble.text}</Problem>}
        <ReasonButton reason={reason} busy={busy} onClick={onCreate} onRefused={() => field.current?.focus()}>Make the password</ReasonButton>
      </div>
    </form>
  );
}
