// SPDX-License-Identifier: GPL-2.0-only
import { fuse_dirent, fuse_entry_out, type EntryOut } from './structs.ts';
import { WireError, type Value } from './wire.ts';

export interface Dirent {
  readonly ino: number;
  /** What a later READDIR continues after. */
  readonly cookie: number;
  /** DT_ of readdir(3): the upper four bits of st_mode. */
  readonly type: number;
  /** latin1: a character is a byte. */
  readonly name: string;
  /** READDIRPLUS only. */
  readonly entry?: EntryOut;
}

const align = (bytes: number): number => (bytes + 7) & ~7;

export const direntBytes = (name: string, plus: boolean): number => (plus ? fuse_entry_out.bytes : 0) + align(fuse_dirent.bytes + name.length);

/** One record of a READDIR or READDIRPLUS reply (fuse_dirent, fuse_direntplus). */
export function encodeDirent(dirent: Dirent): Buffer {
  const plus = dirent.entry !== undefined;
  const bytes = Buffer.alloc(direntBytes(dirent.name, plus));
  if (dirent.entry !== undefined) fuse_entry_out.write(bytes, 0, dirent.entry);
  const at = plus ? fuse_entry_out.bytes : 0;
  fuse_dirent.write(bytes, at, { ino: dirent.ino, off: dirent.cookie, namelen: dirent.name.length, type: dirent.type });
  bytes.write(dirent.name, at + fuse_dirent.bytes, 'latin1');
  return bytes;
}

/** @throws WireError when a record is cut short. */
export function decodeDirents(bytes: Buffer, plus: boolean): Dirent[] {
  const dirents: Dirent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at + (plus ? fuse_entry_out.bytes : 0);
    if (start + fuse_dirent.bytes > bytes.length) throw new WireError('a directory entry is cut short');
    const head: Value<typeof fuse_dirent> = fuse_dirent.read(bytes, start);
    const name = bytes.toString('latin1', start + fuse_dirent.bytes, start + fuse_dirent.bytes + head.namelen);
    if (name.length < head.namelen) throw new WireError('the name of a directory entry is cut short');
    dirents.push({ ino: head.ino, cookie: head.off, type: head.type, name, ...(plus ? { entry: fuse_entry_out.read(bytes, at) } : {}) });
    at += direntBytes(name, plus);
  }
  return dirents;
}
