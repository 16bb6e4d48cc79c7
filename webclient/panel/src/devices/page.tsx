import type { JSX } from "preact";
import type { Ask } from "../api.ts";
import { SidePage } from "../views/parts.tsx";

export interface DevicesProps {
  /** The person's chat address. */
  address: string;
  offline: boolean;
  ask: Ask;
  tell: (notice: string) => void;
  onBack: () => void;
}

export function DevicesPage({ onBack }: DevicesProps): JSX.Element {
  return <SidePage title="Apps & devices" back="Back to the settings" onBack={onBack}>x</SidePage>;
}
