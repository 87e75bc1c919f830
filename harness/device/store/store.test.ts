// SPDX-License-Identifier: GPL-2.0-only
import { writeSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../host/scope.ts';
import { FuseError } from '../fuse/errno.ts';
import { RENAME } from '../fuse/flags.ts';
import { ACL_ACCESS, ACL_DEFAULT } from './acl.ts';
import { RANGE_BYTES } from './content.ts';
import { S_IFDIR, S_IFREG } from './inode.ts';
import { Store } from './store.ts';

const file = { mode: S_IFREG | 0o644, umask: 0, uid: 1, gid: 1 };
const directory = { mode: S_IFDIR | 0o755, umask: 0, uid: 1, gid: 1 };

const inStore = (work: (store: Store) => void): Promise<void> =>
  Scope.run(async (scope) => {
    work(await Store.open(scope));
  });
const errno = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof FuseError) return error.errno;
    throw error;
  }
  return 'no error';
};

describe('content', () => {
  it('is what a plain buffer would be, after any writes, truncations and holes', () =>
    inStore((store) => {
      const most = 3 * 4096;
      const step = fc.record({ kind: fc.constantFrom('write', 'resize', 'punch'), at: fc.nat({ max: most }), length: fc.integer({ min: 1, max: 5_000 }), byte: fc.integer({ min: 1, max: 255 }) });
      let name = 0;
      fc.assert(
        fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
          const { content } = store.create(store.root, `f${name++}`, file);
          if (content === undefined) throw new Error('no content');
          let model = Buffer.alloc(0);
          const grown = (size: number) => Buffer.concat([model, Buffer.alloc(Math.max(0, size - model.length))]);
          for (const { kind, at, length, byte } of steps) {
            if (kind === 'write') {
              content.write([Buffer.alloc(length - (length >> 1), byte), Buffer.alloc(length >> 1, byte)], at);
              model = grown(at + length).fill(byte, at, at + length);
            } else if (kind === 'resize') {
              content.resize(at);
              model = Buffer.from(grown(at).subarray(0, at));
            } else {
              content.punch(at, length);
              model.fill(0, at, Math.min(model.length, at + length));
            }
          }
          expect(content.read(0, most * 2).equals(model)).toBe(true);
          expect(content.sizeBytes).toBe(model.length);
          expect(content.paddedBytes % RANGE_BYTES).toBe(0);
        }),
        { numRuns: 60 },
      );
    }));

  it('bytes that were put past the end through a mapping never surface', () =>
    inStore((store) => {
      const { content } = store.create(store.root, 'f', file);
      content?.write([Buffer.from('abc')], 0);
      // What a guest's store behind the end of its file does to the memfd.
      const { fd } = content ?? { fd: -1 };
      writeAt(fd, Buffer.from('xyz'), 3);
      content?.resize(10);
      expect(content?.read(0, 20)).toEqual(Buffer.from('abc\0\0\0\0\0\0\0'));
      writeAt(fd, Buffer.from('xyz'), 10);
      content?.write([Buffer.from('end')], 20);
      expect(content?.read(10, 13)).toEqual(Buffer.from('\0\0\0\0\0\0\0\0\0\0end'));
    }));

  it('knows data from holes, and refuses sizes that no file has', () =>
    inStore((store) => {
      const { content } = store.create(store.root, 'f', file);
      content?.resize(RANGE_BYTES);
      content?.write([Buffer.alloc(4096, 1)], 8192);
      expect([content?.seek('data', 0), content?.seek('hole', 8192), content?.seek('hole', 0)]).toEqual([8192, 12288, 0]);
      expect(errno(() => content?.seek('data', 12288))).toBe('ENXIO');
      expect(errno(() => content?.seek('hole', RANGE_BYTES))).toBe('ENXIO');
      expect(errno(() => content?.resize(2 ** 50))).toBe('EFBIG');
    }));
});

