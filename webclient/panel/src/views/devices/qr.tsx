// A QR code from the server's rows. Dark on light in every theme, with the quiet zone that scanners need.
import type { JSX } from "preact";
import type { Qr } from "../../devices/devices.ts";

const QUIET = 4;

/** One stroke for each run of dark modules. */
export function runs(rows: readonly string[]): string {
  return rows.map((row, y) => [...row.matchAll(/1+/g)].map((run) => `M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`).join("")).join("");
}

export function QrCode({ qr, label }: { qr: Qr; label: string }): JSX.Element {
  const side = qr.rows.length + 2 * QUIET;
  return (
    <svg class="qr" viewBox={`${-QUIET} ${-QUIET} ${side} ${side}`} role="img" aria-label={label} shape-rendering="crispEdges" focusable="false">
      <rect x={-QUIET} y={-QUIET} width={side} height={side} fill="#fff" />
      <path d={runs(qr.rows)} fill="#000" />
    </svg>
  );
}
