// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from '../../host/libc.ts';
import { FuseError } from '../fuse/errno.ts';
import { FUSE_OPEN_KILL_SUIDGID, FUSE_RELEASE_FLOCK_UNLOCK, FUSE_SETUPMAPPING_FLAG_WRITE, FUSE_WRITE_KILL_SUIDGID } from '../fuse/flags.ts';
import type { Content } from '../store/content.ts';
import type { Inode } from '../store/inode.ts';
import { dropCapability, killPrivileges } from './attributes.ts';
import type { Call, Handlers } from './call.ts';

/** Modes of fallocate(2) that a file system in memory has. */
const FALLOC = { KEEP_SIZE: FALLOC_FL_KEEP_SIZE, PUNCH_HOLE: FALLOC_FL_PUNCH_HOLE, ZERO_RANGE: 16 } as const;
/** OFFSET_MAX: to the end of the file, wherever that is. */
const MOST_OFFSET = 0x7fffffffffffffffn;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Open files, their bytes and the mappings of them. */
export const dataHandlers: Handlers = {
  OPEN: ({ args }, { header, session }) => {
    const inode = session.inode(header.nodeid);
    const { content } = inode;
    if (content === undefined) throw new FuseError(inode.isDirectory ? 'EISDIR' : 'EINVAL');
    if ((args.flags & constants.O_TRUNC) !== 0) {
      content.resize(0);
      inode.modified();
      if ((args.open_flags & FUSE_OPEN_KILL_SUIDGID) !== 0) killPrivileges(inode);
      dropCapability(inode);
    }
    return { open: { fh: session.open(inode, args.flags), open_flags: session.options.openFlags, backing_id: 0 } };
  },
  RELEASE: ({ args }, { session }) => {
    if ((args.release_flags & FUSE_RELEASE_FLOCK_UNLOCK) !== 0) session.handle(args.fh).inode.locks.unlock('flock', { owner: session.ownerOf(args.lock_owner), start: 0n, end: MOST_OFFSET });
    session.close(args.fh);
    return {};
  },
  // close(2) gives up the process's record locks, whichever descriptor they were taken by (fcntl(2)).
  FLUSH: ({ args }, { session }) => {
    session.handle(args.fh).inode.locks.unlock('posix', { owner: session.ownerOf(args.lock_owner), start: 0n, end: MOST_OFFSET });
    return {};
  },
  FSYNC: () => ({}), // every byte is where it will be as soon as it is written
  READ: ({ args }, call) => {
    const { inode } = call.session.handle(args.fh);
    const pieces = call.reserve(args.size);
    inode.accessed();
    const count = contentOf(inode).readInto(pieces, args.offset);
    return { data: firstBytes(pieces, count) };
  },
  WRITE: ({ args, data }, call) => {
    const handle = call.session.handle(args.fh);
    const { inode } = handle;
    const content = contentOf(inode);
    // Another client may have appended since this one looked.
    const offset = (handle.flags & constants.O_APPEND) !== 0 ? Math.max(args.offset, content.sizeBytes) : args.offset;
    const size = content.write(firstBytes(data, args.size), offset);
    inode.modified();
    if ((args.write_flags & FUSE_WRITE_KILL_SUIDGID) !== 0) killPrivileges(inode);
    dropCapability(inode);
    return { written: { size } };
  },
  FALLOCATE: ({ args }, { header, session }) => {
    const inode = session.inode(header.nodeid);
    const content = contentOf(inode);
    const [offset, length] = [bounded(args.offset), bounded(args.length)];
    const keepSize = (args.mode & FALLOC.KEEP_SIZE) !== 0;
    switch (args.mode & ~FALLOC.KEEP_SIZE) {
      case 0:
        content.allocate(offset, length, keepSize);
        break;
      case FALLOC.PUNCH_HOLE:
        content.punch(offset, length);
        break;
      case FALLOC.ZERO_RANGE:
        content.punch(offset, length);
        content.allocate(offset, length, keepSize);
        break;
      default:
        throw new FuseError('EOPNOTSUPP');
    }
    inode.modified();
    killPrivileges(inode);
    return {};
  },
  LSEEK: ({ args }, { header, session }) => {
    const content = contentOf(session.inode(header.nodeid));
    if (args.whence !== SEEK_DATA && args.whence !== SEEK_HOLE) throw new FuseError('EINVAL');
    if (args.offset >= BigInt(content.sizeBytes)) throw new FuseError('ENXIO');
    return { result: { offset: content.seek(args.whence === SEEK_DATA ? 'data' : 'hole', Number(args.offset)) } };
  },
  COPY_FILE_RANGE: ({ args }, call) => ({ written: { size: copyRange(call, args) } }),
  COPY_FILE_RANGE_64: ({ args }, call) => ({ result: { bytes_copied: copyRange(call, args) } }),
  BMAP: () => {
    throw new FuseError('ENOSYS');
  },
  SETUPMAPPING: async ({ args }, { header, session, window }) => {
    if (window === undefined) throw new FuseError('ENOSYS');
    const inode = session.inode(header.nodeid);
    await window.map({
      inode,
      content: contentOf(inode),
      moffsetBytes: args.moffset,
      fileOffsetBytes: args.foffset,
      lengthBytes: args.len,
      writable: (args.flags & FUSE_SETUPMAPPING_FLAG_WRITE) !== 0n,
    });
    return {};
  },
  REMOVEMAPPING: async ({ args, ranges }, { window }) => {
    if (window === undefined) throw new FuseError('ENOSYS');
    if (ranges.length !== args.count) throw new FuseError('EINVAL');
    await window.remove(ranges.map(({ moffset, len }) => ({ moffsetBytes: moffset, lengthBytes: len })));
    return {};
  },
};

const COPY_STEP_BYTES = 1024 * 1024;

function copyRange({ header, session }: Call, args: { readonly nodeid_out: number; readonly off_in: number; readonly off_out: number; readonly len: bigint }): number {
  const [from, into] = [contentOf(session.inode(header.nodeid)), session.inode(args.nodeid_out)];
  const target = contentOf(into);
  // 32 bits are what the reply of COPY_FILE_RANGE can carry; a short copy is allowed.
  const wanted = Math.min(Number(args.len), 0x7ffff000, Math.max(0, from.sizeBytes - args.off_in));
  for (let done = 0; done < wanted; ) {
    const bytes = from.read(args.off_in + done, Math.min(COPY_STEP_BYTES, wanted - done));
    done += target.write([bytes], args.off_out + done);
  }
  if (wanted > 0) {
    into.modified();
    killPrivileges(into);
    dropCapability(into);
  }
  return wanted;
}

function contentOf(inode: Inode): Content {
  if (inode.content === undefined) throw new FuseError(inode.isDirectory ? 'EISDIR' : 'EINVAL');
  return inode.content;
}

function bounded(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FuseError('EFBIG');
  return Number(value);
}

function firstBytes(pieces: readonly Buffer[], count: number): Buffer[] {
  const kept: Buffer[] = [];
  let left = count;
  for (const piece of pieces) {
    if (left <= 0) break;
    kept.push(piece.length <= left ? piece : piece.subarray(0, left));
    left -= piece.length;
  }
  return kept;
}
