// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';

/** POSIX ACLs as xattrs carry them (include/uapi/linux/posix_acl_xattr.h): a version, then tag, permissions and id. */
export const ACL_ACCESS = 'system.posix_acl_access';
export const ACL_DEFAULT = 'system.posix_acl_default';

const VERSION = 2;
const ENTRY_BYTES = 8;
const TAG = { USER_OBJ: 1, USER: 2, GROUP_OBJ: 4, GROUP: 8, MASK: 16, OTHER: 32 } as const;

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

function decode(bytes: Buffer): Entry[] {
  if (bytes.length < 4 || (bytes.length - 4) % ENTRY_BYTES !== 0 || bytes.readUInt32LE(0) !== VERSION) throw new FuseError('EINVAL');
  const entries: Entry[] = [];
  for (let at = 4; at < bytes.length; at += ENTRY_BYTES) entries.push({ tag: bytes.readUInt16LE(at), permissions: bytes.readUInt16LE(at + 2), id: bytes.readUInt32LE(at + 4) });
  return entries;
}

function encode(entries: readonly Entry[]): Buffer {
  const bytes = Buffer.alloc(4 + ENTRY_BYTES * entries.length);
  bytes.writeUInt32LE(VERSION, 0);
  for (const [index, { tag, permissions, id }] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + index * ENTRY_BYTES);
    bytes.writeUInt16LE(permissions, 6 + index * ENTRY_BYTES);
    bytes.writeUInt32LE(id, 8 + index * ENTRY_BYTES);
  }
  return bytes;
}

const of = (entries: readonly Entry[], tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions;

/**
 * The permission bits that an access ACL means (posix_acl_equiv_mode(), fs/posix_acl.c), and the ACL
 * itself unless the bits say it all.
 */
export function applyAccessAcl(bytes: Buffer, mode: number): { readonly mode: number; readonly acl: Buffer | undefined } {
  const entries = decode(bytes);
  const group = of(entries, TAG.MASK) ?? of(entries, TAG.GROUP_OBJ) ?? 0;
  const bits = ((of(entries, TAG.USER_OBJ) ?? 0) << 6) | (group << 3) | (of(entries, TAG.OTHER) ?? 0);
  const minimal = entries.every(({ tag }) => tag === TAG.USER_OBJ || tag === TAG.GROUP_OBJ || tag === TAG.OTHER);
  return { mode: (mode & ~0o777) | bits, acl: minimal ? undefined : bytes };
}

/** chmod on a file with an ACL: owner, mask (or group) and others follow (posix_acl_chmod()). */
export function chmodAcl(bytes: Buffer, mode: number): Buffer {
  const entries = decode(bytes);
  const group = of(entries, TAG.MASK) === undefined ? TAG.GROUP_OBJ : TAG.MASK;
  return encode(
    entries.map((entry) => {
      if (entry.tag === TAG.USER_OBJ) return { ...entry, permissions: (mode >> 6) & 7 };
      if (entry.tag === group) return { ...entry, permissions: (mode >> 3) & 7 };
      return entry.tag === TAG.OTHER ? { ...entry, permissions: mode & 7 } : entry;
    }),
  );
}

/** What a file made in a directory with a default ACL gets: the umask has no say (posix_acl_create()). */
export function inheritAcl(parentDefault: Buffer, mode: number): { readonly mode: number; readonly acl: Buffer | undefined } {
  const entries = decode(parentDefault);
  const group = of(entries, TAG.MASK) === undefined ? TAG.GROUP_OBJ : TAG.MASK;
  const masked = encode(
    entries.map((entry) => {
      if (entry.tag === TAG.USER_OBJ) return { ...entry, permissions: entry.permissions & (mode >> 6) & 7 };
      if (entry.tag === group) return { ...entry, permissions: entry.permissions & (mode >> 3) & 7 };
      return entry.tag === TAG.OTHER ? { ...entry, permissions: entry.permissions & mode & 7 } : entry;
    }),
  );
  return applyAccessAcl(masked, mode);
}
