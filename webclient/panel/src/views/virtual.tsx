// A list that draws only the rows in sight, so that thousands are as smooth as ten.
//
// Rows have known heights, given in rem so that they grow with the reader's text size. One row at a time is in the
// tab order; arrows, Home, End and the page keys move between rows.
import type { JSX, RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

const OVERSCAN = 6;

/** Where each row begins, in rem; one more than there are rows: the last is the height of all. */
export function offsets(heights: readonly number[]): number[] {
  const out = [0];
  for (const height of heights) out.push((out.at(-1) ?? 0) + height);
  return out;
}

/** The last row that begins at or above y. */
export function rowAt(starts: readonly number[], y: number): number {
  let low = 0;
  let high = Math.max(0, starts.length - 2);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Which row a key leads to, or null if the key is none of ours. */
export function keyTarget(key: string, from: number, count: number, page: number): number | null {
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count };
  if (!Object.hasOwn(steps, key)) return null;
  return Math.min(count - 1, Math.max(0, from + (steps[key] ?? 0)));
}

interface View {
  top: number;
  height: number;
  rem: number;
}

/** What of the list can be seen, kept up to date while it scrolls and changes size. */
function useView(box: RefObject<HTMLElement | null>): View {
  const [view, setView] = useState<View>({ top: 0, height: 800, rem: 16 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = (): void => setView({
      top: element.scrollTop,
      height: element.clientHeight,
      rem: parseFloat(getComputedStyle(document.documentElement).fontSize) || 16,
    });
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", measure);
      observer.disconnect();
    };
  }, [box]);
  return view;
}

export interface Row {
  readonly key: string;
  /** In rem. */
  readonly height: number;
}

interface Props<R extends Row> {
  label: string;
  rows: readonly R[];
  /** The row's content. tab is 0 for the one row that is in the tab order, else -1. */
  render: (row: R, tab: 0 | -1) => JSX.Element;
  class?: string;
}

export function VirtualList<R extends Row>({ label, rows, render, class: extra = "" }: Props<R>): JSX.Element {
  const box = useRef<HTMLUListElement>(null);
  const view = useView(box);
  const [active, setActive] = useState("");
  const wantsFocus = useRef(false);
  const starts = useMemo(() => offsets(rows.map((row) => row.height)), [rows]);
  const current = Math.max(0, rows.findIndex((row) => row.key === active));
  const first = Math.max(0, rowAt(starts, view.top / view.rem) - OVERSCAN);
  const last = Math.min(rows.length - 1, rowAt(starts, (view.top + view.height) / view.rem) + OVERSCAN);
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  // The row that has the focus stays in the page even when it is scrolled out of sight, or the focus would be lost.
  if (rows.length > 0 && !shown.includes(current)) shown.push(current);

  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    box.current?.querySelector<HTMLElement>(`[data-row="${current}"] [tabindex="0"]`)?.focus({ preventScroll: true });
  });

  const move = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    const from = Number(target.closest<HTMLElement>("[data-row]")?.dataset["row"] ?? current);
    const page = Math.max(1, Math.floor(view.height / view.rem / (rows[from]?.height ?? 4)) - 1);
    const to = keyTarget(event.key, from, rows.length, page);
    const row = to === null ? undefined : rows[to];
    if (to === null || !row || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    setActive(row.key);
    wantsFocus.current = true;
    reveal(box.current, (starts[to] ?? 0) * view.rem, (starts[to + 1] ?? 0) * view.rem);
  };

  return (
    <ul class={`virtual ${extra}`} ref={box} aria-label={label} onKeyDown={move} style={{ "--height": `${starts.at(-1)}rem` }}>
      {shown.map((i) => {
        const row = rows[i];
        return row && (
          <li
            key={row.key} class="virtual-row" data-row={i} aria-setsize={rows.length} aria-posinset={i + 1}
            style={{ transform: `translateY(${starts[i] ?? 0}rem)`, height: `${row.height}rem` }}
            onFocusCapture={() => setActive(row.key)}
          >
            {render(row, i === current ? 0 : -1)}
          </li>
        );
      })}
    </ul>
  );
}

/** Scrolls no further than is needed to see the stretch from top to bottom. */
function reveal(box: HTMLElement | null, top: number, bottom: number): void {
  if (!box) return;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}
