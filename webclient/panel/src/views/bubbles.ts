// How messages stand together.
import type { Row } from "../state/messages.ts";

const GROUP_GAP = 5 * 60_000;

/** Whether two neighbouring rows are messages of one side, written one soon after the other. */
export function together(a: Row | undefined, b: Row | undefined): boolean {
  return a?.kind === "message" && b?.kind === "message" && a.message.mine === b.message.mine
    && b.message.at - a.message.at < GROUP_GAP;
}

const PICTURE = "\\p{Extended_Pictographic}\\ufe0f?[\\u{1f3fb}-\\u{1f3ff}]?";
const EMOJI = new RegExp(`^(?:(?:${PICTURE}(?:\\u200d${PICTURE})*|[\\u{1f1e6}-\\u{1f1ff}]{2})\\s?){1,3}$`, "u");

/** One to three emoji and nothing else: shown larger. */
export function onlyEmoji(text: string): boolean {
  return text.length < 64 && EMOJI.test(text);
}
