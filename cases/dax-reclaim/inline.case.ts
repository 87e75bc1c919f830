// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 8;
const HALF = WINDOW_RANGES / 2;

/**
 * The worker is stalled on file A: its REMOVEMAPPING is held. File B then needs a range when none is free,
 * and a read or a write takes one of B's own (inode_inline_reclaim_one_dmap(), fs/fuse/dax.c).
 */
export default defineCase({
  title: 'inline reclaim, forced by holding the worker: a read takes a range of its own file, which the server removes or replaces',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('inline-reclaims', 2)],
  wire: { 'REMOVEMAPPING inline': 'fewer', 'SETUPMAPPING inline': 'same' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    await guest.remount();
    const reader = await guest.actor();
    const pid = await reader.pid();
    const bytes = (of: number) => Buffer.concat(Array.from({ length: WINDOW_RANGES }, (_, range) => Buffer.alloc(RANGE, of + range)));
    device.store.writeFile(`${share.storeDirectory}/a`, bytes(0x10));
    device.store.writeFile(`${share.storeDirectory}/b`, bytes(0x40));
    const worker = device.script.hold({ op: 'REMOVEMAPPING', path: `${share.storeDirectory}/a`, times: 1 });
    const inline = device.script.watch({ op: 'REMOVEMAPPING', path: `${share.storeDirectory}/b`, pid });
    const removals = device.script.watch({ op: 'REMOVEMAPPING', path: `${share.storeDirectory}/b` });
    const replaced = () => device.window?.counts.replacements ?? 0;
    const replacedBefore = replaced();
    /** Ranges that readers took: each was removed first, or the next mapping replaced it. */
    const taken = () => inline.arrivals.length + replaced() - replacedBefore;
    const mapped = device.script.watch({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/b` });

    await reader.open(0, `${share.guestDirectory}/a`, 'r');
    await reader.open(1, `${share.guestDirectory}/b`, 'w');
    for (let range = 0; range < HALF; range++) await reader.pread(0, range * RANGE, 1);
    for (let range = 0; range < HALF; range++) await reader.pread(1, range * RANGE, 1);
    await worker.arrived();

    await subtest('a read that finds no free range takes one of its own file', async () => {
      assert.deepEqual(await reader.pread(1, HALF * RANGE, 4096), [[0x40 + HALF, 4096]]);
      assert.equal(taken(), 1);
      assert.ok(inline.arrivals.every(({ args }) => args['count'] === 1));
    });

    await subtest('so does a write, and its bytes are the file\'s', async () => {
      await reader.pwrite(1, (HALF + 1) * RANGE, 0xee, 4096);
      assert.deepEqual(device.store.content(`${share.storeDirectory}/b`).read((HALF + 1) * RANGE, 4097), Buffer.concat([Buffer.alloc(4096, 0xee), Buffer.of(0x40 + HALF + 1)]));
      assert.equal(taken(), 2);
    });

    counter('REMOVEMAPPING inline', inline.arrivals.length);
    counter('SETUPMAPPING inline', mapped.arrivals.length);
    prove('inline-reclaims', taken());

    await subtest('no other process removed a range of that file', () => {
      assert.equal(removals.arrivals.length, inline.arrivals.length);
    });

    await subtest('everything reads as it was once the worker goes on', async () => {
      worker.release();
      for (let range = 0; range < WINDOW_RANGES; range++) {
        assert.deepEqual(await reader.pread(0, range * RANGE, 4096), [[0x10 + range, 4096]]);
        if (range !== HALF + 1) assert.deepEqual(await reader.pread(1, range * RANGE, 4096), [[0x40 + range, 4096]]);
      }
    });
  },
});
