// SPDX-License-Identifier: GPL-2.0-only
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readvSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writevSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fallocate, seek } from '../../host/libc.ts';
import { direntBytes, encodeDirent } from '../fuse/dirent.ts';
import { FuseError } from '../fuse/errno.ts';
import { FATTR, FUSE_GETATTR_FH } from '../fuse/flags.ts';
import type { Attributes, EntryOut, InHeader, SetattrIn } from '../fuse/structs.ts';
import type { Handlers } from './call.ts';
import { mountHandlers } from './mount.ts';

const ROOT = 1;
const NAME_MAX = 255;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const S_ISGID = 0o2000;
/** A path that never exists. */
const NOWHERE = '/proc/self/no-such-file';

interface Node {
  path: string;
  lookups: number;
}

interface Open {
  /** -1 for a directory. */
  readonly fd: number;
  readonly node: number;
  names: readonly string[];
}

/**
 * Serves a directory of the host, by path and without a window: for looking at the same files from both
 * sides. Device nodes, xattrs, rename flags and files without a name are not served (ENOSYS, EINVAL): Node has
 * no calls for them, and `virtiofs` serves them.
 */
export class HostDirectory {
  readonly #nodes = new Map<number, Node>();
  /** By device and inode, so that hard links are one node. */
  readonly #ids = new Map<string, number>();
  readonly #open = new Map<number, Open>();
  #next = ROOT + 1;

  constructor(private readonly root: string) {
    this.#nodes.set(ROOT, { path: realpathSync(root), lookups: 1 });
  }

