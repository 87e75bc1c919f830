// SPDX-License-Identifier: GPL-2.0-only
import type { Qemu } from '../toolbox/toolbox.ts';

export type Accelerator = 'kvm' | 'tcg';

export interface MachineOptions {
  readonly qemu: Qemu;
  readonly accelerator: Accelerator;
  readonly bzImage: string;
  readonly initramfs: string;
  /** Added to the kernel's command line. */
  readonly append: readonly string[];
  /** QEMU arguments of what is attached (a share's devices). */
  readonly devices: readonly string[];
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Where console.log, qemu.log and a hang's bundle are written. */
  readonly directory: string;
  /** Where gdb can connect; the guest stands still until gdb lets it go. */
  readonly gdbSocket?: string;
  /** Multiplies every limit: a debug kernel's slowdown. */
  readonly slowdown: number;
}
