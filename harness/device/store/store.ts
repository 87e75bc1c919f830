// SPDX-License-Identifier: GPL-2.0-only
import type { Scope } from '../../host/scope.ts';
import { FuseError } from '../fuse/errno.ts';
import { RENAME } from '../fuse/flags.ts';
import { ACL_ACCESS, ACL_DEFAULT, applyAccessAcl, inheritAcl } from './acl.ts';
import type { Content } from './content.ts';
import { Inode, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID } from './inode.ts';

const NAME_MAX = 255;
const ROOT_INO = 1;
/** ext4's; something has to give EMLINK. */
const LINK_MAX = 65_000;

export interface Creation {
  readonly mode: number;
  readonly umask: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly target?: string;
}

/**
 * A POSIX file system in memory, whose files are memfds: guests map them, the host reads and writes them.
 * It checks no permissions (the guests' kernels do: virtio-fs always has default_permissions) and keeps
 * everything else that a local file system keeps. Names are latin1 strings: a character is a byte.
 * @throws FuseError from every operation that a file system may refuse.
 */
export class Store {
  readonly root: Inode;
  readonly #inodes = new Map<number, Inode>();
  #nextIno = ROOT_INO;

  private constructor() {
    this.root = this.#make(S_IFDIR | 0o755);
    this.root.nlink = 2;
    this.root.parent = this.root;
  }

  static async open(scope: Scope): Promise<Store> {
    const store = new Store();
    await scope.defer(() => {
      for (const inode of store.#inodes.values()) inode.content?.close();
      store.#inodes.clear();
    });
    return store;
  }

  /** @throws FuseError ESTALE for a node that is gone. */
  inode(ino: number): Inode {
    const inode = this.#inodes.get(ino);
    if (inode === undefined) throw new FuseError('ESTALE');
    return inode;
  }

  inodes(): IterableIterator<Inode> {
    return this.#inodes.values();
  }

  lookup(directory: Inode, name: string): Inode {
    if (!directory.isDirectory) throw new FuseError('ENOTDIR');
    if (name.length > NAME_MAX) throw new FuseError('ENAMETOOLONG');
    if (name === '.') return directory;
    if (name === '..') return directory.parent ?? directory;
    const entry = directory.entries.get(name);
    if (entry === undefined) throw new FuseError('ENOENT');
    return entry.inode;
  }

  create(directory: Inode, name: string, creation: Creation): Inode {
    this.#writable(directory, name);
    if (directory.entries.has(name)) throw new FuseError('EEXIST');
    const inode = this.createUnlinked(directory, creation);
    this.#enter(directory, name, inode);
    inode.nlink = inode.isDirectory ? 2 : 1;
    if (inode.isDirectory) {
      inode.parent = directory;
      directory.nlink++;
    }
    directory.modified();
    return inode;
  }

  /** O_TMPFILE: an inode without a name, which lives while it is referenced or until it is linked. */
  createUnlinked(directory: Inode, creation: Creation): Inode {
    const kind = (creation.mode & S_IFMT) === 0 ? S_IFREG : creation.mode & S_IFMT;
    const inherited = kind === S_IFLNK ? undefined : directory.xattrs.get(ACL_DEFAULT);
    const asked = creation.mode & 0o7777;
    const { mode, acl } = inherited === undefined ? { mode: kind === S_IFLNK ? 0o777 : asked & ~creation.umask, acl: undefined } : inheritAcl(inherited, asked);
    const inode = this.#make(kind | mode);
    inode.uid = creation.uid;
    inode.gid = creation.gid;
    inode.rdev = creation.rdev ?? 0;
    if (creation.target !== undefined) inode.target = Buffer.from(creation.target, 'latin1');
    if (acl !== undefined) inode.xattrs.set(ACL_ACCESS, acl);
    if (inherited !== undefined && kind === S_IFDIR) inode.xattrs.set(ACL_DEFAULT, inherited);
    // A set-group-ID directory hands down its group, and the bit to directories (inode(7)).
    if ((directory.mode & S_ISGID) !== 0) {
      inode.gid = directory.gid;
      if (kind === S_IFDIR) inode.mode |= S_ISGID;
    }
    return inode;
  }

  link(inode: Inode, directory: Inode, name: string): void {
    this.#writable(directory, name);
    if (inode.isDirectory) throw new FuseError('EPERM');
    if (directory.entries.has(name)) throw new FuseError('EEXIST');
    if (inode.nlink >= LINK_MAX) throw new FuseError('EMLINK');
    this.#enter(directory, name, inode);
    inode.nlink++;
    inode.changed();
    directory.modified();
  }

  unlink(directory: Inode, name: string): void {
    const inode = this.lookup(directory, name);
    if (inode.isDirectory) throw new FuseError('EISDIR');
    directory.entries.delete(name);
    directory.modified();
    this.#dropLink(inode);
  }

  rmdir(directory: Inode, name: string): void {
    const inode = this.lookup(directory, name);
    if (!inode.isDirectory) throw new FuseError('ENOTDIR');
    if (inode.entries.size > 0) throw new FuseError('ENOTEMPTY');
    directory.entries.delete(name);
    directory.nlink--;
    directory.modified();
    inode.nlink = 0;
    inode.changed();
    this.release(inode, 0);
  }

  /** rename(2) with the flags of renameat2(2). */
  rename(from: Inode, name: string, to: Inode, newName: string, flags: number): void {
    const inode = this.lookup(from, name);
    this.#writable(to, newName);
    const target = to.entries.get(newName)?.inode;
    if (target !== undefined && (flags & RENAME.NOREPLACE) !== 0) throw new FuseError('EEXIST');
    if (isWithin(to, inode) || (target !== undefined && (flags & RENAME.EXCHANGE) !== 0 && isWithin(from, target))) throw new FuseError('EINVAL');
    if ((flags & RENAME.EXCHANGE) !== 0) {
      if (target === undefined) throw new FuseError('ENOENT');
      if (target !== inode) this.#exchange(from, name, inode, to, newName, target);
      return;
    }
    if (target === inode) return;
    if (target !== undefined) this.#displace(to, newName, inode, target);
    from.entries.delete(name);
    this.#enter(to, newName, inode);
    if (inode.isDirectory && from !== to) this.#move(inode, from, to);
    if ((flags & RENAME.WHITEOUT) !== 0) {
      const whiteout = this.#make(S_IFCHR);
      whiteout.nlink = 1;
      this.#enter(from, name, whiteout);
    }
    inode.changed();
    from.modified();
    to.modified();
  }

  /** setxattr(2); an access ACL becomes permission bits as far as they can say it. */
  setXattr(inode: Inode, name: string, value: Buffer, only?: 'create' | 'replace'): void {
    const there = inode.xattrs.has(name);
    if (only === 'create' && there) throw new FuseError('EEXIST');
    if (only === 'replace' && !there) throw new FuseError('ENODATA');
    if (name === ACL_ACCESS) {
      const { mode, acl } = applyAccessAcl(value, inode.mode);
      inode.mode = mode;
      if (acl === undefined) inode.xattrs.delete(name);
      else inode.xattrs.set(name, acl);
    } else inode.xattrs.set(name, value);
    inode.changed();
  }

  removeXattr(inode: Inode, name: string): void {
    if (!inode.xattrs.delete(name)) throw new FuseError('ENODATA');
    inode.changed();
  }

  /** Takes references back; an inode that nobody names and nobody uses is gone. */
  release(inode: Inode, references: number): void {
    inode.references -= references;
    if (inode.nlink > 0 || inode.references > 0 || inode.ino === ROOT_INO) return;
    if (this.#inodes.delete(inode.ino)) inode.content?.close();
  }

  /** By a path from the root, for the host's side. */
  find(path: string): Inode {
    return namesOf(path).reduce((directory, name) => this.lookup(directory, name), this.root);
  }

  /** A regular file's bytes, for the host's side. */
  content(path: string): Content {
    const { content } = this.find(path);
    if (content === undefined) throw new FuseError('EINVAL');
    return content;
  }

  /** Makes or replaces a regular file, for the host's side; missing directories are made. */
  writeFile(path: string, bytes: Buffer): Inode {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) throw new FuseError('EISDIR');
    const directory = names.reduce(
      (parent, part) => parent.entries.get(part)?.inode ?? this.create(parent, part, { mode: S_IFDIR | 0o755, umask: 0, uid: 0, gid: 0 }),
      this.root,
    );
    const inode = directory.entries.get(name)?.inode ?? this.create(directory, name, { mode: S_IFREG | 0o644, umask: 0, uid: 0, gid: 0 });
    inode.content?.resize(0);
    inode.content?.write([bytes], 0);
    inode.modified();
    return inode;
  }

  #make(mode: number): Inode {
    const inode = new Inode(this.#nextIno++, mode);
    this.#inodes.set(inode.ino, inode);
    return inode;
  }

  #writable(directory: Inode, name: string): void {
    if (!directory.isDirectory) throw new FuseError('ENOTDIR');
    if (directory.nlink === 0) throw new FuseError('ENOENT');
    if (name.length > NAME_MAX) throw new FuseError('ENAMETOOLONG');
    // No kernel sends these; a guest is not trusted to be one.
    if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new FuseError('EINVAL');
  }

