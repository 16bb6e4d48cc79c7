// Finds the links in plain text. What comes out is text and addresses, never markup; views make nodes of it.

export interface Link {
  readonly text: string;
  readonly href: string;
}

export type Piece = string | Link;

const SCHEMES = new Set(["http:", "https:", "xmpp:", "mailto:"]);
const MAX_LENGTH = 2048;

// A link ends at white space, quotes, angle brackets, and at every character that is invisible or turns the writing
// direction: what the eye sees of an address is what the link leads to.
const CANDIDATE = /(?<![\p{L}\p{N}_])(?:https?:\/\/|xmpp:|mailto:)[^\s<>"`\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff]+/giu;

const CLOSERS: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

/** Takes back what belongs to the sentence and not to the link: its full stop, a bracket that closes none inside. */
function trimmed(candidate: string): string {
  const balance = new Map<string, number>();
  for (const char of candidate) balance.set(char, (balance.get(char) ?? 0) + 1);
  let end = candidate.length;
  while (end > 0) {
    const last = candidate.charAt(end - 1);
    const opener = CLOSERS[last];
    const spare = opener !== undefined && (balance.get(last) ?? 0) > (balance.get(opener) ?? 0);
    if (!spare && !/[.,;:!?'’”»…*_~]/.test(last)) break;
    balance.set(last, (balance.get(last) ?? 0) - 1);
    end--;
  }
  return candidate.slice(0, end);
}

/** The address a candidate leads to, or '' when it leads nowhere a link should. */
function target(candidate: string): string {
  if (candidate.length > MAX_LENGTH) return "";
  let url: URL;
  try {
    url = new URL(candidate);
  } catch {
    return "";
  }
  if (!SCHEMES.has(url.protocol)) return "";
  // https://bank.example@evil.example reads as one site and leads to the other.
  if (url.username || url.password) return "";
  if (url.protocol.startsWith("http")) return url.hostname.length > 1 ? url.href : "";
  return /[^\s@/?#]@[^\s@/?#]/.test(url.pathname) ? url.href : "";
}

/** Splits text into plain stretches and links. Joined again, the texts are the text that was given. */
export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const shown = trimmed(match[0]);
    const href = target(shown);
    if (!href) continue;
    if (match.index > from) pieces.push(text.slice(from, match.index));
    pieces.push({ text: shown, href });
    from = match.index + shown.length;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}
