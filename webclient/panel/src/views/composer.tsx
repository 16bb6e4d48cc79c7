// Where one writes.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icons.tsx";

interface Props {
  jid: string;
  name: string;
  text: string;
  onDraft: (text: string) => void;
  onSend: (text: string) => void;
}

/** Grows with the text, up to what the style sheet allows; where the style sheet cannot do it alone. */
function fit(field: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

/** A device with a real pointer has a real keyboard; elsewhere the focus would pull up one that covers half the chat. */
function startsTyping(): boolean {
  return matchMedia("(pointer: fine)").matches;
}

export function Composer({ jid, name, text, onDraft, onSend }: Props): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    if (field.current) fit(field.current);
  }, [text]);
  useEffect(() => {
    if (startsTyping() && document.hasFocus()) field.current?.focus({ preventScroll: true });
  }, [jid]);

  const blank = text.trim() === "";
  const send = (): void => {
    if (blank) return;
    onSend(text);
    field.current?.focus({ preventScroll: true });
  };
  const pressed = (event: KeyboardEvent): void => {
    // While an input method composes, Enter chooses a word. Safari ends the composition before the key: hence 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      class="composer" onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field} rows={1} value={text} dir="auto" aria-label={`Message to ${name}`} placeholder="Write a message" enterkeyhint="send"
        onInput={(event) => onDraft(event.currentTarget.value)} onKeyDown={pressed} data-focus-fine
      />
      <button type="submit" class="send" aria-label="Send" title="Send" aria-disabled={blank}><Icon name="send" size={22} /></button>
    </form>
  );
}