  #enter(directory: Inode, name: string, inode: Inode): void {
    directory.entries.set(name, { inode, cookie: directory.nextCookie++ });
    inode.hint = { parent: directory, name };
  }

  #dropLink(inode: Inode): void {
    inode.nlink--;
    inode.changed();
    this.release(inode, 0);
  }

  #displace(directory: Inode, name: string, by: Inode, target: Inode): void {
    if (by.isDirectory && !target.isDirectory) throw new FuseError('ENOTDIR');
    if (!by.isDirectory && target.isDirectory) throw new FuseError('EISDIR');
    if (target.entries.size > 0) throw new FuseError('ENOTEMPTY');
    directory.entries.delete(name);
    if (target.isDirectory) {
      directory.nlink--;
      target.nlink = 1;
    }
    this.#dropLink(target);
  }

  #exchange(from: Inode, name: string, inode: Inode, to: Inode, newName: string, target: Inode): void {
    from.entries.delete(name);
    to.entries.delete(newName);
    this.#enter(to, newName, inode);
    this.#enter(from, name, target);
    if (from !== to) {
      if (inode.isDirectory) this.#move(inode, from, to);
      if (target.isDirectory) this.#move(target, to, from);
    }
    for (const one of [inode, target]) one.changed();
    for (const one of [from, to]) one.modified();
  }

  #move(directory: Inode, from: Inode, to: Inode): void {
    directory.parent = to;
    from.nlink--;
    to.nlink++;
  }
}

const namesOf = (path: string): string[] => Buffer.from(path).toString('latin1').split('/').filter(Boolean);

/** Whether `inode` is `ancestor` or below it. */
function isWithin(inode: Inode, ancestor: Inode): boolean {
  for (let at: Inode | undefined = inode; at !== undefined; at = at.ino === ROOT_INO ? undefined : at.parent) if (at === ancestor) return true;
  return false;
}
