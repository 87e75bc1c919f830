// SPDX-License-Identifier: GPL-2.0-only
/** Structures of include/uapi/linux/fuse.h, up to protocol 7.46; names and order as there. */
import { i32, n64, pad, seconds, since, sinceInPadding, struct, u16, u32, u64, type Value } from './wire.ts';

export const fuse_in_header = struct('fuse_in_header', {
  len: u32,
  opcode: u32,
  unique: n64,
  nodeid: n64,
  uid: u32,
  gid: u32,
  pid: u32,
  /** In units of 8 bytes. */
  total_extlen: sinceInPadding(38, u16),
  padding: pad(2),
});
export const fuse_out_header = struct('fuse_out_header', { len: u32, error: i32, unique: n64 });

export const fuse_attr = struct('fuse_attr', {
  ino: n64,
  size: n64,
  blocks: n64,
  atime: seconds,
  mtime: seconds,
  ctime: seconds,
  atimensec: u32,
  mtimensec: u32,
  ctimensec: u32,
  mode: u32,
  nlink: u32,
  uid: u32,
  gid: u32,
  rdev: u32,
  blksize: u32,
  flags: sinceInPadding(32, u32),
});
export const fuse_sx_time = struct('fuse_sx_time', { tv_sec: seconds, tv_nsec: u32, __reserved: pad(4) });
export const fuse_statx = struct('fuse_statx', {
  mask: u32,
  blksize: u32,
  attributes: u64,
  nlink: u32,
  uid: u32,
  gid: u32,
  mode: u16,
  __spare0: pad(2),
  ino: n64,
  size: n64,
  blocks: n64,
  attributes_mask: u64,
  atime: fuse_sx_time,
  btime: fuse_sx_time,
  ctime: fuse_sx_time,
  mtime: fuse_sx_time,
  rdev_major: u32,
  rdev_minor: u32,
  dev_major: u32,
  dev_minor: u32,
  __spare2: pad(8 * 14),
});
export const fuse_kstatfs = struct('fuse_kstatfs', {
  blocks: n64,
  bfree: n64,
  bavail: n64,
  files: n64,
  ffree: n64,
  bsize: u32,
  namelen: u32,
  frsize: u32,
  padding: pad(4),
  spare: pad(24),
});
export const fuse_file_lock = struct('fuse_file_lock', { start: u64, end: u64, type: u32, pid: u32 });