  /** Closes what is open; the directory is left as it is. */
  end(): void {
    for (const { fd } of this.#open.values()) if (fd >= 0) closeSync(fd);
    this.#open.clear();
  }

  readonly handlers: Handlers = {
    ...mountHandlers,
    DESTROY: () => {
      this.end();
      return {};
    },
    FORGET: ({ args }, { header }) => {
      this.#forget(header.nodeid, args.nlookup);
      return {};
    },
    BATCH_FORGET: ({ forgets }) => {
      for (const { nodeid, nlookup } of forgets) this.#forget(nodeid, nlookup);
      return {};
    },
    STATFS: () => {
      const { blocks, bfree, bavail, files, ffree, bsize } = statfsSync(this.root);
      return { st: { blocks, bfree, bavail, files, ffree, bsize, namelen: NAME_MAX, frsize: bsize } };
    },
    LOOKUP: ({ name }, { header }) => ({ entry: this.#entry(this.#child(header.nodeid, name)) }),
    GETATTR: ({ args }, { header }) => ({
      attr: { ...VALID, attr: attributesOf((args.getattr_flags & FUSE_GETATTR_FH) === 0 ? this.#stat(header.nodeid) : fstatSync(this.#fd(args.fh), { bigint: true })) },
    }),
    SETATTR: ({ args }, { header }) => {
      // A file without a name is reached by its descriptor alone.
      if ((args.valid & FATTR.SIZE) !== 0 && (args.valid & FATTR.FH) !== 0) ftruncateSync(this.#fd(args.fh), Number(args.size));
      else setAttributes(this.#path(header.nodeid), args);
      return { attr: { ...VALID, attr: attributesOf(this.#stat(header.nodeid)) } };
    },
    READLINK: (_, { header }) => ({ target: readlinkSync(this.#path(header.nodeid), 'buffer') }),
    SYMLINK: ({ name, target }, { header }) => {
      const path = this.#child(header.nodeid, name);
      symlinkSync(Buffer.from(target, 'latin1'), path);
      return { entry: this.#made(path, header) };
    },
    MKDIR: ({ args, name }, { header }) => {
      const path = this.#child(header.nodeid, name);
      mkdirSync(path);
      chmodSync(path, args.mode & ~args.umask & 0o7777);
      return { entry: this.#made(path, header) };
    },
    CREATE: ({ args, name }, { header }) => {
      const path = this.#child(header.nodeid, name);
      const fd = openSync(path, (args.flags & OPEN_FLAGS) | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
      fchmodSync(fd, args.mode & ~args.umask & 0o7777);
      return { entry: this.#made(path, header), open: this.#handle(fd, path) };
    },
    UNLINK: ({ name }, { header }) => {
      const path = this.#child(header.nodeid, name);
      unlinkSync(path);
      this.#unname(path);
      return {};
    },
    RMDIR: ({ name }, { header }) => {
      rmdirSync(this.#child(header.nodeid, name));
      return {};
    },
    RENAME: ({ args, name, newName }, { header }) => {
      const [from, to] = [this.#child(header.nodeid, name), this.#child(args.newdir, newName)];
      renameSync(from, to);
      this.#unname(to);
      // Whatever was looked up below goes along.
      for (const node of this.#nodes.values()) if (node.path === from || node.path.startsWith(`${from}/`)) node.path = to + node.path.slice(from.length);
      return {};
    },
    LINK: ({ args, newName }, { header }) => {
      const path = this.#child(header.nodeid, newName);
      linkSync(this.#path(args.oldnodeid), path);
      return { entry: this.#entry(path) };
    },
    OPEN: ({ args }, { header }) => ({
      open: this.#handle(openSync(this.#path(header.nodeid), (args.flags & OPEN_FLAGS) | constants.O_NOFOLLOW), this.#path(header.nodeid)),
    }),
    READ: ({ args }, call) => {
      const pieces = call.reserve(args.size);
      let count = pieces.length === 0 ? 0 : readvSync(this.#fd(args.fh), pieces, args.offset);
      return {
        data: pieces.flatMap((piece) => {
          const part = piece.subarray(0, count);
          count -= part.length;
          return part.length === 0 ? [] : [part];
        }),
      };
    },
    WRITE: ({ args, data }) => ({ written: { size: data.length === 0 ? 0 : writevSync(this.#fd(args.fh), [...data], args.offset) } }),
    FLUSH: () => ({}),
    FSYNC: ({ args }) => {
      fsyncSync(this.#fd(args.fh));
      return {};
    },
    RELEASE: ({ args }) => this.#close(args.fh),
    OPENDIR: (_, { header }) => {
      if (!lstatSync(this.#path(header.nodeid)).isDirectory()) throw new FuseError('ENOTDIR');
      const fh = this.#next++;
      this.#open.set(fh, { fd: -1, node: header.nodeid, names: [] });
      return { open: { fh, open_flags: 0, backing_id: 0 } };
    },
    READDIR: ({ args }, { header }) => {
      const directory = this.#path(header.nodeid);
      const open = this.#open.get(args.fh);
      // From the start means rewinddir(3): what is there now counts.
      if (open !== undefined && args.offset === 0) open.names = ['.', '..', ...readdirSync(directory, 'latin1')];
      const records: Buffer[] = [];
      let bytes = 0;
      for (const [index, name] of (open?.names ?? []).entries()) {
        if (index < args.offset) continue;
        const stat = lstatSync(name.startsWith('.') && name.length <= 2 ? directory : join(directory, utf8(name)), { bigint: true, throwIfNoEntry: false });
        if (stat === undefined) continue;
        if ((bytes += direntBytes(name, false)) > args.size) break;
        records.push(encodeDirent({ ino: Number(stat.ino), cookie: index + 1, type: Number(stat.mode) >> 12, name }));
      }
      return { entries: Buffer.concat(records) };
    },
    RELEASEDIR: ({ args }) => this.#close(args.fh),
    FSYNCDIR: () => ({}),
    FALLOCATE: ({ args }) => {
      const [offset, length] = [Number(args.offset), Number(args.length)];
      if ((args.mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) throw new FuseError('EOPNOTSUPP');
      fallocate(this.#fd(args.fh), args.mode, offset, length);
      return {};
    },
    LSEEK: ({ args }) => {
      if (args.whence !== SEEK_DATA && args.whence !== SEEK_HOLE) throw new FuseError('EINVAL');
      const found = seek(this.#fd(args.fh), args.whence === SEEK_DATA ? 'data' : 'hole', Number(args.offset));
      if (found === undefined) throw new FuseError('ENXIO');
      return { result: { offset: found } };
    },
  };

  /** @throws FuseError ESTALE for a node that is gone, or whose way has become a symbolic link: nothing leaves the root. */
  #path(nodeid: number): string {
    const node = this.#nodes.get(nodeid);
    if (node === undefined) throw new FuseError('ESTALE');
    return node.path;
  }

  #child(nodeid: number, name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new FuseError('EINVAL');
    if (name.length > NAME_MAX) throw new FuseError('ENAMETOOLONG');
    const directory = this.#path(nodeid);
    if (realpathSync(directory) !== directory) throw new FuseError('ESTALE');
    return join(directory, utf8(name));
  }

  #entry(path: string): EntryOut {
    const stat = lstatSync(path, { bigint: true });
    const key = `${stat.dev}:${stat.ino}`;
    const nodeid = this.#ids.get(key) ?? this.#next++;
    this.#ids.set(key, nodeid);
    const node = this.#nodes.get(nodeid) ?? { path, lookups: 0 };
    node.path = path;
    node.lookups++;
    this.#nodes.set(nodeid, node);
    return { nodeid, generation: 0, entry_valid: 1, entry_valid_nsec: 0, ...VALID, attr: attributesOf(stat) };
  }

  #made(path: string, { uid, gid }: InHeader): EntryOut {
    const parent = lstatSync(join(path, '..'));
    // A set-group-ID directory hands down its group (inode(7)).
    lchownSync(path, uid, (parent.mode & S_ISGID) === 0 ? gid : parent.gid);
    return this.#entry(path);
  }

  /** By its name, or through a descriptor where it has none any more. */
  #stat(nodeid: number): BigIntStats {
    const stat = lstatSync(this.#path(nodeid), { bigint: true, throwIfNoEntry: false });
    if (stat !== undefined) return stat;
    const open = [...this.#open.values()].find(({ node, fd }) => node === nodeid && fd >= 0);
    if (open === undefined) throw new FuseError('ESTALE');
    return fstatSync(open.fd, { bigint: true });
  }

  /** The name is gone or somebody else's: a node that had it must not be taken for the other file. */
  #unname(path: string): void {
    for (const node of this.#nodes.values()) if (node.path === path) node.path = NOWHERE;
  }

  #forget(nodeid: number, count: number): void {
    const node = this.#nodes.get(nodeid);
    if (node === undefined || nodeid === ROOT) return;
    node.lookups -= count;
    if (node.lookups > 0) return;
    this.#nodes.delete(nodeid);
    for (const [key, id] of this.#ids) if (id === nodeid) this.#ids.delete(key);
  }

  #handle(fd: number, path: string): { fh: number; open_flags: number; backing_id: number } {
    const fh = this.#next++;
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#open.set(fh, { fd, node: this.#ids.get(`${dev}:${ino}`) ?? this.#entry(path).nodeid, names: [] });
    return { fh, open_flags: 0, backing_id: 0 };
  }

  #fd(fh: number): number {
    const open = this.#open.get(fh);
    if (open === undefined || open.fd < 0) throw new FuseError('EBADF');
    return open.fd;
  }

  #close(fh: number): Record<string, never> {
    const open = this.#open.get(fh);
    this.#open.delete(fh);
    if (open !== undefined && open.fd >= 0) closeSync(open.fd);
    return {};
  }
}

/** What an open may say here: append is the guest's own business, for it sends every offset. */
const OPEN_FLAGS = constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC | constants.O_EXCL;
const VALID = { attr_valid: 1, attr_valid_nsec: 0 };

const utf8 = (name: string): string => Buffer.from(name, 'latin1').toString();

function attributesOf(stat: BigIntStats): Attributes {
  const time = (nanoseconds: bigint): [number, number] => [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)];
  const [[atime, atimensec], [mtime, mtimensec], [ctime, ctimensec]] = [time(stat.atimeNs), time(stat.mtimeNs), time(stat.ctimeNs)];
  return {
    ino: Number(stat.ino),
    size: Number(stat.size),
    blocks: Number(stat.blocks),
    atime,
    mtime,
    ctime,
    atimensec,
    mtimensec,
    ctimensec,
    mode: Number(stat.mode),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    rdev: Number(stat.rdev),
    blksize: Number(stat.blksize),
    flags: 0,
  };
}

function setAttributes(path: string, args: SetattrIn): void {
  const has = (bit: number) => (args.valid & bit) !== 0;
  // truncate(2) and chmod(2) follow links, and a guest may have put one here that points anywhere.
  if ((has(FATTR.SIZE) || has(FATTR.MODE)) && lstatSync(path).isSymbolicLink()) throw new FuseError('EOPNOTSUPP');
  if (has(FATTR.SIZE)) truncateSync(path, Number(args.size));
  if (has(FATTR.UID) || has(FATTR.GID)) {
    const { uid, gid } = lstatSync(path);
    lchownSync(path, has(FATTR.UID) ? args.uid : uid, has(FATTR.GID) ? args.gid : gid);
  }
  if (has(FATTR.MODE)) chmodSync(path, args.mode & 0o7777);
  if (has(FATTR.ATIME) || has(FATTR.MTIME)) {
    const stat = lstatSync(path);
    const now = Date.now() / 1_000;
    const at = (wanted: boolean, isNow: boolean, seconds: number, nanoseconds: number, old: number) => (!wanted ? old / 1_000 : isNow ? now : seconds + nanoseconds / 1e9);
    lutimesSync(path, at(has(FATTR.ATIME), has(FATTR.ATIME_NOW), args.atime, args.atimensec, stat.atimeMs), at(has(FATTR.MTIME), has(FATTR.MTIME_NOW), args.mtime, args.mtimensec, stat.mtimeMs));
  }
}
