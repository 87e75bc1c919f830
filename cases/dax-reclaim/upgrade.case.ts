// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
/** FUSE_SETUPMAPPING_FLAG_WRITE and _READ. */
const [READ, READ_WRITE] = [2n, 3n];

export default defineCase({
  title: 'a range that was mapped to be read becomes writable in its place at the first write, and only then',
  needs: ['dax'],
  proof: [mounted(), counted('upgrades', 2)],
  wire: { 'SETUPMAPPING of the file': 'same' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    const actor = await guest.actor();
    const path = `${share.storeDirectory}/file`;
    const setups = device.script.watch({ op: 'SETUPMAPPING', path });
    const removals = device.script.watch({ op: 'REMOVEMAPPING', path });
    const flags = () => setups.arrivals.map(({ args }) => args['flags']);
    const before = device.window?.counts.upgrades ?? 0;
    device.store.writeFile(path, Buffer.alloc(2 * RANGE, 0x31));
    await actor.open(0, `${share.guestDirectory}/file`, 'w');
    await actor.mmap(0, 0, 0, 2 * RANGE, 'rw');

    await subtest('a load maps the range read-only, a second one asks nothing', async () => {
      assert.deepEqual(await actor.load(0, 0, 10), [[0x31, 10]]);
      await actor.load(0, RANGE - 10, 10);
      assert.deepEqual(flags(), [READ]);
    });
    await subtest('the first store maps the same place again, writable', async () => {
      await actor.store(0, 5, 0x32, 1);
      assert.deepEqual(flags(), [READ, READ_WRITE]);
      assert.equal(setups.arrivals[0]?.args['moffset'], setups.arrivals[1]?.args['moffset']);
      assert.equal(device.window?.live.find(({ inode }) => inode.path === path)?.writable, true);
    });
    await subtest('later stores ask nothing, and both kinds of bytes are there', async () => {
      await actor.store(0, RANGE - 1, 0x33, 1);
      assert.equal(setups.arrivals.length, 2);
      assert.deepEqual(await actor.load(0, 0, 10), [[0x31, 5], [0x32, 1], [0x31, 4]]);
      assert.deepEqual(device.store.content(path).read(RANGE - 2, 3), Buffer.of(0x31, 0x33, 0x31));
    });
    await subtest('a read and then a write of the second range do the same', async () => {
      assert.deepEqual(await actor.pread(0, RANGE, 4), [[0x31, 4]]);
      await actor.pwrite(0, RANGE + 1, 0x34, 2);
      assert.deepEqual(flags(), [READ, READ_WRITE, READ, READ_WRITE]);
      assert.deepEqual(device.store.content(path).read(RANGE, 4), Buffer.of(0x31, 0x34, 0x34, 0x31));
    });
    await subtest('nothing was removed on the way', () => {
      assert.equal(removals.arrivals.length, 0);
      counter('SETUPMAPPING of the file', setups.arrivals.length);
    });
    prove('upgrades', (device.window?.counts.upgrades ?? 0) - before);
  },
});
