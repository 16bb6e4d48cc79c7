/** The people step as pure functions: pages of follows, selection, import progress. */
import type { Follow, ImportItem, ImportProgress, People } from "../state.ts";

/** Adds one page; a person who is already there (pages shift while people are followed) is not shown twice. */
export function addPage(p: People, page: readonly Follow[], done: boolean): People {
  const known = new Set(p.people.map((f) => f.id));
  const fresh = page.filter((f) => !known.has(f.id) && known.add(f.id));
  return { ...p, people: fresh.length ? [...p.people, ...fresh] : p.people, status: done ? "done" : "loading", message: "" };
}

export function select(p: People, ids: readonly string[], on: boolean): People {
  const reachable = new Set(p.people.filter((f) => f.reach !== "none").map((f) => f.id));
  const selected = new Set(p.selected);
  const subscribe = new Set(p.subscribe);
  for (const id of ids) {
    if (on && reachable.has(id)) selected.add(id);
    if (!on) {
      selected.delete(id);
      subscribe.delete(id);
    }
  }
  return { ...p, selected, subscribe };
}

export function tickSubscribe(p: People, id: string, on: boolean): People {
  if (on && !p.selected.has(id)) return p;
  const subscribe = new Set(p.subscribe);
  if (on) subscribe.add(id);
  else subscribe.delete(id);
  return { ...p, subscribe };
}

/** Follows that match the search, by name or handle. */
export function matching(p: People): readonly Follow[] {
  const wanted = p.query.trim().toLowerCase().replace(/^@/, "");
  if (!wanted) return p.people;
  return p.people.filter((f) => f.displayName.toLowerCase().includes(wanted) || f.acct.toLowerCase().includes(wanted));
}

/** One person of the import was handled; the same line told twice changes nothing. */
export function addItem(progress: ImportProgress, item: ImportItem, done: number, total: number): ImportProgress {
  const i = progress.items.findIndex((o) => o.id === item.id);
  const old = progress.items[i];
  const merged = old ? { ...item, name: item.name || old.name } : item;
  const items = i < 0 ? [...progress.items, merged] : progress.items.with(i, merged);
  return { ...progress, items, done: Math.max(progress.done, done), total: total || progress.total, error: "" };
}
