// SPDX-License-Identifier: GPL-2.0-only
import type { Context } from '../host/context.ts';
import type { Scope } from '../host/scope.ts';
import type { Toolbox } from '../toolbox/toolbox.ts';

export const MOUNT_POINT = '/mnt/share';

/** What a share can do beyond POSIX; cases say which of these they need. */
export type Trait =
  /** The host sees the same directory. */
  | 'host-directory'
  /** open(2) takes O_DIRECT. */
  | 'direct-io'
  /** Shared writable mappings are allowed. */
  | 'shared-mmap';

export interface ServeOptions {
  readonly context: Context;
  readonly toolbox: Toolbox;
  readonly scope: Scope;
  /** Where the server's log goes. */
  readonly directory: string;
}

/** A share that is being served to one guest. */
export interface ServedShare {
  /** QEMU arguments that attach it. */
  readonly devices: readonly string[];
  /** The host's side of the directory, for a share that has one. */
  readonly hostDirectory?: string;
  readonly mount: { readonly type: string; readonly source: string; readonly options: string };
  /** Resolves when a server of it ends unasked, with what it said. */
  readonly died?: Promise<string>;
  /** What the servers had outstanding, for a hang's bundle. */
  readonly describe?: () => string;
}

/** How the guest sees a directory: served, attached, mounted and proved mounted. */
export interface Share {
  readonly name: string;
  readonly summary: string;
  readonly traits: readonly Trait[];
  /** Names of /proc/filesystems that the guest's kernel must have. */
  readonly needsFileSystem: string;
  serve(options: ServeOptions): Promise<ServedShare>;
  /** Matches the line of /proc/mounts that proves the mount (proc(5)): type, and options that matter. */
  readonly proof: RegExp;
}
