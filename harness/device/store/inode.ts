// SPDX-License-Identifier: GPL-2.0-only
import { Content } from './content.ts';
import { Locks } from './locks.ts';

/** File types of st_mode (inode(7)). */
export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_IXGRP = 0o010;

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export function now(): Time {
  // The clock's own start plus the monotonic clock: nanoseconds that never go back.
  const nanoseconds = START_NANOSECONDS + (process.hrtime.bigint() - START_MONOTONIC);
  return { seconds: Number(nanoseconds / 1_000_000_000n), nanoseconds: Number(nanoseconds % 1_000_000_000n) };
}
const START_NANOSECONDS = BigInt(Date.now()) * 1_000_000n;
const START_MONOTONIC = process.hrtime.bigint();

export interface DirectoryEntry {
  readonly inode: Inode;
  /** What READDIR continues after: rises with every entry made, so that what is there throughout is seen once. */
  readonly cookie: number;
}

/** "." and ".." have the first two. */
export const FIRST_COOKIE = 3;

export class Inode {
  uid = 0;
  gid = 0;
  nlink = 0;
  rdev = 0;
  atime: Time;
  mtime: Time;
  ctime: Time;
  readonly btime: Time;
  readonly xattrs = new Map<string, Buffer>();
  /** A directory's; names are bytes (latin1). */
  readonly entries = new Map<string, DirectoryEntry>();
  nextCookie = FIRST_COOKIE;
  /** A directory's parent. */
  parent: Inode | undefined;
  /** One of its names, for people: where it was last put. */
  hint: { readonly parent: Inode; readonly name: string } | undefined;
  readonly locks = new Locks();
  target: Buffer | undefined;
  readonly content: Content | undefined;
  /** Whether FUSE_ATTR_DAX is set for it (dax=inode). */
  dax = true;
  /** Lookups that no FORGET has taken back and handles that are open, of all sessions: it lives as long. */
  references = 0;

  constructor(
    readonly ino: number,
    public mode: number,
  ) {
    this.atime = this.mtime = this.ctime = this.btime = now();
    this.content = (mode & S_IFMT) === S_IFREG ? new Content(`fuselage-${ino}`) : undefined;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get sizeBytes(): number {
    if (this.content !== undefined) return this.content.sizeBytes;
    if (this.target !== undefined) return this.target.length;
    return this.isDirectory ? 4096 : 0;
  }

  /** Content changed. */
  modified(): void {
    this.mtime = this.ctime = now();
  }

  /** Attributes changed. */
  changed(): void {
    this.ctime = now();
  }

  /** relatime, as local file systems are mounted (mount(8)). */
  accessed(): void {
    const before = (a: Time, b: Time) => a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds <= b.nanoseconds);
    if (before(this.atime, this.mtime) || before(this.atime, this.ctime)) this.atime = now();
  }

  /** For messages: an unlinked file says so. */
  get path(): string {
    if (this.ino === 1) return '/';
    const names: string[] = [];
    for (let { hint } = this; hint !== undefined && names.length < 64; { hint } = hint.parent) names.unshift(Buffer.from(hint.name, 'latin1').toString());
    return `/${names.join('/')}${this.nlink === 0 ? ' (unlinked)' : ''}`;
  }
}
