// A question before something that cannot be taken back. The harmless answer is the near one; then the focus goes back.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  id: string;
  children: ComponentChildren;
  yes: string;
  no: string;
  busy?: boolean;
  /** Why it cannot be done now, '' if it can. */
  reason?: string;
  onYes: () => void;
  onNo: () => void;
}

export function Sure({ id, children, yes, no, busy = false, reason = "", onYes, onNo }: Props): JSX.Element {
  const keep = useRef<HTMLButtonElement>(null);
  const from = useRef(document.activeElement);
  useEffect(() => keep.current?.focus(), []);
  const back = (): void => {
    onNo();
    if (from.current instanceof HTMLElement) from.current.focus();
  };
  return (
    <div
      class="sure" role="group" aria-labelledby={id} onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        back();
      }}
    >
      <p id={id}>{children}</p>
      {reason && <p class="sub">{reason}</p>}
      <div class="row-of-buttons">
        <button type="button" class="plain bordered bad" aria-disabled={busy || reason !== ""} onClick={() => !busy && !reason && onYes()}>
          {busy && <span class="spinner" aria-hidden="true" />}{yes}
        </button>
        <button type="button" class="plain" ref={keep} onClick={back}>{no}</button>
      </div>
    </div>
  );
}
