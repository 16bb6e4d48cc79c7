// The three steps after the first login: address, consent, people.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { Account, ConsentDraft, Instance } from "../state.ts";
import { ConsentForm } from "./consent.tsx";
import { Icon } from "./icons.tsx";
import { Avatar, Heading, Name } from "./parts.tsx";

const names = ["Address", "Privacy", "People"];

function Steps({ step }: { step: number }): JSX.Element {
  return (
    <ol class="steps" aria-label="First steps">
      {names.map((name, i) => (
        <li key={name} class={i + 1 < step ? "done" : ""} aria-current={i + 1 === step ? "step" : undefined}>
          <span class="step-bar" aria-hidden="true" />
          <span class="step-name"><span class="vh">{i + 1 < step ? "Done: " : `Step ${i + 1} of 3: `}</span>{name}</span>
        </li>
      ))}
    </ol>
  );
}

/** A page of the first steps; step 0 is a page like it at any later time. */
export function StepPage({ step, children }: { step: 0 | 1 | 2 | 3; children: ComponentChildren }): JSX.Element {
  return <div class="page">{step > 0 && <Steps step={step} />}<div class="page-body">{children}</div></div>;
}

/** An address that can be taken along. */
export function Address({ jid }: { jid: string }): JSX.Element {
  const [said, say] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(jid).then(() => say("Copied"), () => say("Select it and copy it by hand"));
  };
  return (
    <div class="address">
      <bdi class="address-text" dir="ltr">{jid}</bdi>
      <button type="button" class="plain" onClick={copy}><Icon name="copy" size={18} />Copy<span class="vh"> the address</span></button>
      <span class="address-said" role="status">{said}</span>
    </div>
  );
}

interface AddressProps {
  account: Account;
  instance: Instance;
  onContinue: () => void;
}

export function AddressStep({ account, instance, onContinue }: AddressProps): JSX.Element {
  return (
    <StepPage step={1}>
      <Avatar src={account.avatar} name={account.displayName || account.username} seed={account.jid} size="large" />
      <Heading>Welcome, <Name>{account.displayName || account.username}</Name></Heading>
      <p class="lead">This is your chat address. People on <bdi>{instance.name}</bdi> find you by your usual name; everyone else can write to you here.</p>
      <Address jid={account.jid} />
      <p>It is a chat address, not a public profile: what you write goes to the person you write to, and to nobody else’s timeline.</p>
      <button type="button" class="primary wide" onClick={onContinue}>Continue</button>
    </StepPage>
  );
}

interface ConsentProps {
  draft: ConsentDraft;
  discoverable: boolean;
  onChange: (change: Partial<Pick<ConsentDraft, "presence" | "typing" | "receipts">>) => void;
  onSave: () => void;
}

export function ConsentStep({ draft, discoverable, onChange, onSave }: ConsentProps): JSX.Element {
  return (
    <StepPage step={2}>
      <Heading>What may others see?</Heading>
      <p class="lead">Nothing is shown unless you choose it. Chat works either way, and you can change this at any time.</p>
      <ConsentForm draft={draft} discoverable={discoverable} action="Continue" onChange={onChange} onSave={onSave} />
    </StepPage>
  );
}
