// Picking people from those followed on Mastodon. Nobody is preselected, and nobody is asked for anything that was
// not ticked.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { matching } from "../state/people.ts";
import type { Follow, People } from "../state.ts";
import { Countdown } from "./login.tsx";
import { Avatar, Empty, Name, Problem, Search, Spinner } from "./parts.tsx";
import { VirtualList } from "./virtual.tsx";
import { isolated, plural } from "./words.ts";

export interface PeopleActions {
  onSearch: (query: string) => void;
  onSelect: (ids: readonly string[], on: boolean) => void;
  onSubscribe: (id: string, on: boolean) => void;
  onReload: () => void;
  onStart: () => void;
  onLeave: () => void;
  onLogin: () => void;
}

interface Props extends PeopleActions {
  people: People;
  /** The first time, "Skip for now" leads on; later, one goes back. */
  first: boolean;
}

type PickRow =
  | { readonly kind: "person"; readonly key: string; readonly height: number; readonly follow: Follow }
  | { readonly kind: "divider"; readonly key: string; readonly height: number; readonly count: number };

const ROW = 4;
const SELECTED = 6.5;

/** Those who can be reached, in Mastodon's order, and after them those who cannot. */
function pickRows(follows: readonly Follow[], selected: ReadonlySet<string>): PickRow[] {
  const row = (follow: Follow): PickRow => ({
    kind: "person", key: follow.id, follow, height: selected.has(follow.id) ? SELECTED : ROW,
  });
  const reachable = follows.filter((follow) => follow.reach !== "none");
  const others = follows.filter((follow) => follow.reach === "none");
  const divider: PickRow[] = others.length > 0 ? [{ kind: "divider", key: " others", height: 3.5, count: others.length }] : [];
  return [...reachable.map(row), ...divider, ...others.map(row)];
}

interface PersonProps {
  follow: Follow;
  tab: 0 | -1;
  selected: boolean;
  subscribed: boolean;
  onSelect: PeopleActions["onSelect"];
  onSubscribe: PeopleActions["onSubscribe"];
}

function Person({ follow, tab, selected, subscribed, onSelect, onSubscribe }: PersonProps): JSX.Element {
  const { id, acct, displayName, avatar, reach, jid } = follow;
  const name = displayName.trim() || acct;
  const who = (
    <>
      <Avatar src={avatar} name={name} seed={acct} />
      <span class="who">
        <Name>{name}</Name>
        <span class="sub"><bdi dir="ltr">@{acct}</bdi></span>
        {reach === "address" && <span class="sub vh">, chat address {jid}</span>}
      </span>
    </>
  );
  if (reach === "none") return <div class="pick unreachable" tabIndex={tab}>{who}<span class="note">No chat address</span></div>;
  return (
    <div class={`pick ${selected ? "selected" : ""}`}>
      <label class="pick-main">
        <input type="checkbox" tabIndex={tab} checked={selected} onChange={(event) => onSelect([id], event.currentTarget.checked)} />
        {who}
        {reach === "address" && <span class="note" title={jid ?? ""}>Other server</span>}
      </label>
      {selected && (
        <label class="pick-sub">
          <input
            type="checkbox" tabIndex={tab} checked={subscribed} onChange={(event) => onSubscribe(id, event.currentTarget.checked)}
            aria-label={`Ask ${isolated(name)} to show me when they are online`}
          />
          <span>Ask to see when they are online</span>
        </label>
      )}
    </div>
  );
}

function Status({ people, onReload, onLogin }: Pick<Props, "people" | "onReload" | "onLogin">): JSX.Element | null {
  switch (people.status) {
    case "idle":
    case "loading":
      return <div class="people-status"><Spinner label={people.people.length ? `${plural(people.people.length, "person", "people")} so far` : "Asking for the people you follow"} /></div>;
    case "waiting":
      return <div class="people-status"><span role="status">{people.message || "Your server asks us to slow down."} It goes on <Countdown until={people.retryAt} />.</span></div>;
    case "error":
      return <Problem>{people.message || "The people you follow could not be loaded."} <button type="button" class="link" onClick={onReload}>Try again</button></Problem>;
    case "login-again":
      return <Problem>Your server wants you to log in again before it tells whom you follow. <button type="button" class="link" onClick={onLogin}>Log in</button></Problem>;
    default:
      return null;
  }
}

function Nothing({ people }: { people: People }): JSX.Element | null {
  if (people.query) {
    return <Empty icon="search" title="Nobody like that"><p>None of the people you follow is called <bdi>“{people.query}”</bdi>.</p></Empty>;
  }
  if (people.status !== "done") return null;
  return <Empty icon="add" title="You follow nobody yet"><p>Once you follow people, you can add them here. You can also start a chat with anyone whose address you know.</p></Empty>;
}

/** Selects everybody in sight who can be reached, or takes that back. */
function SelectAll({ found, people, onSelect }: { found: readonly Follow[]; people: People; onSelect: PeopleActions["onSelect"] }): JSX.Element | null {
  const ids = found.filter((follow) => follow.reach !== "none").map((follow) => follow.id);
  if (ids.length === 0) return null;
  const all = ids.every((id) => people.selected.has(id));
  return (
    <div class="select-all">
      <span>{plural(ids.length, "person", "people")} can be reached</span>
      <button type="button" class="link" onClick={() => onSelect(ids, !all)}>{all ? "Select none" : "Select all"}</button>
    </div>
  );
}

export function PeoplePicker(props: Props): JSX.Element {
  const { people, first, onSearch, onSelect, onSubscribe, onStart, onLeave } = props;
  const found = useMemo(() => matching(people), [people.people, people.query]);
  const rows = useMemo(() => pickRows(found, people.selected), [found, people.selected]);
  const count = people.selected.size;
  return (
    <div class="picker">
      <div class="picker-top">
        <Search label="Search the people you follow" value={people.query} onInput={onSearch} />
        <SelectAll found={found} people={people} onSelect={onSelect} />
        <Status {...props} />
      </div>
      {rows.length === 0 && <Nothing people={people} />}
      <VirtualList
        label="People you follow" rows={rows}
        render={(row, tab) => row.kind === "divider"
          ? <div class="divider" tabIndex={tab}>{plural(row.count, "person has", "people have")} no chat address yet</div>
          : <Person follow={row.follow} tab={tab} selected={people.selected.has(row.follow.id)} subscribed={people.subscribe.has(row.follow.id)} onSelect={onSelect} onSubscribe={onSubscribe} />}
      />
      <div class="picker-foot">
        {people.message && people.status === "done" && <Problem>{people.message}</Problem>}
        <button type="button" class="plain" onClick={onLeave}>{first && count === 0 ? "Skip for now" : first ? "Skip" : "Back"}</button>
        <button type="button" class="primary" aria-disabled={count === 0 || people.starting} onClick={() => count > 0 && !people.starting && onStart()}>
          {people.starting && <span class="spinner" aria-hidden="true" />}
          {count === 0 ? "Select people to add" : `Add ${plural(count, "person", "people")}`}
        </button>
      </div>
    </div>
  );
}
