// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { Scope } from '../../host/scope.ts';
import { RANGE_BYTES } from '../store/content.ts';
import type { Inode } from '../store/inode.ts';
import { Store } from '../store/store.ts';
import { Window, type Mapper } from './window.ts';

const inWindow = (work: (window: Window, inodes: readonly [Inode, Inode], calls: string[]) => Promise<void>): Promise<void> =>
  Scope.run(async (scope) => {
    const store = await Store.open(scope);
    const calls: string[] = [];
    const range = (offset: number) => offset / RANGE_BYTES;
    const mapper: Mapper = {
      map: ({ shmOffsetBytes }, _, fdOffsetBytes, writable) => {
        calls.push(`map ${range(shmOffsetBytes)} <- ${range(fdOffsetBytes)}${writable ? ' w' : ''}`);
        return Promise.resolve();
      },
      unmap: ({ shmOffsetBytes }) => {
        calls.push(`unmap ${range(shmOffsetBytes)}`);
        return Promise.resolve();
      },
    };
    const inodes = ['a', 'b'].map((name) => store.writeFile(name, Buffer.alloc(3 * RANGE_BYTES))) as [Inode, Inode];
    await work(new Window(4 * RANGE_BYTES, () => mapper), inodes, calls);
  });

const request = (inode: Inode, window: number, file: number, writable = false) => {
  if (inode.content === undefined) throw new Error('no content');
  return { inode, content: inode.content, moffsetBytes: window * RANGE_BYTES, fileOffsetBytes: file * RANGE_BYTES, lengthBytes: RANGE_BYTES, writable };
};
const removal = (window: number) => ({ moffsetBytes: window * RANGE_BYTES, lengthBytes: RANGE_BYTES });

describe('the window', () => {
  it('an upgrade is unmapped and mapped, counted, and no violation', () =>
    inWindow(async (window, [a], calls) => {
      await window.map(request(a, 1, 2));
      await window.map(request(a, 1, 2, true));
      expect(calls).toEqual(['map 1 <- 2', 'unmap 1', 'map 1 <- 2 w']);
      expect([window.counts.upgrades, window.violations]).toEqual([1, []]);
      expect(window.live.map(({ writable }) => writable)).toEqual([true]);
    }));

  it('mapping over something else replaces it, and is a violation each time', () =>
    inWindow(async (window, [a, b]) => {
      await window.map(request(a, 0, 0));
      await window.map(request(b, 0, 0));
      expect(window.violations.map(({ kind }) => kind)).toEqual(['map-over-other']);
      await window.map(request(a, 0, 1));
      expect([window.violations.length, window.counts.replacements]).toEqual([2, 2]);
    }));

  it('a double removal and one of what was never mapped are violations, and EINVAL', () =>
    inWindow(async (window, [a]) => {
      await window.map(request(a, 0, 0));
      await window.remove([removal(0)]);
      await expect(window.remove([removal(0)])).rejects.toMatchObject({ errno: 'EINVAL' });
      expect(window.violations.map(({ kind }) => kind)).toEqual(['remove-never-mapped']);
    }));

  it('of a list everything that is mapped is removed, whatever else is in it', () =>
    inWindow(async (window, [a]) => {
      for (const range of [0, 1, 2]) await window.map(request(a, range, range));
      await expect(window.remove([removal(0), removal(3), removal(9), removal(2)])).rejects.toMatchObject({ errno: 'EINVAL' });
      expect(window.live.map(({ moffsetBytes }) => moffsetBytes / RANGE_BYTES)).toEqual([1]);
      expect(window.violations.map(({ kind }) => kind)).toEqual(['remove-never-mapped', 'remove-outside-window']);
    }));

  it('nothing is mapped outside the window or the file', () =>
    inWindow(async (window, [a], calls) => {
      await expect(window.map(request(a, 4, 0))).rejects.toMatchObject({ errno: 'EINVAL' });
      await expect(window.map(request(a, 0, 3))).rejects.toMatchObject({ errno: 'EINVAL' });
      await expect(window.map({ ...request(a, 0, 0), lengthBytes: 100 })).rejects.toMatchObject({ errno: 'EINVAL' });
      expect([calls, window.violations.map(({ kind }) => kind)]).toEqual([[], ['map-outside-window', 'map-outside-file', 'map-outside-window']]);
    }));

  it('clearing removes all, and is no violation', () =>
    inWindow(async (window, [a, b], calls) => {
      await window.map(request(a, 0, 0));
      await window.map(request(b, 3, 1));
      await window.clear();
      expect([window.live, window.violations, calls.slice(2)]).toEqual([[], [], ['unmap 0', 'unmap 3']]);
      expect(window.counts.mostLive).toBe(2);
    }));

  it('a mapping that QEMU refuses is not in the table', () =>
    inWindow(async (_, [a]) => {
      const window = new Window(4 * RANGE_BYTES, () => ({ map: () => Promise.reject(new Error('refused')), unmap: () => Promise.resolve() }));
      await expect(window.map(request(a, 0, 0))).rejects.toThrow('refused');
      expect(window.live).toEqual([]);
    }));
});
