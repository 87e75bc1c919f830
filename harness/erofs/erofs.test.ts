// SPDX-License-Identifier: GPL-2.0-only
import { extract } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, seededBytes } from './content.ts';
import { chunkIndexOf, deviceTags, SUPER_FIELDS, SUPER_OFFSET } from './super-block.ts';
import { contentOf, file, manifestOf, tarOf, type Tree } from './tree.ts';
import { HOLES, layerTrees, LARGE, merged, sumOf } from './trees.ts';

describe('seeded content', () => {
  it('is the same whatever part of it is asked for', () => {
    const whole = seededBytes(7, 0, 3 * BLOCK_BYTES);
    expect(seededBytes(7, BLOCK_BYTES - 5, 11)).toEqual(whole.subarray(BLOCK_BYTES - 5, BLOCK_BYTES + 6));
    expect(seededBytes(8, 0, 64)).not.toEqual(whole.subarray(0, 64));
  });

  it('is the generator that tree-compare has', () => {
    // Block 0 of seed 1 begins with one step from 0x9e3779b1 ^ 0x85ebca6b = 0x1bdcb3da.
    const step = (BigInt(0x1bdcb3da) * 1_664_525n + 1_013_904_223n) & 0xffff_ffffn;
    expect(BigInt(seededBytes(1, 0, 4).readUInt32LE())).toBe(step);
  });

  it('adds up by segments; holes and what lies behind the end count nothing', () => {
    const sum = (bytes: Buffer) => bytes.reduce((total, byte) => total + byte, 0);
    expect(sumOf(LARGE, LARGE.sizeBytes - 3, 100)).toBe(sum(seededBytes(LARGE.seed, LARGE.sizeBytes - 3, 3)));
    const [start] = HOLES.segments[0];
    expect(sumOf(HOLES, start - 4_096, 8_192)).toBe(sum(seededBytes(HOLES.seed, start, 4_096)));
    expect(sumOf(HOLES, 0, start)).toBe(0);
  });
});

const TREE: Tree = [
  { type: 'directory', path: '', mode: 0o755 },
  file('a b', 10, 3, { uid: 3_000_000_000, mtimeNanoseconds: 5, xattrs: { 'user.x': Buffer.from('yes') } }),
  { type: 'file', path: 'holes', mode: 0o600, sizeBytes: 9_000, segments: [{ offset: 4_096, length: 10, seed: 4 }] },
  { type: 'link', path: 'other', target: 'a b', mode: 0o644 },
  { type: 'symlink', path: 'link', mode: 0o777, target: 'a b' },
  { type: 'character', path: 'null', mode: 0o666, major: 1, minor: 3 },
];

describe('a described tree', () => {
  it('becomes a tar archive with owners, parts of seconds, xattrs, links, devices and content', async () => {
    const found = new Map<string, { readonly header: Record<string, unknown>; readonly content: Buffer }>();
    const reading = extract();
    tarOf(TREE).pipe(reading);
    for await (const entry of reading) {
      const pieces: Buffer[] = [];
      for await (const piece of entry) pieces.push(piece as Buffer);
      found.set(entry.header.name, { header: { ...entry.header }, content: Buffer.concat(pieces) });
    }
    expect([...found.keys()]).toEqual(['./', './a b', './holes', './other', './link', './null']);
    expect(found.get('./a b')?.header).toMatchObject({ mode: 0o644, pax: { uid: '3000000000', mtime: '1700000000.000000005', 'SCHILY.xattr.user.x': 'yes' } });
    expect(found.get('./a b')?.content).toEqual(seededBytes(3, 0, 10));
    expect(found.get('./holes')?.content.subarray(4_096, 4_106)).toEqual(seededBytes(4, 4_096, 10));
    expect(found.get('./other')?.header).toMatchObject({ type: 'link', linkname: './a b' });
    expect(found.get('./null')?.header).toMatchObject({ type: 'character-device', devmajor: 1, devminor: 3 });
  });

  it('refuses an xattr that the archive can not hold', async () => {
    const archive = tarOf([file('f', 0, 1, { xattrs: { 'user.x': Buffer.of(0xff) } })]);
    await expect(new Promise((resolve, reject) => archive.on('error', reject).on('data', () => undefined).on('end', () => { resolve(undefined); }))).rejects.toThrow(/beyond ASCII/);
  });

  it('becomes a manifest: names encoded, links counted', () => {
    expect(manifestOf(TREE).split('\n').slice(0, 4)).toEqual([
      'e - d 493 0 0 1700000000 0 0 0 0 0 - 0 0',
      'e a%20b f 420 3000000000 0 1700000000 5 2 10 0 0 - 1 1',
      'x user.x 796573',
      's 0 10 3',
    ]);
    expect(() => manifestOf([{ type: 'link', path: 'l', target: 'none', mode: 0 }])).toThrow(/links to nothing/);
  });

  it('has the content of its segments, and zeros elsewhere', async () => {
    const [, , holes] = TREE;
    if (holes?.type !== 'file') throw new Error('the tree has changed');
    const content = await contentOf(holes);
    expect(content.length).toBe(9_000);
    expect(content.subarray(0, 4_096).every((byte) => byte === 0)).toBe(true);
  });

  it('of layers: the upper hides the lower', () => {
    const { base, one } = layerTrees();
    const seen = merged(base, one).find(({ path }) => path === 'replaced');
    expect(seen).toMatchObject({ sizeBytes: 70_000 });
  });
});

describe('the super block', () => {
  it('names its devices', () => {
    const image = Buffer.alloc(4_096);
    image.writeUInt32LE(0xe0f5_e1e2, SUPER_OFFSET);
    image.writeUInt16LE(2, SUPER_FIELDS.extra_devices.offset);
    image.writeUInt16LE(16, SUPER_FIELDS.devt_slotoff.offset);
    image.write('first', 16 * 128);
    image.write('second', 17 * 128);
    expect(deviceTags(image)).toEqual(['first', 'second']);
    expect(() => deviceTags(Buffer.alloc(4_096))).toThrow(/no EROFS image/);
  });

  it('leads to a chunk index, and to nothing for another kind of file', () => {
    const image = Buffer.alloc(8_192);
    image.writeUInt8(12, SUPER_FIELDS.blkszbits.offset);
    image.writeUInt16LE(64, SUPER_FIELDS.root_nid.offset);
    const [root, body] = [64 * 32, 64 * 32 + 32];
    image.writeUInt16LE(2 << 1, root); // a compact inode, its data behind it
    image.writeUInt32LE(40, root + 8);
    image.writeBigUInt64LE(64n, body);
    image.writeUInt16LE(24, body + 8);
    image.writeBigUInt64LE(80n, body + 12);
    image.writeUInt16LE(25, body + 20);
    image.write('.file', body + 24);
    image.writeUInt16LE((4 << 1) | 1, 80 * 32); // an extended inode of chunks
    expect(chunkIndexOf(image, 'file')).toBe(80 * 32 + 64);
    expect(() => chunkIndexOf(image, '.')).toThrow(/no chunk-based file/);
    expect(() => chunkIndexOf(image, 'none')).toThrow(/no chunk-based file/);
  });
});
