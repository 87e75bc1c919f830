// SPDX-License-Identifier: GPL-2.0-only
import type { Device } from '../device/device.ts';
import type { RemoteProcess } from '../guest/ssh.ts';
import type { DeviceSettings, Trait } from '../share/share.ts';
import type { GuestTool } from '../toolbox/toolbox.ts';
import type { Actor } from './actor.ts';
import type { ErofsTools } from './erofs-tools.ts';

// What cases use of the rooms below.
export { FOPEN } from '../device/fuse/flags.ts';
export { DEFAULT_SESSION } from '../device/serve/session.ts';
export { SUPER_FIELDS, type SuperField } from '../erofs/super-block.ts';
export { HOLES, LARGE, MANY_FILES_COUNT, PROGRAM_PATH, SECOND } from '../erofs/trees.ts';
export type { ReadRequest } from './on-demand.ts';
export { waits } from './waiting.ts';

/** What must be seen for a result to count (DESIGN, rule 1). */
export type Proof =
  /** The share was mounted as it should: its line of /proc/mounts, looked at before and after. */
  | { readonly kind: 'mount' }
  /** The program or the script counted something at least so often (`# proof NAME COUNT`). */
  | { readonly kind: 'count'; readonly name: string; readonly atLeast: number };

export const mounted = (): Proof => ({ kind: 'mount' });
export const counted = (name: string, atLeast = 1): Proof => ({ kind: 'count', name, atLeast });

/** A guest, as a case uses it. */
export interface GuestTools {
  /** Runs a program in the guest to its end. */
  run(command: readonly string[]): Promise<{ readonly code: number | undefined; readonly stdout: string; readonly stderr: string }>;
  start(command: readonly string[]): Promise<RemoteProcess>;
  /** A process in the guest that does one file operation at a time. */
  actor(): Promise<Actor>;
  /** Unmounts the share and mounts it again, with other options if any are given. */
  remount(options?: string): Promise<void>;
}

/** How a count on the wire may differ between base and patched kernel: not at all, downwards only, upwards only. */
export type WireRule = 'same' | 'fewer' | 'more';

/** What a scripted case works with. */
export interface CaseContext {
  readonly share: {
    readonly name: string;
    /** This case's own directory on the share, as the guest sees it. */
    readonly guestDirectory: string;
    /** The same directory on the host; only with the trait `host-directory`. */
    readonly hostDirectory: string;
    /** The same directory in the device's store; only with the trait `device`. */
    readonly storeDirectory: string;
  };
  readonly guest: GuestTools;
  /** The second guest on the same store; only with `device: { guests: 2 }`. */
  readonly peer: GuestTools;
  /** The device that serves the first guest; only with the trait `device`. */
  readonly device: Device;
  readonly peerDevice: Device;
  /** Images, daemons and mounts; only with the trait `erofs`. They end with the case. */
  readonly erofs: ErofsTools;
  /** Runs `body` as one subtest: it fails when body throws, and the next one still runs. Its actors end with it. */
  subtest(name: string, body: () => Promise<void> | void): Promise<void>;
  /** Counts towards a `count` proof. */
  prove(name: string, count?: number): void;
  /** Reports a count that base and patched kernels can be compared by. */
  counter(name: string, value: number): void;
  /** A sample of a workload on a subject, for a scenario that compares subjects in turn, within one run. Decides nothing. */
  measured(workload: string, on: string, unit: string, sample: number): void;
}

interface Common {
  /** One line: what the case is about. */
  readonly title: string;
  readonly proof: readonly [Proof, ...Proof[]];
  /** Shares without all of these skip the case, saying why. */
  readonly needs?: readonly Trait[];
  /** Programs that the guest must have beyond busybox, in /fuselage/bin. */
  readonly tools?: readonly GuestTool[];
  /** What it wants of a share with the trait `device`; cases that want the same share a guest. */
  readonly device?: DeviceSettings;
  /** Counts (operations, `REMOVEMAPPING entries`, own counters) that are exact, and how they may change: another change regresses. */
  readonly wire?: Readonly<Record<string, WireRule>>;
  /** The case looks at what the kernel did against the protocol itself; else that fails it. */
  readonly ownViolations?: true;
  /** On the `fast` flavor with KVM; scaled by flavor and accelerator. Default 15. */
  readonly timeoutSeconds?: number;
}

/** A C program that runs in the guest and prints KTAP, or a script that steers guest and host. */
export type CaseDefinition = Common &
  ({ readonly program: string; readonly args?: readonly string[] } | { readonly run: (context: CaseContext) => Promise<void> });

/** For the type's sake: `export default defineCase({ ... })`. */
export function defineCase(definition: CaseDefinition): CaseDefinition {
  return definition;
}
