// The small pieces that every screen is made of.
import { createContext, type ComponentChildren, type JSX } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Availability } from "../state.ts";
import { Icon, type IconName } from "./icons.tsx";
import { presenceWords } from "./words.ts";

/** Unix milliseconds now; replaced in tests. */
export const Clock = createContext<() => number>(() => Date.now());

/** The present, renewed every so many milliseconds. */
export function useNow(every: number): number {
  const now = useContext(Clock);
  const [at, set] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => set(now()), every);
    return () => clearInterval(timer);
  }, [now, every]);
  return at;
}

/** A name or any other text of a person's own making: its writing direction stays its own affair. */
export function Name({ children }: { children: string }): JSX.Element {
  return <bdi class="name">{children}</bdi>;
}

const HUES = 8;

function hue(seed: string): number {
  let sum = 0;
  for (const char of seed) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

export interface AvatarProps {
  src: string;
  name: string;
  seed: string;
  size?: "small" | "large";
  availability?: Availability;
}

/** A picture or, where there is none or it does not load, the first letter. Presence is drawn only where it is shown to us. */
export function Avatar({ src, name, seed, size, availability = "unknown" }: AvatarProps): JSX.Element {
  const [broken, setBroken] = useState("");
  const letter = Array.from(name.trim())[0]?.toUpperCase() ?? "?";
  const word = presenceWords[availability];
  return (
    <span class={`avatar ${size ?? ""}`}>
      {src && broken !== src
        ? <img src={src} alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer" draggable={false} onError={() => setBroken(src)} />
        : <span class={`letter hue${hue(seed)}`} aria-hidden="true">{letter}</span>}
      {word && <span class={`dot ${availability}`} title={word}><span class="vh">{word}</span></span>}
    </span>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  class?: string;
}

export function IconButton({ icon, label, onClick, class: extra = "" }: IconButtonProps): JSX.Element {
  return (
    <button type="button" class={`icon-button ${extra}`} aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

interface HeadingProps {
  children: ComponentChildren;
  /** Takes the focus when the screen appears, so that a screen reader starts where the eye does. */
  focus?: boolean;
  class?: string;
}

export function Heading({ children, focus = true, class: extra }: HeadingProps): JSX.Element {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus && document.hasFocus()) ref.current?.focus({ preventScroll: true });
  }, []);
  return <h1 ref={ref} tabIndex={-1} class={extra} data-focus>{children}</h1>;
}

interface SidePageProps {
  title: string;
  /** Where the arrow leads. */
  back: string;
  /** It leads to what is beside the page anyway, where there is room for two. */
  beside?: boolean;
  onBack: () => void;
  children: ComponentChildren;
}

/** A page beside the list. When its title changes it is a new page: the focus goes to the heading, and it is read from the top. */
export function SidePage({ title, back, beside = false, onBack, children }: SidePageProps): JSX.Element {
  return (
    <section class="settings" aria-label={title}>
      <header class="bar">
        <IconButton icon="back" label={back} onClick={onBack} class={beside ? "flip only-narrow" : "flip"} />
        <div class="bar-title"><Heading key={title}>{title}</Heading></div>
      </header>
      <div class="settings-body" key={title}>{children}</div>
    </section>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
}

/** Nothing is here: says why, and what can be done. */
export function Empty({ icon, title, children }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={32} /></span>
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Spinner({ label }: { label: string }): JSX.Element {
  return <span class="spinner-line" role="status"><span class="spinner" aria-hidden="true" />{label}</span>;
}

/** A sentence about something that went wrong. */
export function Problem({ children, onDismiss }: { children: ComponentChildren; onDismiss?: () => void }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <Icon name="warning" size={18} />
      <div class="problem-text">{children}</div>
      {onDismiss && <IconButton icon="close" label="Dismiss" onClick={onDismiss} />}
    </div>
  );
}

interface SearchProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function Search({ label, value, onInput, onKeyDown }: SearchProps): JSX.Element {
  return (
    <label class="search">
      <span class="vh">{label}</span>
      <Icon name="search" size={18} />
      <input
        type="search" value={value} placeholder={label} autocomplete="off" autocapitalize="none" spellcheck={false} dir="auto" enterkeyhint="search"
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && value) {
            event.preventDefault(); // empties the field; only the next Escape closes the chat
            onInput("");
          } else onKeyDown?.(event);
        }}
      />
    </label>
  );
}

interface ReasonButtonProps {
  /** '' when the button may be used; else why not yet. */
  reason: string;
  busy?: boolean;
  onClick: () => void;
  /** Called instead of onClick while there is a reason. */
  onRefused?: () => void;
  children: ComponentChildren;
}

/** The main button of a form: it can always be reached, and says what is missing. */
export function ReasonButton({ reason, busy = false, onClick, onRefused, children }: ReasonButtonProps): JSX.Element {
  const id = "why-not";
  return (
    <div class="actions">
      <p id={id} class="why-not">{reason}</p>
      <button
        type="button" class="primary wide" aria-disabled={reason !== "" || busy} aria-describedby={reason ? id : undefined}
        onClick={() => {
          if (reason) onRefused?.();
          else if (!busy) onClick();
        }}
      >
        {busy && <span class="spinner" aria-hidden="true" />}{children}
      </button>
    </div>
  );
}