describe('names', () => {
  it('rename: over an empty directory, never over a full one, never into itself', () =>
    inStore((store) => {
      const { root } = store;
      const a = store.create(root, 'a', directory);
      const b = store.create(root, 'b', directory);
      const inner = store.create(b, 'inner', directory);
      expect(errno(() => { store.rename(root, 'a', root, 'b', 0); })).toBe('ENOTEMPTY');
      expect(errno(() => { store.rename(root, 'b', inner, 'x', 0); })).toBe('EINVAL');
      store.rename(root, 'a', b, 'inner', 0);
      expect([root.nlink, b.nlink, a.parent]).toEqual([3, 3, b]);
      store.create(root, 'f', file);
      expect(errno(() => { store.rename(root, 'f', root, 'b', 0); })).toBe('EISDIR');
      expect(errno(() => { store.rename(root, 'b', root, 'f', 0); })).toBe('ENOTDIR');
      expect(errno(() => { store.rename(root, 'f', root, 'b', RENAME.NOREPLACE); })).toBe('EEXIST');
      store.rename(root, 'f', root, 'b', RENAME.EXCHANGE);
      expect([root.entries.get('b')?.inode.isDirectory, root.entries.get('f')?.inode]).toEqual([false, b]);
      store.rename(root, 'b', root, 'moved', RENAME.WHITEOUT);
      expect(root.entries.get('b')?.inode.mode).toBe(0o020000);
    }));

  it('names from a guest that no kernel sends are refused', () =>
    inStore((store) => {
      for (const name of ['', '.', '..', 'a/b']) expect(errno(() => store.create(store.root, name, file))).toMatch(/EINVAL|EEXIST/);
      expect(errno(() => store.create(store.root, 'x'.repeat(256), file))).toBe('ENAMETOOLONG');
    }));

  it('an unlinked inode lives while it is referenced, and no longer', () =>
    inStore((store) => {
      const inode = store.create(store.root, 'f', file);
      inode.references = 2;
      store.unlink(store.root, 'f');
      expect(inode.nlink).toBe(0);
      expect(store.inode(inode.ino)).toBe(inode);
      store.release(inode, 2);
      expect(errno(() => store.inode(inode.ino))).toBe('ESTALE');
    }));

  it('an inode without a name can be given one', () =>
    inStore((store) => {
      const inode = store.createUnlinked(store.root, file);
      expect(inode.nlink).toBe(0);
      store.link(inode, store.root, 'named');
      expect([inode.nlink, store.lookup(store.root, 'named')]).toEqual([1, inode]);
    }));

  it('a set-group-ID directory hands down its group', () =>
    inStore((store) => {
      const parent = store.create(store.root, 'd', { ...directory, mode: S_IFDIR | 0o2755, gid: 77 });
      expect(store.create(parent, 'f', file).gid).toBe(77);
      expect(store.create(parent, 'd', directory).mode & 0o2000).toBe(0o2000);
    }));
});

describe('ACLs', () => {
  const acl = (...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): Buffer => {
    const bytes = Buffer.alloc(4 + 8 * entries.length);
    bytes.writeUInt32LE(2, 0);
    for (const [index, [tag, permissions, id = 0xffffffff]] of entries.entries()) {
      bytes.writeUInt16LE(tag, 4 + 8 * index);
      bytes.writeUInt16LE(permissions, 6 + 8 * index);
      bytes.writeUInt32LE(id, 8 + 8 * index);
    }
    return bytes;
  };
  const [USER_OBJ, USER, GROUP_OBJ, MASK, OTHER] = [1, 2, 4, 16, 32];

  it('one that permission bits can say becomes permission bits', () =>
    inStore((store) => {
      const inode = store.create(store.root, 'f', file);
      store.setXattr(inode, ACL_ACCESS, acl([USER_OBJ, 6], [GROUP_OBJ, 4], [OTHER, 0]));
      expect([inode.mode & 0o777, inode.xattrs.has(ACL_ACCESS)]).toEqual([0o640, false]);
      store.setXattr(inode, ACL_ACCESS, acl([USER_OBJ, 7], [USER, 7, 5], [GROUP_OBJ, 4], [MASK, 5], [OTHER, 1]));
      expect([inode.mode & 0o777, inode.xattrs.has(ACL_ACCESS)]).toEqual([0o751, true]);
    }));

  it('a default ACL is inherited instead of the umask', () =>
    inStore((store) => {
      const parent = store.create(store.root, 'd', directory);
      store.setXattr(parent, ACL_DEFAULT, acl([USER_OBJ, 7], [USER, 7, 5], [GROUP_OBJ, 5], [MASK, 7], [OTHER, 0]));
      const inode = store.create(parent, 'f', { ...file, mode: S_IFREG | 0o666, umask: 0o077 });
      expect([inode.mode & 0o777, inode.xattrs.has(ACL_ACCESS)]).toEqual([0o660, true]);
      expect(store.create(parent, 'sub', directory).xattrs.has(ACL_DEFAULT)).toBe(true);
    }));

  it('one that is none is refused', () =>
    inStore((store) => {
      const inode = store.create(store.root, 'f', file);
      expect(errno(() => { store.setXattr(inode, ACL_ACCESS, Buffer.from('rubbish')); })).toBe('EINVAL');
    }));
});

function writeAt(fd: number, bytes: Buffer, at: number): void {
  writeSync(fd, bytes, 0, bytes.length, at);
}
