// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';
import { FUSE_ATTR_DAX, type InitFlag } from '../fuse/flags.ts';
import type { Attributes, EntryOut } from '../fuse/structs.ts';
import { RANGE_BYTES } from '../store/content.ts';
import type { DirectoryEntry, Inode } from '../store/inode.ts';
import type { Store } from '../store/store.ts';

/** What a server decides about a mount; a case may change any of it. */
export interface SessionOptions {
  /** How long the guest may keep names and attributes, in seconds. */
  readonly entryValidSeconds: number;
  readonly attrValidSeconds: number;
  /** INIT flags to agree on where the kernel offers them. */
  readonly initFlags: readonly InitFlag[];
  readonly maxWriteBytes: number;
  readonly maxBackground: number;
  /** log2 of the alignment of mappings (FUSE_MAP_ALIGNMENT). */
  readonly mapAlignmentShift: number;
  readonly blockBytes: number;
  /** FOPEN_ flags of every file that is opened. */
  readonly openFlags: number;
}

export interface Handle {
  readonly inode: Inode;
  readonly flags: number;
  /** A directory's entries as they were when it was opened or rewound. */
  entries: readonly (readonly [name: string, entry: DirectoryEntry])[] | undefined;
}

let nextSession = 1;

/** One mount of one guest: what it has looked up, what it has open, what was agreed on. */
export class Session {
  minor = 0;
  readonly agreed = new Set<InitFlag>();
  readonly offered = new Set<InitFlag>();
  /** Lookups by node id that no FORGET has taken back: the guest's nlookup. */
  readonly lookups = new Map<number, number>();
  readonly #handles = new Map<number, Handle>();
  #nextHandle = 1;
  /** FORGETs of more than was looked up: the guest's kernel lost count. */
  overForgotten = 0;

  #options: SessionOptions;

  constructor(
    readonly store: Store,
    private readonly initial: SessionOptions,
  ) {
    this.#options = initial;
  }

  get options(): SessionOptions {
    return this.#options;
  }

  /** What all lock owners of this mount begin with. */
  readonly ownerPrefix = `${nextSession++}/`;

  ownerOf(owner: bigint): string {
    return `${this.ownerPrefix}${owner}/`;
  }

  /** From now on; what INIT agreed on stays until the next mount. */
  configure(options: Partial<SessionOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Takes back what a case configured. */
  restore(): void {
    this.#options = this.initial;
  }

  /** @throws FuseError ESTALE */
  inode(nodeid: number): Inode {
    return this.store.inode(nodeid);
  }

  /** Counts a lookup and describes the node, as LOOKUP and everything that creates answers. */
  entry(inode: Inode): EntryOut {
    this.lookups.set(inode.ino, (this.lookups.get(inode.ino) ?? 0) + 1);
    inode.references++;
    return this.describe(inode);
  }

  describe(inode: Inode): EntryOut {
    const [entry, attr] = [split(this.options.entryValidSeconds), split(this.options.attrValidSeconds)];
    return {
      nodeid: inode.ino,
      generation: 0,
      entry_valid: entry.seconds,
      entry_valid_nsec: entry.nanoseconds,
      attr_valid: attr.seconds,
      attr_valid_nsec: attr.nanoseconds,
      attr: this.attributes(inode),
    };
  }

  attributes(inode: Inode): Attributes {
    return {
      ino: inode.ino,
      size: inode.sizeBytes,
      blocks: inode.content?.blocks ?? (inode.isDirectory ? 8 : 0),
      atime: inode.atime.seconds,
      mtime: inode.mtime.seconds,
      ctime: inode.ctime.seconds,
      atimensec: inode.atime.nanoseconds,
      mtimensec: inode.mtime.nanoseconds,
      ctimensec: inode.ctime.nanoseconds,
      mode: inode.mode,
      nlink: inode.nlink,
      uid: inode.uid,
      gid: inode.gid,
      rdev: inode.rdev,
      blksize: this.options.blockBytes,
      // Only to a kernel that agreed: any other takes the difference for a reason not to cache the inode (fuse_dax_dontcache()).
      flags: inode.dax && inode.content !== undefined && this.agreed.has('HAS_INODE_DAX') ? FUSE_ATTR_DAX : 0,
    };
  }

  attrOut(inode: Inode): { attr_valid: number; attr_valid_nsec: number; attr: Attributes } {
    const { seconds, nanoseconds } = split(this.options.attrValidSeconds);
    return { attr_valid: seconds, attr_valid_nsec: nanoseconds, attr: this.attributes(inode) };
  }

  forget(nodeid: number, count: number): void {
    const known = this.lookups.get(nodeid) ?? 0;
    const taken = Math.min(count, known);
    if (count > known) this.overForgotten++;
    if (taken === known) this.lookups.delete(nodeid);
    else this.lookups.set(nodeid, known - taken);
    if (taken > 0) this.store.release(this.store.inode(nodeid), taken);
  }

  open(inode: Inode, flags: number): number {
    const handle = this.#nextHandle++;
    this.#handles.set(handle, { inode, flags, entries: undefined });
    inode.references++;
    return handle;
  }

  /** @throws FuseError EBADF */
  handle(fh: number): Handle {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FuseError('EBADF');
    return handle;
  }

  close(fh: number): void {
    const handle = this.handle(fh);
    this.#handles.delete(fh);
    this.store.release(handle.inode, 1);
  }

  get openHandles(): number {
    return this.#handles.size;
  }

  /** The mount is gone: DESTROY, a reset of the device, or the guest's end. */
  reset(): void {
    for (const inode of this.store.inodes()) inode.locks.drop(this.ownerPrefix);
    for (const fh of [...this.#handles.keys()]) this.close(fh);
    for (const [nodeid, count] of [...this.lookups]) this.forget(nodeid, count);
    this.agreed.clear();
    this.offered.clear();
    this.minor = 0;
  }
}

const split = (seconds: number) => ({ seconds: Math.floor(seconds), nanoseconds: Math.round((seconds % 1) * 1e9) });

/** As virtiofsd with cache=auto has it, and a range as the mappings' alignment. */
export const DEFAULT_SESSION: SessionOptions = {
  entryValidSeconds: 1,
  attrValidSeconds: 1,
  initFlags: [
    'ASYNC_READ',
    'ATOMIC_O_TRUNC',
    'BIG_WRITES',
    'DONT_MASK',
    'AUTO_INVAL_DATA',
    'DO_READDIRPLUS',
    'READDIRPLUS_AUTO',
    'ASYNC_DIO',
    'PARALLEL_DIROPS',
    'HANDLE_KILLPRIV_V2',
    'POSIX_ACL',
    'MAX_PAGES',
    'MAP_ALIGNMENT',
    'SETXATTR_EXT',
    'INIT_EXT',
    'HAS_INODE_DAX',
  ],
  maxWriteBytes: 1024 * 1024,
  maxBackground: 64,
  mapAlignmentShift: Math.log2(RANGE_BYTES),
  blockBytes: 4096,
  openFlags: 0,
};
