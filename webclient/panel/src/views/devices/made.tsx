// A new password, shown this once.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { Icon } from "../icons.tsx";
import { Name } from "../parts.tsx";
import { Copy } from "./copy.tsx";
import { type Login, loginOf, type Made } from "../../devices/devices.ts";
import { filled, guess, type Guide, guides, stepsFor } from "./guides.ts";
import { QrCode } from "./qr.tsx";
import { Sure } from "./sure.tsx";

interface Props {
  made: Made;
  /** The person's chat address. */
  address: string;
  leaving: boolean;
  onStay: () => void;
  /** The password is saved, or given up; `said` for the ears. */
  onDone: (said: string) => void;
}

function selectAll(element: HTMLElement | null): void {
  if (element) getSelection()?.selectAllChildren(element);
}

/** The secret in its groups. Digits look unlike letters, so that nothing is taken for something else. */
function Groups({ secret }: { secret: string }): JSX.Element {
  return (
    <>
      {secret.split(/(?<=-)/).map((group, i) => (
        <span class="group" key={i}>{group.split(/(\d+)/).map((part, n) => (n % 2 ? <b key={n}>{part}</b> : part))}</span>
      ))}
    </>
  );
}

interface ValueProps {
  label: string;
  value: string;
  what: string;
  secret?: boolean;
  children?: JSX.Element | undefined;
}

function Value({ label, value, what, secret = false, children }: ValueProps): JSX.Element {
  const text = useRef<HTMLElement>(null);
  return (
    <div class={`value ${secret ? "secret" : ""}`}>
      <dt>{label}</dt>
      <dd>
        <code ref={text} dir="ltr" translate={false}>{secret ? <Groups secret={value} /> : value}</code>
        <Copy text={value} what={what} onRefused={() => selectAll(text.current)} />
        {children}
      </dd>
    </div>
  );
}

function Steps({ guide, values }: { guide: Guide; values: Login }): JSX.Element {
  const step = (text: string): JSX.Element[] => filled(text, values).map((part, i) => (i % 2 ? <bdi key={i} class="typed" dir="ltr">{part}</bdi> : <span key={i}>{part}</span>));
  return (
    <>
      {guide.on && <p class="sub">{guide.app} runs on {guide.on}.</p>}
      <ol class="guide">{stepsFor(guide, values).map((text) => <li key={text}>{step(text)}</li>)}</ol>
      {guide.line && <code class="line-of-file" dir="ltr" translate={false} tabIndex={0}>{filled(guide.line, values).join("")}</code>}
    </>
  );
}

function Guides({ made, values }: { made: Made; values: Login }): JSX.Element {
  const { name, service } = made.device;
  const [guide, choose] = useState(() => guess(name, service));
  return (
    <>
      <fieldset class="apps">
        <legend>How to set up your app</legend>
        {guides.filter((one) => one.service === service).map((one) => (
          <label class="chip" key={one.app}>
            <input type="radio" class="vh" name="app" checked={one === guide} onChange={() => choose(one)} />{one.app}
          </label>
        ))}
      </fieldset>
      {guide && <Steps guide={guide} values={values} />}
    </>
  );
}

/** The way out: said to be saved, or asked whether that is so. */
function Leave({ leaving, onStay, onDone }: Pick<Props, "leaving" | "onStay" | "onDone">): JSX.Element {
  return (
    <div class="way-on">
      {leaving
        ? (
          <Sure id="leave" yes="Leave" no="Stay" onYes={() => onDone("")} onNo={onStay}>
            Leave without having saved the password? It is not shown again.
          </Sure>
        )
        : <button type="button" class="primary wide" onClick={() => onDone("The password is no longer shown.")}>Done, I have saved it</button>}
    </div>
  );
}

export function MadePassword({ made, address, leaving, onStay, onDone }: Props): JSX.Element {
  const { device, secret, qr } = made;
  const sip = device.service === "sip";
  const values = loginOf(made, address);
  return (
    <div class="made">
      <p class="once"><Icon name="warning" size={18} /><span>Put it into <Name>{device.name}</Name> now. It is shown this once, and nobody can show it again.</span></p>
      <dl>
        <Value label="Password" value={secret} what="the password" secret>
          <p class="sub">
            {sip ? "Type it exactly like this, with the hyphens." : "Capital letters or left-out hyphens do no harm."} The underlined ones are digits; there is no 0 and no 1 among them.
          </p>
        </Value>
        <Value label={sip ? "SIP address" : "Address"} value={values.address} what="the address" />
        {sip && values.login !== values.user && <Value label="Authentication name, for this device alone" value={values.login} what="the authentication name" />}
        <Value label="Server" value={values.server} what="the server" />
      </dl>
      {qr && (
        <figure class="qr-box">
          <QrCode qr={qr} label={`QR code of the address ${values.address}`} />
          <figcaption>Scan this to have the address on a phone. It holds only the address; the password you type or copy yourself.</figcaption>
        </figure>
      )}
      <Guides made={made} values={values} />
      <Leave leaving={leaving} onStay={onStay} onDone={onDone} />
    </div>
  );
}
