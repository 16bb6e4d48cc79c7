// Something to be taken along by copying it, and said aloud when that went well.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Icon } from "../icons.tsx";

interface Props {
  text: string;
  /** "the password" */
  what: string;
  /** Shows the person what to copy by hand, where the browser refuses. */
  onRefused: () => void;
}

export function Copy({ text, what, onRefused }: Props): JSX.Element {
  const [said, say] = useState("");
  const copy = (): void => {
    const refused = (): void => {
      say("Your browser does not let this page copy. It is selected: copy it by hand.");
      onRefused();
    };
    const clipboard = navigator.clipboard as Clipboard | undefined; // absent where the page is not secure
    if (clipboard) clipboard.writeText(text).then(() => say(`Copied ${what}.`), refused);
    else refused();
  };
  return (
    <>
      <button type="button" class="plain" onClick={copy}><Icon name="copy" size={18} />Copy<span class="vh"> {what}</span></button>
      <span class="address-said" role="status">{said}</span>
    </>
  );
}
