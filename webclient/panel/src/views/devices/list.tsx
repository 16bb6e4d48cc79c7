// The device passwords that a person has.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../icons.tsx";
import { Empty, Name, Problem, ReasonButton, useNow } from "../parts.tsx";
import { isolated, plural } from "../words.ts";
import { lastly, type Device, type Listing } from "../../devices/devices.ts";
import type { Trouble } from "../../devices/keeper.ts";
import { Sure } from "./sure.tsx";
import { lastUse, made, serviceWords } from "./words.ts";

/** What an app that logs in directly shows of a person, whatever they chose here. */
export function Privacy(): JSX.Element {
  return (
    <p class="fine">
      <Icon name="eye" size={16} />
      <span>Apps log in directly, so what you chose under “What others may see” does not hold for them: your contacts see when you are online in an app, unless the app hides it.</span>
    </p>
  );
}

interface Props {
  listing: Listing;
  /** Id of the password whose removal is asked about. */
  asked: string;
  busy: boolean;
  trouble: Trouble | null;
  offline: boolean;
  onNew: () => void;
  onAsk: (id: string) => void;
  onRemove: () => void;
}

interface RowProps extends Omit<Props, "listing" | "onNew"> {
  device: Device;
  now: number;
}

function Row({ device, now, asked, busy, trouble, offline, onAsk, onRemove }: RowProps): JSX.Element {
  const open = asked === device.id;
  const named = device.name || "without a name";
  return (
    <li class="device">
      <div class="device-head">
        <Name>{named}</Name>
        <button type="button" class="plain compact" aria-label={`Remove ${isolated(named)}`} aria-expanded={open} onClick={() => onAsk(open ? "" : device.id)}>Remove</button>
      </div>
      <p class="sub">{[serviceWords[device.service], made(device)].filter(Boolean).join(" · ")}</p>
      {device.service === "sip" && <p class="sub">User name <bdi dir="ltr">{device.login}</bdi></p>}
      <p class="sub">{lastUse(device, now)}</p>
      {device.stale && (
        <p class="stale"><Icon name="warning" size={16} /><span>Not used for more than 90 days. If you no longer have this app or device, remove it.</span></p>
      )}
      {open && (
        <Sure
          id={`sure-${device.id}`} yes="Remove" no="Keep" busy={busy} reason={offline ? "You are offline." : ""} onYes={onRemove} onNo={() => onAsk("")}
        >
          Remove <Name>{named}</Name>? This cannot be undone. {lastly(device)}
        </Sure>
      )}
      {open && trouble && <Problem>{trouble.text}</Problem>}
    </li>
  );
}

/** When the row that had the focus is gone, the next one gets it, or the page's heading. */
function useRemoved(devices: readonly Device[], asked: string): (list: HTMLElement | null) => void {
  const list = useRef<HTMLElement | null>(null);
  const at = useRef(-1);
  if (asked) at.current = devices.findIndex(({ id }) => id === asked);
  useEffect(() => {
    if (document.activeElement !== document.body || at.current < 0) return;
    const buttons = list.current?.querySelectorAll<HTMLElement>(".device-head button") ?? [];
    (buttons[Math.min(at.current, buttons.length - 1)] ?? document.querySelector<HTMLElement>(".settings h1"))?.focus();
  }, [devices.length]);
  return (element) => {
    list.current = element;
  };
}

export function DeviceList(props: Props): JSX.Element {
  const { listing: { devices, limit }, offline, onNew, ...row } = props;
  const now = useNow(60_000);
  const list = useRemoved(devices, row.asked);
  const full = devices.length >= limit ? `You have ${limit} of them, which is the most. Remove one first.` : "";
  const button = <ReasonButton reason={offline ? "You are offline." : full} onClick={onNew}>Make a password</ReasonButton>;
  if (devices.length === 0) {
    return (
      <div class="devices-none">
        <Empty icon="phone" title="No device passwords yet">
          <p>A device password lets one app or phone use this account without your Mastodon password. You can remove it here at any time.</p>
        </Empty>
        {button}
        <Privacy />
      </div>
    );
  }
  return (
    <div class="devices">
      <p>Each password is for one app or phone. Make one for every device, so that you can remove them one by one.</p>
      {button}
      <ul aria-label={plural(devices.length, "device password", "device passwords")} ref={list}>
        {devices.map((device) => <Row key={device.id} device={device} now={now} offline={offline} {...row} />)}
      </ul>
      <Privacy />
    </div>
  );
}
