// How the adding of people goes, person by person.
import type { JSX } from "preact";
import type { ImportItem, ImportProgress, ImportStatus } from "../state.ts";
import { Icon, type IconName } from "./icons.tsx";
import { Avatar, Name, Problem } from "./parts.tsx";
import { VirtualList } from "./virtual.tsx";
import { localpart, plural } from "./words.ts";

const words: Record<ImportStatus, { text: string; icon: IconName }> = {
  pending: { text: "Waiting", icon: "clock" },
  added: { text: "Added", icon: "check" },
  already: { text: "Already there", icon: "check" },
  skipped: { text: "Left out", icon: "warning" },
  failed: { text: "Not added", icon: "warning" },
};

function summary(items: readonly ImportItem[]): string {
  const count = (status: ImportStatus): number => items.filter((item) => item.status === status).length;
  const parts = [`${plural(count("added"), "person", "people")} added`];
  if (count("already")) parts.push(`${count("already").toLocaleString("en")} already there`);
  if (count("skipped")) parts.push(`${count("skipped").toLocaleString("en")} left out`);
  if (count("failed")) parts.push(`${count("failed").toLocaleString("en")} not added`);
  return parts.join(", ");
}

const bad = (item: ImportItem): boolean => item.status === "failed" || item.status === "skipped";

/** What went wrong stands first; else the newest result does. */
function ordered(items: readonly ImportItem[]): ImportItem[] {
  const newest = items.toReversed();
  return [...newest.filter(bad), ...newest.filter((item) => !bad(item))];
}

export function Progress({ progress, onDone }: { progress: ImportProgress; onDone: () => void }): JSX.Element {
  const { done, total, finished, items, error } = progress;
  const rows = ordered(items).map((item) => ({ key: item.id, height: bad(item) && item.reason ? 5 : 3.5, item }));
  return (
    <div class="picker">
      <div class="picker-top">
        <progress class="bar" value={done} max={Math.max(total, 1)} aria-label="Adding people" />
        <p class="progress-line" role="status">{finished ? `Done: ${summary(items)}.` : "You can leave this; it goes on by itself."}</p>
        {!finished && <p class="progress-count">{done.toLocaleString("en")} of {total.toLocaleString("en")}</p>}
        {error && <Problem>{error}</Problem>}
      </div>
      <VirtualList
        label="Results" rows={rows}
        render={({ item }, tab) => {
          const name = item.name || localpart(item.jid);
          const { text, icon } = words[item.status];
          return (
            <div class={`result ${item.status}`} tabIndex={tab}>
              <Avatar src="" name={name} seed={item.jid} size="small" />
              <span class="who">
                <Name>{name}</Name>
                {bad(item) && item.reason && <span class="reason">{item.reason}</span>}
              </span>
              <span class="result-word"><Icon name={icon} size={18} />{text}</span>
            </div>
          );
        }}
      />
      <div class="picker-foot">
        <button type="button" class="primary" onClick={onDone}>{finished ? "Start chatting" : "Go to your chats"}</button>
      </div>
    </div>
  );
}
