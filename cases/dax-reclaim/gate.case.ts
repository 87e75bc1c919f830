// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import type { Actor } from '../../harness/suite/actor.ts';
import { counted, defineCase, mounted, waits } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 16;
/** So many mapped ranges leave less than a fifth free: the worker starts with the last of them, and takes ten at most. */
const FILLED = 14;

export default defineCase({
  title: 'who waits while a REMOVEMAPPING is unanswered: readers of the same file, writers, faults, other files',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('removals-held', 5)],
  // The inode's locks are held across the round trip today; a change may let more through, never less.
  wire: { 'accesses that waited': 'fewer' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    const stalled = async (name: string) => {
      await guest.remount();
      const path = `${share.storeDirectory}/${name}`;
      device.store.writeFile(path, Buffer.alloc(FILLED * RANGE, 0x61));
      const [actor, clock] = [await guest.actor(), await guest.actor()];
      const worker = device.script.hold({ op: 'REMOVEMAPPING', path, times: 1 });
      await actor.open(0, `${share.guestDirectory}/${name}`, 'w');
      await clock.open(0, `${share.guestDirectory}/${name}`, 'r');
      await actor.mmap(0, 0, 0, FILLED * RANGE, 'rw');
      for (let range = 0; range < FILLED; range++) await actor.load(0, range * RANGE, 1);
      const held = await worker.arrived();
      prove('removals-held');
      // A range that stays mapped: none of those that are being removed.
      const removed = new Set((held.args['ranges'] as { moffset: number }[]).map(({ moffset }) => moffset));
      const live = device.window?.live.find(({ moffsetBytes }) => !removed.has(moffsetBytes));
      assert.ok(live !== undefined);
      return { actor, clock, worker, offset: live.fileOffsetBytes };
    };
    let waited = 0;
    const watch = async (access: Promise<unknown>, clock: Actor): Promise<boolean> => {
      const blocked = await waits(access, () => clock.size(0));
      if (blocked) waited++;
      return blocked;
    };

    for (const [what, access] of [
      ['a read', 'read'],
      ['a write', 'write'],
      ['a load through the mapping', 'load'],
    ] as const) {
      await subtest(`${what} of another range of the file comes to its end, at the latest after the answer`, async () => {
        const { actor, clock, worker, offset } = await stalled(access);
        const work = access === 'read' ? actor.pread(0, offset + 1, 1) : access === 'write' ? actor.pwrite(0, offset + 1, 0x62, 1) : actor.load(0, offset + 1, 1);
        const blocked = await watch(work, clock);
        worker.release();
        await work;
        counter(`waited: ${what}`, blocked ? 1 : 0);
        assert.equal(device.store.content(`${share.storeDirectory}/${access}`).read(offset + 1, 1)[0], access === 'write' ? 0x62 : 0x61);
      });
    }

    await subtest('another file\'s mapped range is read meanwhile', async () => {
      const { actor, clock, worker } = await stalled('one');
      device.store.writeFile(`${share.storeDirectory}/small`, Buffer.alloc(10, 0x64));
      await actor.open(1, `${share.guestDirectory}/small`, 'r');
      const size = actor.size(1);
      const blocked = await watch(size, clock);
      worker.release();
      assert.equal(await size, 10);
      assert.equal(blocked, false);
    });
    await subtest('a rename, which takes the lock of the inode alone, does not wait', async () => {
      const { actor, clock, worker } = await stalled('old');
      const renaming = actor.rename(`${share.guestDirectory}/old`, `${share.guestDirectory}/new`);
      const blocked = await watch(renaming, clock);
      worker.release();
      await renaming;
      counter('waited: a rename', blocked ? 1 : 0);
      assert.equal(blocked, false);
    });
    counter('accesses that waited', waited);
  },
});
