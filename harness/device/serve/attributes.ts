// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';
import { FATTR, FUSE_SETXATTR_ACL_KILL_SGID } from '../fuse/flags.ts';
import { fuse_getxattr_out, type SetattrIn } from '../fuse/structs.ts';
import { ACL_ACCESS, chmodAcl } from '../store/acl.ts';
import { now, S_ISGID, S_ISUID, S_IXGRP, type Inode } from '../store/inode.ts';
import type { Handlers } from './call.ts';

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const CAPABILITY = 'security.capability';
const XATTR_SIZE_MAX = 65_536;
const BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

/** Attributes, permissions and extended attributes. */
export const attributeHandlers: Handlers = {
  GETATTR: (_, { header, session }) => ({ attr: session.attrOut(session.inode(header.nodeid)) }),
  SETATTR: ({ args }, { header, session }) => {
    const inode = session.inode(header.nodeid);
    setAttributes(inode, args);
    return { attr: session.attrOut(inode) };
  },
  STATX: (_, { header, session }) => {
    const inode = session.inode(header.nodeid);
    const { attr, attr_valid, attr_valid_nsec } = session.attrOut(inode);
    const time = ({ seconds, nanoseconds }: { seconds: number; nanoseconds: number }) => ({ tv_sec: seconds, tv_nsec: nanoseconds });
    return {
      statx: {
        attr_valid,
        attr_valid_nsec,
        flags: 0,
        stat: {
          ...attr,
          mask: BASIC_STATS | STATX_BTIME,
          attributes: 0n,
          attributes_mask: 0n,
          atime: time(inode.atime),
          btime: time(inode.btime),
          ctime: time(inode.ctime),
          mtime: time(inode.mtime),
          rdev_major: (inode.rdev >> 8) & 0xfff,
          rdev_minor: inode.rdev & 0xff,
          dev_major: 0,
          dev_minor: 0,
        },
      },
    };
  },
  ACCESS: () => ({}),
  SETXATTR: ({ args, rest }, { header, session }) => {
    // With SETXATTR_EXT eight more bytes stand between the sizes and the name.
    const extended = session.agreed.has('SETXATTR_EXT');
    const flags = extended ? rest.readUInt32LE(0) : 0;
    const tail = rest.subarray(extended ? 8 : 0);
    const end = tail.indexOf(0);
    const name = tail.toString('latin1', 0, end);
    const value = Buffer.from(tail.subarray(end + 1, end + 1 + args.size));
    if (end < 0 || value.length !== args.size) throw new FuseError('EINVAL');
    if (value.length > XATTR_SIZE_MAX) throw new FuseError('E2BIG');
    const inode = session.inode(header.nodeid);
    session.store.setXattr(inode, name, value, args.flags === XATTR_CREATE ? 'create' : args.flags === XATTR_REPLACE ? 'replace' : undefined);
    if ((flags & FUSE_SETXATTR_ACL_KILL_SGID) !== 0) inode.mode &= ~S_ISGID;
    return {};
  },
  GETXATTR: ({ args, name }, { header, session }) => {
    const value = session.inode(header.nodeid).xattrs.get(name);
    if (value === undefined) throw new FuseError('ENODATA');
    return { value: sized(value, args.size) };
  },
  LISTXATTR: ({ args }, { header, session }) => {
    const names = [...session.inode(header.nodeid).xattrs.keys()].map((name) => `${name}\0`).join('');
    return { names: sized(Buffer.from(names, 'latin1'), args.size) };
  },
  REMOVEXATTR: ({ name }, { header, session }) => {
    session.store.removeXattr(session.inode(header.nodeid), name);
    return {};
  },
};

/** A size of 0 asks how much there is. */
function sized(value: Buffer, size: number): Buffer {
  if (size === 0) return fuse_getxattr_out.encode({ size: value.length });
  if (value.length > size) throw new FuseError('ERANGE');
  return value;
}

/** What writing, truncating and changing the owner take away (FUSE_HANDLE_KILLPRIV_V2). */
export function killPrivileges(inode: Inode): void {
  inode.mode &= ~S_ISUID;
  if ((inode.mode & S_IXGRP) !== 0) inode.mode &= ~S_ISGID;
}

/** File capabilities never outlive a change of the content or the owner. */
export function dropCapability(inode: Inode): void {
  inode.xattrs.delete(CAPABILITY);
}

function setAttributes(inode: Inode, args: SetattrIn): void {
  const { valid } = args;
  const has = (bit: number) => (valid & bit) !== 0;
  if (has(FATTR.SIZE)) {
    if (inode.content === undefined) throw new FuseError('EISDIR');
    if (args.size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FuseError('EFBIG');
    inode.content.resize(Number(args.size));
    inode.modified();
    dropCapability(inode);
  }
  if (has(FATTR.UID)) inode.uid = args.uid;
  if (has(FATTR.GID)) inode.gid = args.gid;
  if (has(FATTR.UID) || has(FATTR.GID)) {
    if (!inode.isDirectory) killPrivileges(inode);
    dropCapability(inode);
  } else if (has(FATTR.KILL_SUIDGID)) killPrivileges(inode);
  if (has(FATTR.MODE)) {
    inode.mode = (inode.mode & ~0o7777) | (args.mode & 0o7777);
    const acl = inode.xattrs.get(ACL_ACCESS);
    if (acl !== undefined) inode.xattrs.set(ACL_ACCESS, chmodAcl(acl, args.mode));
  }
  if (has(FATTR.ATIME)) inode.atime = has(FATTR.ATIME_NOW) ? now() : { seconds: args.atime, nanoseconds: args.atimensec };
  if (has(FATTR.MTIME)) inode.mtime = has(FATTR.MTIME_NOW) ? now() : { seconds: args.mtime, nanoseconds: args.mtimensec };
  if (has(FATTR.CTIME)) inode.ctime = { seconds: args.ctime, nanoseconds: args.ctimensec };
  else inode.changed();
}
