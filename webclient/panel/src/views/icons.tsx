// The panel's pictures. Each is decoration: what it means is always said in words beside it or in a label.
import type { JSX } from "preact";

const paths = {
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-8-6 16-3-7-7-1z",
  add: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21v-1a7 7 0 0 1 11-5.7M18 13v8M14 17h8",
  gear: "M4 7h10M18 7h2M4 17h2M10 17h10M14 4.5v5M10 14.5v5",
  pencil: "M4 20h4L19 9l-4-4L4 16v4zM13.5 6.5l4 4",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  down: "M12 5v13M6 12.5l6 6 6-6",
  bubble: "M21 11.5a8.5 8.5 0 0 1-12.4 7.6L3 21l1.9-5.6A8.5 8.5 0 1 1 21 11.5z",
  bubbles: "M15 12a6 6 0 1 0-11 3.3L3 19l3.7-1A6 6 0 0 0 15 12zM9.5 20.3a5.6 5.6 0 0 0 7.6-.2L21 21l-1-3.6A5.6 5.6 0 0 0 17.500 9.500",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6zM12 15v2",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  cloud: "M7 19a5 5 0 1 1 .8-9.900A6 6 0 0 1 19 11.500 4 4 0 0 1 18 19M4 4l16 16",
  check: "M5 12.500l4.500 4.500L19 7.500",
  warning: "M12 4L2.500 20h19L12 4zM12 10v4.500M12 17.200v.3",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.500 2",
  checks: "M2 12.500l4.500 4.500L15 8M11.500 16l1.500 1L22 8",
  tab: "M4 6h16v13H4zM4 10h16M9 6v4",
  phone: "M7 2.500h10v19H7zM11 18.500h2",
  more: "M5 12h.1M12 12h.1M19 12h.1",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" width={`${size / 16}rem`} height={`${size / 16}rem`} aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
