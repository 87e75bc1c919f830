// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const FILES = 40;
const ROOT_NODEID = 1;

export default defineCase({
  title: 'FORGET: every lookup is given back, none twice',
  needs: ['device'],
  proof: [mounted(), counted('lookups', FILES)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const { session } = device;
    await guest.remount();
    for (let index = 0; index < FILES; index++) device.store.writeFile(`${share.storeDirectory}/tree/d${index % 4}/f${index}`, Buffer.alloc(1));

    await subtest('after a walk with READDIRPLUS, creation, rename and unlink, dropping all caches brings every count to zero', async () => {
      const walk = await guest.run(['sh', '-c', `cd ${share.guestDirectory}/tree && ls -lR . && cat d*/f* && touch new && mv new d0/moved && ln d0/moved d1/linked && rm d1/linked d2/f2`]);
      assert.equal(walk.code, 0, walk.stderr);
      const looked = [...session.lookups.values()].reduce((sum, count) => sum + count, 0);
      prove('lookups', looked);
      assert.ok(session.lookups.size > FILES);
      await guest.run(['sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches']);
      // FORGETs go out on their own; a request behind them on the same device shows that they have arrived.
      for (let trip = 0; trip < 50 && [...session.lookups.keys()].some((nodeid) => nodeid !== ROOT_NODEID); trip++) await guest.run(['stat', '/mnt/share']);
      assert.deepEqual([...session.lookups.keys()].filter((nodeid) => nodeid !== ROOT_NODEID).map((nodeid) => session.inode(nodeid).path), []);
    });
    await subtest('no more was forgotten than was looked up', () => {
      assert.equal(session.overForgotten, 0);
    });
    await subtest('no handle stays open', () => {
      assert.equal(session.openHandles, 0);
    });
    await subtest('umount leaves nothing behind', async () => {
      await guest.run(['ls', '-lR', '/mnt/share']);
      await guest.remount();
      assert.deepEqual([...session.lookups.keys()].filter((nodeid) => nodeid !== ROOT_NODEID), []);
    });
  },
});
