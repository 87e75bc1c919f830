// SPDX-License-Identifier: GPL-2.0-only
import type { Context } from '../host/context.ts';
import type { Scope } from '../host/scope.ts';
import type { Device } from '../device/device.ts';
import type { Trace } from '../device/trace/trace.ts';
import type { ImageSet } from '../erofs/images.ts';
import type { SessionOptions } from '../device/serve/session.ts';
import type { Toolbox } from '../toolbox/toolbox.ts';

export const MOUNT_POINT = '/mnt/share';

/** What a share can do beyond POSIX; cases say which of these they need. */
export type Trait =
  /** The host sees the same directory. */
  | 'host-directory'
  /** open(2) takes O_DIRECT. */
  | 'direct-io'
  /** Shared writable mappings are allowed. */
  | 'shared-mmap'
  /** Our own device serves it: requests can be steered, counted and traced. */
  | 'device'
  /** The device has a DAX window. */
  | 'dax-window'
  /** The guest may let go of the device and take it again; with a DAX window QEMU 11.1 dies of that. */
  | 'detachable'
  /** Every file is mapped through the window (dax=always). */
  | 'dax'
  /** EROFS images, which cases mount themselves. */
  | 'erofs'
  /** Data come through /dev/cachefiles when they are first asked for. */
  | 'erofs-on-demand'
  /** Data come through fanotify's pre-content events. */
  | 'pre-content'
  /** The image is a file of another file system, without a block device between. */
  | 'file-backed'
  /** A FUSE server of ours has the standard image's files too, for comparisons. */
  | 'comparison'
  /** Compressed images can be mounted. */
  | 'compression';

/** What a case asks of a share with the trait `device`; cases that ask for the same share a guest. */
export interface DeviceSettings {
  /** Size of the DAX window in ranges of 2 MiB. */
  readonly windowRanges?: number;
  readonly session?: Partial<SessionOptions>;
  /** Two guests on one store, each with a window of its own. */
  readonly guests?: 2;
  /** Of each guest. */
  readonly memoryMiB?: number;
  /** With one processor the kernel uses one request queue, whatever the device has. */
  readonly cpus?: number;
}

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
  /** How it is mounted on MOUNT_POINT; absent where cases mount what they need. */
  readonly mount?: { readonly type: string; readonly source: string; readonly options: string };
  /** Commands that the guest runs before anything is mounted. */
  readonly prepare?: readonly (readonly string[])[];
  /** Resolves when a server of it ends unasked, with what it said. */
  readonly died?: Promise<string>;
  /** What the servers had outstanding, for a hang's bundle. */
  readonly describe?: () => string;
  /** The device itself, for a share with the trait `device`. */
  readonly device?: Device;
  /** For a share with the trait `erofs`; `outstanding` says who waits for what, for a hang's bundle. */
  readonly erofs?: { readonly backend: 'loop' | 'file' | 'fscache' | 'fanotify'; readonly images: ImageSet; readonly trace: Trace; readonly outstanding: Set<string>; readonly fuseTag?: string };
  /** The same share for a second guest. */
  readonly peer?: ServedShare;
}

/** How the guest sees a directory: served, attached, mounted and proved mounted. */
export interface Share {
  readonly name: string;
  readonly summary: string;
  readonly traits: readonly Trait[];
  /** Names of /proc/filesystems that the guest's kernel must have. */
  readonly needsFileSystem: string;
  /** What else it must have, by the names of kernel-features.yaml. */
  readonly kernelFeatures?: readonly string[];
  /** @param settings for shares with the trait `device`; others take no notice. */
  serve(options: ServeOptions, settings?: DeviceSettings): Promise<ServedShare>;
  /** Matches the line of /proc/mounts that proves the mount (proc(5)): type, and options that matter; absent where cases mount. */
  readonly proof?: RegExp;
}
