// SPDX-License-Identifier: GPL-2.0-only

/** A kernel that can be booted, wherever it came from. */
export interface KernelImage {
  /** A build id, or a name that is as stable. */
  readonly id: string;
  /** For people: "Linux 6.12.107 + worker-batching (fast)". */
  readonly title: string;
  /** As `uname -r` will say; absent for a bare bzImage until it has booted. */
  readonly release?: string;
  /** A flavor's name; `distribution` for ready-made kernels, `unknown` for a bare bzImage. */
  readonly flavor: string;
  readonly bzImage: string;
  readonly vmlinux?: string;
  readonly config?: string;
  /** System.map. */
  readonly symbols?: string;
  /** A directory of .ko files and `order`, which lists them in the order to load. */
  readonly modulesDirectory?: string;
  /** What gcov(1) needs of its build; only of a kernel that counts which lines are executed. */
  readonly notesDirectory?: string;
  /** The value of --kernel that means this kernel. */
  readonly reproduce: string;
}
