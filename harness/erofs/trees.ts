// SPDX-License-Identifier: GPL-2.0-only
import { seededBytes } from './content.ts';
import { file, type Entry, type Tree } from './tree.ts';

const MIB = 1024 * 1024;
const SMALL_FILES = 200;
const MANY_FILES = 10_000;
const DEPTH = 24;
/** Sizes around what is stored inline, in one block, and in several. */
const SMALL_SIZES = [0, 1, 31, 500, 4095, 4096, 4097, 8192, 9000];

const directory = (path: string, mode = 0o755): Entry => ({ type: 'directory', path, mode });
/** @param none what entries that are about nobody in particular have for an id: the kernel reads none and writes ~0. */
const acl = (uid: number, none: number): Buffer => {
  // posix_acl_xattr: version 2, then tag, permissions and id of each entry (include/uapi/linux/posix_acl_xattr.h).
  const entries = [[0x01, 7, none], [0x02, 6, uid], [0x04, 5, none], [0x10, 7, none], [0x20, 5, none]] as const;
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * index);
    bytes.writeUInt16LE(permissions, 6 + 8 * index);
    bytes.writeUInt32LE(id, 8 + 8 * index);
  }
  return bytes;
};

/** Files that cases read by name, with their sizes in bytes. */
export const LARGE = { path: 'large', sizeBytes: 4 * MIB + 5, seed: 101 } as const;
export const SECOND = { path: 'second', sizeBytes: 2 * MIB, seed: 102 } as const;
export const HOLES = { path: 'holes', sizeBytes: 6 * MIB, seed: 103, segments: [[MIB, 4_096], [4 * MIB, MIB]] } as const;
export const PROGRAM_PATH = 'bin/busybox';

/** Everything a file system can hold, a little of each. */
export function standardTree(busybox: { readonly hostFile: string; readonly sizeBytes: number }): Tree {
  const shared = { 'user.shared': Buffer.from('the same for many'), 'user.other': Buffer.alloc(300, 0x78) };
  const deep = Array.from({ length: DEPTH }, (_, level) => `deep${'/d'.repeat(level + 1)}`);
  return [
    directory(''),
    file(LARGE.path, LARGE.sizeBytes, LARGE.seed, { mtimeSeconds: 1_000_000_000, mtimeNanoseconds: 123_456_789 }),
    file(SECOND.path, SECOND.sizeBytes, SECOND.seed),
    {
      type: 'file', path: HOLES.path, mode: 0o600, sizeBytes: HOLES.sizeBytes,
      segments: HOLES.segments.map(([offset, length]) => ({ offset, length, seed: HOLES.seed })),
    },
    { type: 'link', path: 'another-name', target: LARGE.path, mode: 0o644 },
    directory('bin'),
    { type: 'file', path: PROGRAM_PATH, mode: 0o755, sizeBytes: busybox.sizeBytes, segments: [{ offset: 0, length: busybox.sizeBytes, hostFile: busybox.hostFile, guestFile: '/bin/busybox' }] },
    directory('small'),
    ...Array.from({ length: SMALL_FILES }, (_, index) =>
      file(`small/f${index}`, SMALL_SIZES[index % SMALL_SIZES.length] ?? 0, 1_000 + index, { uid: index * 1_000, gid: index, mtimeNanoseconds: index, ...(index % 3 === 0 ? { xattrs: shared } : {}) }),
    ),
    directory('deep'),
    ...deep.map((path) => directory(path)),
    file(`${deep.at(-1) ?? ''}/bottom`, 5_000, 7),
    directory('names'),
    file('names/a b\tc', 10, 8),
    file('names/ünïcödé-名', 11, 9),
    file(`names/${'n'.repeat(255)}`, 12, 10),
    directory('special'),
    { type: 'symlink', path: 'special/short', mode: 0o777, target: '../large' },
    { type: 'symlink', path: 'special/long', mode: 0o777, target: 'x/'.repeat(2_000) },
    { type: 'symlink', path: 'special/dangling', mode: 0o777, target: 'no/where' },
    { type: 'fifo', path: 'special/fifo', mode: 0o620 },
    { type: 'character', path: 'special/null', mode: 0o666, major: 1, minor: 3 },
    { type: 'block', path: 'special/disk', mode: 0o660, uid: 0, gid: 6, major: 259, minor: 70_000 },
    file('special/setuid', 100, 11, { mode: 0o4755 }),
    file('special/none', 100, 12, { mode: 0o001 }),
    file('special/big-ids', 100, 13, { uid: 3_000_000_000, gid: 4_000_000_000 }),
    { ...directory('special/sticky', 0o1777), uid: 65_534, gid: 65_534 },
    directory('xattrs'),
    file('xattrs/many', 50, 14, {
      xattrs: { ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`user.name${index}`, Buffer.from(`value ${index}`)])), 'trusted.kept': Buffer.of(0, 1, 2, 127), 'security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') },
    }),
    file('xattrs/large', 50, 15, { xattrs: { 'user.large': Buffer.alloc(3_000, 0x6c), 'user.empty': Buffer.alloc(0) } }),
    { ...file('xattrs/acl', 50, 16), mode: 0o775, xattrs: { 'system.posix_acl_access': acl(77, 0xffff_ffff) }, storedXattrs: { 'system.posix_acl_access': acl(77, 0) } },
  ];
}

/** The sum of the bytes of a part of such a file; what lies behind its end counts nothing. */
export function sumOf(described: { readonly sizeBytes: number; readonly seed: number; readonly segments?: readonly (readonly [offset: number, length: number])[] }, offset: number, length: number): number {
  let sum = 0;
  for (const [start, size] of described.segments ?? [[0, described.sizeBytes] as const]) {
    const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + size, described.sizeBytes)];
    if (from < to) for (const byte of seededBytes(described.seed, from, to - from)) sum += byte;
  }
  return sum;
}

/** One directory of ten thousand files. */
export const manyTree = (): Tree => [
  directory(''),
  directory('all'),
  ...Array.from({ length: MANY_FILES }, (_, index) => file(`all/file-${String(index).padStart(5, '0')}`, index % 50, index + 1)),
];
export const MANY_FILES_COUNT = MANY_FILES;

/** Three layers: a base that images share, and two that lie on top of it. */
export const layerTrees = () =>
  ({
    base: [directory(''), directory('base'), file('base/common', 2 * MIB + 100, 201), file('base/second', 300_000, 202), file('replaced', 5_000, 203)],
    one: [directory(''), directory('one'), file('one/own', MIB, 211), file('replaced', 70_000, 212)],
    two: [directory(''), directory('two'), file('two/own', MIB, 221, { xattrs: { 'user.layer': Buffer.from('two') } })],
  }) satisfies Record<string, Tree>;

/** mkfs.erofs 1.8 makes a root of its own for what it merges. */
const MERGED_ROOT_MODE = 0o777;

/** What one sees of layers, the lowest first. */
export function merged(...layers: readonly Tree[]): Tree {
  const paths = new Map<string, Entry>();
  for (const layer of layers) for (const entry of layer) paths.set(entry.path, entry.path === '' ? { ...entry, mode: MERGED_ROOT_MODE } : entry);
  return [...paths.values()];
}
