/**
 * When to try again: doubling delays with jitter, so that a thousand panels that lost the same server do not
 * come back in one second. The first retry is quick, because most cuts are short.
 */
export const FIRST_MS = 400;
export const MAX_MS = 60_000;

/**
 * Delay before attempt number `attempt` (from 1): FIRST_MS doubled each time up to MAX_MS, of which the upper
 * half is random. `random` is uniform in [0, 1). `atLeast` (ms) is what a server asked for with Retry-After.
 */
export function delay(attempt: number, random: number, atLeast = 0): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(Math.max(attempt, 1) - 1, 30));
  return Math.max(Math.round(ceiling / 2 + (random * ceiling) / 2), atLeast + Math.round(random * 1000 * Math.sign(atLeast)));
}
