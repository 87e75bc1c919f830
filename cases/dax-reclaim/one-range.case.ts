// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const RANGES = 4;

export default defineCase({
  title: 'a window of one range: everything still works, a range at a time',
  needs: ['dax'],
  device: { windowRanges: 1 },
  proof: [mounted(), counted('ranges-reclaimed', 20)],
  timeoutSeconds: 20,
  run: async ({ share, guest, device, subtest, prove }) => {
    const actor = await guest.actor();
    for (const [name, byte] of [['a', 0x61], ['b', 0x62]] as const) device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(RANGES * RANGE, byte));
    await actor.open(0, `${share.guestDirectory}/a`, 'w');
    await actor.open(1, `${share.guestDirectory}/b`, 'w');

    await subtest('reads of two files in turn', async () => {
      for (let range = 0; range < RANGES; range++) {
        assert.deepEqual(await actor.pread(0, range * RANGE, 100), [[0x61, 100]]);
        assert.deepEqual(await actor.pread(1, range * RANGE + RANGE - 100, 100), [[0x62, 100]]);
      }
    });
    await subtest('writes of two files in turn reach the host', async () => {
      for (let range = 0; range < RANGES; range++) {
        await actor.pwrite(0, range * RANGE, 0x41, 10);
        await actor.pwrite(1, range * RANGE, 0x42, 10);
      }
      for (const [name, byte] of [['a', 0x41], ['b', 0x42]] as const)
        for (let range = 0; range < RANGES; range++) assert.deepEqual(device.store.content(`${share.storeDirectory}/${name}`).read(range * RANGE, 10), Buffer.alloc(10, byte));
    });
    await subtest('a read across the edge of two ranges', async () => {
      assert.deepEqual(await actor.pread(0, RANGE - 5, 15), [[0x61, 5], [0x41, 10]]);
    });
    await subtest('reads and writes of nothing, and at the end of the file, end', async () => {
      assert.deepEqual(await actor.pread(0, 5, 0), []);
      assert.deepEqual(await actor.pread(0, RANGES * RANGE, 10), []);
      assert.deepEqual(await actor.pread(0, RANGES * RANGE + RANGE, 1), []);
      assert.equal(await actor.pwrite(0, 5, 0x41, 0), 0);
      assert.equal(await actor.size(0), RANGES * RANGE);
    });
    await subtest('stores through mappings of two files in turn', async () => {
      await actor.mmap(0, 0, 0, RANGES * RANGE, 'rw');
      await actor.mmap(1, 1, 0, RANGES * RANGE, 'rw');
      for (let range = 0; range < RANGES; range++) {
        await actor.store(0, range * RANGE + 50, 0x43, 1);
        await actor.store(1, range * RANGE + 50, 0x44, 1);
      }
      for (let range = 0; range < RANGES; range++) {
        assert.deepEqual(await actor.load(0, range * RANGE + 49, 2), [[0x61, 1], [0x43, 1]]);
        assert.deepEqual(await actor.load(1, range * RANGE + 49, 2), [[0x62, 1], [0x44, 1]]);
      }
    });
    prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries'));
    await subtest('one range at most was ever mapped', () => {
      assert.equal(device.window?.counts.mostLive, 1);
    });
  },
});
