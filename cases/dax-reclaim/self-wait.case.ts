// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;

/**
 * read(2) of file A holds A's range while it copies (fuse_iomap_begin() to fuse_iomap_end()); the copy faults
 * in B's mapping, and the fault waits for a range. With one range in all, it waits for the one it holds.
 */
export default defineCase({
  title: 'a window of one range: read(2) of one file into a mapping of another',
  needs: ['dax'],
  device: { windowRanges: 1, cpus: 2 },
  proof: [mounted(), counted('reads-into-a-mapping', 1)],
  timeoutSeconds: 4,
  run: async ({ share, guest, device, subtest, prove }) => {
    for (const [name, byte] of [['a', 0x61], ['b', 0x62]] as const) device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(RANGE, byte));
    const actor = await guest.actor();
    await actor.open(0, `${share.guestDirectory}/a`, 'r');
    await actor.open(1, `${share.guestDirectory}/b`, 'w');
    await actor.mmap(1, 1, 0, RANGE, 'rw');
    const mapped = device.script.watch({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/a` });

    await subtest('the bytes arrive, or the call fails; it does not wait for itself', async () => {
      const reading = actor.preadIntoMap(0, 0, 1, 100, 10);
      await mapped.arrived();
      prove('reads-into-a-mapping');
      assert.equal(await reading, 10);
      assert.deepEqual(device.store.content(`${share.storeDirectory}/b`).read(99, 12), Buffer.concat([Buffer.of(0x62), Buffer.alloc(10, 0x61), Buffer.of(0x62)]));
    });
  },
});
