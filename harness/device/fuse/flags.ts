// SPDX-License-Identifier: GPL-2.0-only
/** Flags of include/uapi/linux/fuse.h. */

/** Of INIT, by bit; from 32 on they are flags2. */
export const INIT_FLAG = {
  ASYNC_READ: 0,
  POSIX_LOCKS: 1,
  FILE_OPS: 2,
  ATOMIC_O_TRUNC: 3,
  EXPORT_SUPPORT: 4,
  BIG_WRITES: 5,
  DONT_MASK: 6,
  SPLICE_WRITE: 7,
  SPLICE_MOVE: 8,
  SPLICE_READ: 9,
  FLOCK_LOCKS: 10,
  HAS_IOCTL_DIR: 11,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  ASYNC_DIO: 15,
  WRITEBACK_CACHE: 16,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  HANDLE_KILLPRIV: 19,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  MAP_ALIGNMENT: 26,
  SUBMOUNTS: 27,
  HANDLE_KILLPRIV_V2: 28,
  SETXATTR_EXT: 29,
  INIT_EXT: 30,
  SECURITY_CTX: 32,
  HAS_INODE_DAX: 33,
  CREATE_SUPP_GROUP: 34,
  HAS_EXPIRE_ONLY: 35,
  DIRECT_IO_ALLOW_MMAP: 36,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
  ALLOW_IDMAP: 40,
  OVER_IO_URING: 41,
  REQUEST_TIMEOUT: 42,
} as const;
export type InitFlag = keyof typeof INIT_FLAG;

export function initFlagsOf(low: number, high: number): Set<InitFlag> {
  const bits = BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n);
  return new Set((Object.keys(INIT_FLAG) as InitFlag[]).filter((name) => (bits >> BigInt(INIT_FLAG[name])) & 1n));
}

export function initFlagBits(flags: Iterable<InitFlag>): { readonly flags: number; readonly flags2: number } {
  let bits = 0n;
  for (const name of flags) bits |= 1n << BigInt(INIT_FLAG[name]);
  return { flags: Number(bits & 0xffffffffn), flags2: Number(bits >> 32n) };
}

export const FATTR = { MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 16, MTIME: 32, FH: 64, ATIME_NOW: 128, MTIME_NOW: 256, LOCKOWNER: 512, CTIME: 1024, KILL_SUIDGID: 2048 } as const;
export const FOPEN = { DIRECT_IO: 1, KEEP_CACHE: 2, NONSEEKABLE: 4, CACHE_DIR: 8, STREAM: 16, NOFLUSH: 32, PARALLEL_DIRECT_WRITES: 64 } as const;
export const FUSE_OPEN_KILL_SUIDGID = 1;
export const FUSE_WRITE_KILL_SUIDGID = 4;
export const FUSE_RELEASE_FLOCK_UNLOCK = 2;
export const FUSE_LK_FLOCK = 1;
export const FUSE_GETATTR_FH = 1;
export const FUSE_ATTR_DAX = 2;
export const FUSE_SETXATTR_ACL_KILL_SGID = 1;
export const FUSE_SETUPMAPPING_FLAG_WRITE = 1n;
export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;
