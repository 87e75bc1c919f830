// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';
import { encodeDirent, direntBytes, type Dirent } from '../fuse/dirent.ts';
import { FIRST_COOKIE, S_IFDIR, S_IFLNK, S_IFREG, type Inode } from '../store/inode.ts';
import type { Creation } from '../store/store.ts';
import type { Call, Handlers } from './call.ts';

/** Directories and what is in them. */
export const nameHandlers: Handlers = {
  LOOKUP: ({ name }, { header, session }) => ({ entry: session.entry(session.store.lookup(session.inode(header.nodeid), name)) }),
  MKNOD: ({ args, name }, call) => ({ entry: make(call, name, args.mode, args.umask, { rdev: args.rdev }) }),
  MKDIR: ({ args, name }, call) => ({ entry: make(call, name, (args.mode & 0o7777) | S_IFDIR, args.umask, {}) }),
  SYMLINK: ({ name, target }, call) => ({ entry: make(call, name, S_IFLNK | 0o777, 0, { target }) }),
  READLINK: (_, { header, session }) => {
    const { target } = session.inode(header.nodeid);
    if (target === undefined) throw new FuseError('EINVAL');
    return { target };
  },
  CREATE: ({ args, name }, call) => {
    const entry = make(call, name, (args.mode & 0o7777) | S_IFREG, args.umask, {});
    return { entry, open: { fh: call.session.open(call.session.inode(entry.nodeid), args.flags), open_flags: call.session.options.openFlags, backing_id: 0 } };
  },
  TMPFILE: ({ args }, call) => {
    const { session, header } = call;
    const inode = session.store.createUnlinked(session.inode(header.nodeid), creation(call, (args.mode & 0o7777) | S_IFREG, args.umask, {}));
    return { entry: session.entry(inode), open: { fh: session.open(inode, args.flags), open_flags: session.options.openFlags, backing_id: 0 } };
  },
  UNLINK: ({ name }, { header, session }) => {
    session.store.unlink(session.inode(header.nodeid), name);
    return {};
  },
  RMDIR: ({ name }, { header, session }) => {
    session.store.rmdir(session.inode(header.nodeid), name);
    return {};
  },
  RENAME: ({ args, name, newName }, { header, session }) => {
    session.store.rename(session.inode(header.nodeid), name, session.inode(args.newdir), newName, 0);
    return {};
  },
  RENAME2: ({ args, name, newName }, { header, session }) => {
    session.store.rename(session.inode(header.nodeid), name, session.inode(args.newdir), newName, args.flags);
    return {};
  },
  LINK: ({ args, newName }, { header, session }) => {
    const inode = session.inode(args.oldnodeid);
    session.store.link(inode, session.inode(header.nodeid), newName);
    return { entry: session.entry(inode) };
  },
  OPENDIR: ({ args }, { header, session }) => {
    const inode = session.inode(header.nodeid);
    if (!inode.isDirectory) throw new FuseError('ENOTDIR');
    return { open: { fh: session.open(inode, args.flags), open_flags: 0, backing_id: 0 } };
  },
  RELEASEDIR: ({ args }, { session }) => {
    session.close(args.fh);
    return {};
  },
  FSYNCDIR: () => ({}),
  READDIR: ({ args }, call) => ({ entries: readDirectory(call, args, false) }),
  READDIRPLUS: ({ args }, call) => ({ entries: readDirectory(call, args, true) }),
};

function creation({ header, session }: Call, mode: number, umask: number, more: Partial<Creation>): Creation {
  // Without DONT_MASK the kernel has taken the umask off already.
  return { mode, umask: session.agreed.has('DONT_MASK') ? umask : 0, uid: header.uid, gid: header.gid, ...more };
}

function make(call: Call, name: string, mode: number, umask: number, more: Partial<Creation>) {
  const { session, header } = call;
  return session.entry(session.store.create(session.inode(header.nodeid), name, creation(call, mode, umask, more)));
}

function readDirectory({ session }: Call, args: { readonly fh: number; readonly offset: number; readonly size: number }, plus: boolean): Buffer {
  const handle = session.handle(args.fh);
  const directory = handle.inode;
  // From the start means rewinddir(3): what is there now counts.
  if (args.offset === 0) handle.entries = undefined;
  handle.entries ??= [...directory.entries];
  directory.accessed();
  const records: Buffer[] = [];
  let bytes = 0;
  const add = (dirent: Omit<Dirent, 'entry' | 'type'>, inode: Inode, counted: boolean): boolean => {
    if (dirent.cookie <= args.offset) return true;
    const size = direntBytes(dirent.name, plus);
    if (bytes + size > args.size) return false;
    bytes += size;
    // "." and ".." are told and not looked up: no FORGET will come for them.
    const entry = !plus ? {} : { entry: counted ? session.entry(inode) : { ...session.describe(inode), nodeid: 0 } };
    records.push(encodeDirent({ ...dirent, type: inode.mode >> 12, ...entry }));
    return true;
  };
  const parent = directory.parent ?? directory;
  const dots = [
    [directory, '.', FIRST_COOKIE - 2],
    [parent, '..', FIRST_COOKIE - 1],
  ] as const;
  for (const [inode, name, cookie] of dots) if (!add({ ino: inode.ino, cookie, name }, inode, false)) return Buffer.concat(records);
  for (const [name, { inode, cookie }] of handle.entries) {
    // Removed since: leaving it out is what POSIX allows, and no lookup may revive it.
    if (inode.nlink === 0) continue;
    if (!add({ ino: inode.ino, cookie, name }, inode, true)) break;
  }
  return Buffer.concat(records);
}