export const fuse_entry_out = struct('fuse_entry_out', {
  nodeid: n64,
  generation: n64,
  entry_valid: n64,
  attr_valid: n64,
  entry_valid_nsec: u32,
  attr_valid_nsec: u32,
  attr: fuse_attr,
});
export const fuse_forget_in = struct('fuse_forget_in', { nlookup: n64 });
export const fuse_forget_one = struct('fuse_forget_one', { nodeid: n64, nlookup: n64 });
export const fuse_batch_forget_in = struct('fuse_batch_forget_in', { count: u32, dummy: pad(4) });
export const fuse_getattr_in = struct('fuse_getattr_in', { getattr_flags: u32, dummy: pad(4), fh: n64 });
export const fuse_attr_out = struct('fuse_attr_out', { attr_valid: n64, attr_valid_nsec: u32, dummy: pad(4), attr: fuse_attr });
export const fuse_statx_in = struct('fuse_statx_in', { getattr_flags: u32, reserved: pad(4), fh: n64, sx_flags: u32, sx_mask: u32 });
export const fuse_statx_out = struct('fuse_statx_out', { attr_valid: n64, attr_valid_nsec: u32, flags: u32, spare: pad(16), stat: fuse_statx });
export const fuse_mknod_in = struct('fuse_mknod_in', { mode: u32, rdev: u32, umask: u32, padding: pad(4) });
export const fuse_mkdir_in = struct('fuse_mkdir_in', { mode: u32, umask: u32 });
export const fuse_rename_in = struct('fuse_rename_in', { newdir: n64 });
export const fuse_rename2_in = struct('fuse_rename2_in', { newdir: n64, flags: u32, padding: pad(4) });
export const fuse_link_in = struct('fuse_link_in', { oldnodeid: n64 });
export const fuse_setattr_in = struct('fuse_setattr_in', {
  valid: u32,
  padding: pad(4),
  fh: n64,
  size: u64,
  lock_owner: u64,
  atime: seconds,
  mtime: seconds,
  ctime: seconds,
  atimensec: u32,
  mtimensec: u32,
  ctimensec: u32,
  mode: u32,
  unused4: pad(4),
  uid: u32,
  gid: u32,
  unused5: pad(4),
});
export const fuse_open_in = struct('fuse_open_in', { flags: u32, open_flags: sinceInPadding(33, u32) });
export const fuse_create_in = struct('fuse_create_in', { flags: u32, mode: u32, umask: u32, open_flags: sinceInPadding(33, u32) });
export const fuse_open_out = struct('fuse_open_out', { fh: n64, open_flags: u32, backing_id: sinceInPadding(40, i32) });
export const fuse_release_in = struct('fuse_release_in', { fh: n64, flags: u32, release_flags: u32, lock_owner: u64 });
export const fuse_flush_in = struct('fuse_flush_in', { fh: n64, unused: pad(8), lock_owner: u64 });
export const fuse_read_in = struct('fuse_read_in', { fh: n64, offset: n64, size: u32, read_flags: u32, lock_owner: u64, flags: u32, padding: pad(4) });
export const fuse_write_in = struct('fuse_write_in', { fh: n64, offset: n64, size: u32, write_flags: u32, lock_owner: u64, flags: u32, padding: pad(4) });
export const fuse_write_out = struct('fuse_write_out', { size: u32, padding: pad(4) });
export const fuse_fsync_in = struct('fuse_fsync_in', { fh: n64, fsync_flags: u32, padding: pad(4) });
/** The second half is sent only if SETXATTR_EXT was agreed on: FUSE_COMPAT_SETXATTR_IN_SIZE is the first. */
export const fuse_setxattr_in = struct('fuse_setxattr_in', { size: u32, flags: u32 });
export const fuse_setxattr_ext = struct('fuse_setxattr_in (second half)', { setxattr_flags: since(33, u32), padding: since(33, pad(4)) });
export const fuse_getxattr_in = struct('fuse_getxattr_in', { size: u32, padding: pad(4) });
export const fuse_getxattr_out = struct('fuse_getxattr_out', { size: u32, padding: pad(4) });
export const fuse_lk_in = struct('fuse_lk_in', { fh: n64, owner: u64, lk: fuse_file_lock, lk_flags: u32, padding: pad(4) });
export const fuse_lk_out = struct('fuse_lk_out', { lk: fuse_file_lock });
export const fuse_access_in = struct('fuse_access_in', { mask: u32, padding: pad(4) });
export const fuse_init_in = struct('fuse_init_in', {
  major: u32,
  minor: u32,
  max_readahead: u32,
  flags: u32,
  flags2: since(36, u32),
  unused: since(36, pad(4 * 11)),
});
export const fuse_init_out = struct('fuse_init_out', {
  major: u32,
  minor: u32,
  max_readahead: u32,
  flags: u32,
  max_background: u16,
  congestion_threshold: u16,
  max_write: u32,
  time_gran: since(23, u32),
  max_pages: sinceInPadding(28, u16, 23),
  map_alignment: sinceInPadding(31, u16, 23),
  flags2: sinceInPadding(36, u32, 23),
  max_stack_depth: sinceInPadding(40, u32, 23),
  request_timeout: sinceInPadding(43, u16, 23),
  unused: since(23, pad(2 * 11)),
});
export const fuse_interrupt_in = struct('fuse_interrupt_in', { unique: n64 });
export const fuse_bmap_in = struct('fuse_bmap_in', { block: n64, blocksize: u32, padding: pad(4) });
export const fuse_bmap_out = struct('fuse_bmap_out', { block: n64 });
export const fuse_ioctl_in = struct('fuse_ioctl_in', { fh: n64, flags: u32, cmd: u32, arg: u64, in_size: u32, out_size: u32 });
export const fuse_ioctl_out = struct('fuse_ioctl_out', { result: i32, flags: u32, in_iovs: u32, out_iovs: u32 });
export const fuse_poll_in = struct('fuse_poll_in', { fh: n64, kh: n64, flags: u32, events: u32 });
export const fuse_poll_out = struct('fuse_poll_out', { revents: u32, padding: pad(4) });
export const fuse_fallocate_in = struct('fuse_fallocate_in', { fh: n64, offset: u64, length: u64, mode: u32, padding: pad(4) });
export const fuse_dirent = struct('fuse_dirent', { ino: n64, off: n64, namelen: u32, type: u32 });
export const fuse_lseek_in = struct('fuse_lseek_in', { fh: n64, offset: u64, whence: u32, padding: pad(4) });
export const fuse_lseek_out = struct('fuse_lseek_out', { offset: n64 });
export const fuse_copy_file_range_in = struct('fuse_copy_file_range_in', {
  fh_in: n64,
  off_in: n64,
  nodeid_out: n64,
  fh_out: n64,
  off_out: n64,
  len: u64,
  flags: u64,
});
export const fuse_copy_file_range_out = struct('fuse_copy_file_range_out', { bytes_copied: n64 });
export const fuse_setupmapping_in = struct('fuse_setupmapping_in', { fh: u64, foffset: n64, len: n64, flags: u64, moffset: n64 });
export const fuse_removemapping_in = struct('fuse_removemapping_in', { count: u32 });
export const fuse_removemapping_one = struct('fuse_removemapping_one', { moffset: n64, len: n64 });
export const fuse_syncfs_in = struct('fuse_syncfs_in', { padding: pad(8) });

export type InHeader = Value<typeof fuse_in_header>;
export type Attributes = Value<typeof fuse_attr>;
export type EntryOut = Value<typeof fuse_entry_out>;
export type InitIn = Value<typeof fuse_init_in>;
export type InitOut = Value<typeof fuse_init_out>;
export type RemoveMappingOne = Value<typeof fuse_removemapping_one>;
export type SetupMappingIn = Value<typeof fuse_setupmapping_in>;
export type SetattrIn = Value<typeof fuse_setattr_in>;
