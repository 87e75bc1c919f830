// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 512;
/** FUSE_REMOVEMAPPING_MAX_ENTRY: a page of 16-byte entries. */
const MOST_ENTRIES = 256;

export default defineCase({
  title: 'evicting an inode removes all of its N ranges with as few requests as the protocol allows',
  needs: ['dax'],
  // So wide that the worker never runs: 257 ranges leave more than a fifth free.
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('ranges-evicted', 1 + 10 + 256 + 257)],
  wire: { 'REMOVEMAPPING at evictions': 'fewer', 'ranges evicted': 'same' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    const actor = await guest.actor();
    let [requests, entries] = [0, 0];
    for (const ranges of [1, 10, 256, 257]) {
      const path = `${share.guestDirectory}/n${ranges}`;
      await subtest(`unlink of a file with ${ranges} mapped: ${Math.ceil(ranges / MOST_ENTRIES)} request(s)`, async () => {
        const removals = device.script.watch({ op: 'REMOVEMAPPING' });
        await actor.open(0, path, 'wct');
        await actor.ftruncate(0, ranges * RANGE);
        await actor.mmap(0, 0, 0, ranges * RANGE, 'rw');
        await actor.fill(0, RANGE, 0x77, 0, ranges * RANGE);
        assert.equal(device.window?.live.length, ranges);
        const before = device.trace.counter.of('REMOVEMAPPING entries');
        await actor.munmap(0);
        await actor.close(0);
        await actor.unlink(path);
        await device.trace.counter.reached('REMOVEMAPPING entries', before + ranges);
        requests += removals.arrivals.length;
        entries += ranges;
        assert.deepEqual(
          removals.arrivals.map(({ args }) => args['count']),
          [...Array.from({ length: Math.floor(ranges / MOST_ENTRIES) }, () => MOST_ENTRIES), ...(ranges % MOST_ENTRIES === 0 ? [] : [ranges % MOST_ENTRIES])],
        );
        removals.remove();
      });
    }

    await subtest('drop_caches evicts a closed file, and removes its ranges', async () => {
      const path = `${share.guestDirectory}/dropped`;
      await actor.open(0, path, 'wct');
      await actor.ftruncate(0, 3 * RANGE);
      await actor.mmap(0, 0, 0, 3 * RANGE, 'rw');
      await actor.fill(0, RANGE, 0x78, 0, 3 * RANGE);
      await actor.munmap(0);
      await actor.close(0);
      const before = device.trace.counter.of('REMOVEMAPPING entries');
      await guest.run(['sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches']);
      await device.trace.counter.reached('REMOVEMAPPING entries', before + 3);
      assert.equal(device.window?.live.length, 0);
      assert.deepEqual(device.store.content(`${share.storeDirectory}/dropped`).read(2 * RANGE, 2), Buffer.of(0x78, 0));
    });

    counter('REMOVEMAPPING at evictions', requests);
    counter('ranges evicted', entries);
    prove('ranges-evicted', entries);
  },
});
