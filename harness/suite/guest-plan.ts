// SPDX-License-Identifier: GPL-2.0-only
import type { Violation } from '../device/window/window.ts';
import type { Guest } from '../guest/guest.ts';
import type { Context } from '../host/context.ts';
import type { KernelImage } from '../kernel/image.ts';
import type { CaseResult, GuestResult } from '../results/schema.ts';
import type { DeviceSettings, Share } from '../share/share.ts';
import type { Qemu, Toolbox } from '../toolbox/toolbox.ts';
import type { Accelerator } from '../vm/options.ts';
import type { Case } from './discover.ts';
import type { ExpectationBook } from './expectations.ts';

/** Of the files of a case that hold which lines it had executed. */
export const COVERAGE_SUFFIX = '.gcda.tar';

/** One guest's work: the cases of one share under one kernel. */
export interface GuestPlan {
  readonly kernelIndex: number;
  readonly image: KernelImage;
  readonly tolerates: readonly Violation['kind'][];
  readonly initramfs: string;
  readonly share: Share;
  readonly cases: readonly Case[];
  /** What all these cases want of a share with the trait `device`. */
  readonly settings: DeviceSettings;
  /** Tells guests of one share apart: "" for the usual settings. */
  readonly variant: string;
  readonly repetition: number;
  /** Below --out. */
  readonly directory: string;
}

export interface GuestDebugging {
  /** QEMU waits for gdb at this socket before the first instruction. */
  readonly gdbSocket?: string;
  /** Called when a case has ended and its guest is still there. */
  readonly afterCase?: (guest: Guest) => Promise<undefined>;
}

export interface GuestRunOptions {
  readonly context: Context;
  readonly toolbox: Toolbox;
  readonly qemu: Qemu;
  readonly accelerator: Accelerator;
  readonly out: string;
  readonly debug?: GuestDebugging;
  readonly expectations: ExpectationBook;
  readonly onCase: (result: CaseResult) => void;
  readonly onGuest: (result: GuestResult) => void;
}

/** A result of one of a plan's cases, or of its guest's boot or end. */
export function makeResult(plan: GuestPlan, name: string, result: Pick<CaseResult, 'status' | 'subtests' | 'seconds' | 'proof'> & Partial<CaseResult>): CaseResult {
  const what = name.startsWith('guest/') ? '' : ` ${name}`;
  return {
    kernel: plan.kernelIndex,
    name,
    share: plan.share.name,
    repetition: plan.repetition,
    counters: {},
    splats: [],
    files: [],
    reproduce: `fuselage run --kernel ${plan.image.reproduce} --share ${plan.share.name}${what}`,
    ...result,
  };
}
