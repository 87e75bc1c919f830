// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import type { Actor } from '../../harness/suite/actor.ts';
import { counted, defineCase, mounted, waits } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 4;
const OTHER_RANGES = 8;
const [MINE, OTHER] = [0x61, 0x62];

/**
 * Somebody who holds references to a DAX file's pages (O_DIRECT in flight, a pipe given them by vmsplice(2))
 * must find that file's bytes in them, whatever becomes of the mapping: fuse_dax_break_layouts() waits for
 * such pages before a range is given to another file or cut off. dax_layout_busy_page_range() (fs/dax.c)
 * looks for them; up to 6.14 it does not look at all once the file is mapped by nobody.
 */
export default defineCase({
  title: 'pages of a DAX range that are pinned: reclaim, truncate and punching wait for them',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('pages-pinned', 5), counted('ranges-reclaimed', 1)],
  timeoutSeconds: 20,
  run: async ({ share, guest, device, subtest, prove }) => {
    const files = async (name: string) => {
      await guest.remount();
      device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(RANGE, MINE));
      device.store.writeFile(`${share.storeDirectory}/other`, Buffer.alloc(OTHER_RANGES * RANGE, OTHER));
      device.store.writeFile(`${share.storeDirectory}/clock`, Buffer.alloc(1));
      const [holder, other, clock] = [await guest.actor(), await guest.actor(), await guest.actor()];
      await holder.open(0, `${share.guestDirectory}/${name}`, 'w');
      await other.open(0, `${share.guestDirectory}/other`, 'w');
      await clock.open(0, `${share.guestDirectory}/clock`, 'r');
      await holder.mmap(0, 0, 0, RANGE, 'rw');
      await other.mmap(0, 0, 0, OTHER_RANGES * RANGE, 'rw');
      assert.deepEqual(await holder.load(0, 0, PAGE), [[MINE, PAGE]]);
      assert.equal(await holder.pin(0, 0, PAGE), PAGE);
      prove('pages-pinned');
      return { holder, other, trip: () => clock.size(0) };
    };
    /** Wants more ranges than the window has, so that the pinned one's turn comes. */
    const crowd = async (other: Actor) => {
      for (let range = 0; range < OTHER_RANGES; range++) await other.load(0, range * RANGE, 1);
    };

    for (const [what, name, unmap] of [['mapped', 'mapped', false], ['no longer mapped by anybody', 'unmapped', true]] as const) {
      await subtest(`reclaim leaves alone a pinned page that is ${what}`, async () => {
        const { holder, other, trip } = await files(name);
        if (unmap) await holder.munmap(0);
        const before = device.trace.counter.of('REMOVEMAPPING entries');
        const crowding = crowd(other);
        await waits(crowding, trip);
        assert.deepEqual(await holder.unpin(PAGE), [[MINE, PAGE]]);
        await crowding;
        prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries') - before);
      });
    }
    await subtest('ftruncate waits for a pinned page', async () => {
      const { holder, other, trip } = await files('truncated');
      await other.open(1, `${share.guestDirectory}/truncated`, 'w');
      const cutting = other.ftruncate(1, 0);
      await waits(cutting, trip);
      assert.deepEqual(await holder.unpin(PAGE), [[MINE, PAGE]]);
      await cutting;
      assert.equal(await holder.size(0), 0);
      await assert.rejects(holder.load(0, 0, 1), { errno: 'SIGBUS' });
    });
    await subtest('punching a hole waits for a pinned page', async () => {
      const { holder, other, trip } = await files('punched');
      await other.open(1, `${share.guestDirectory}/punched`, 'w');
      const punching = other.punch(1, 0, 2 * PAGE);
      await waits(punching, trip);
      assert.deepEqual(await holder.unpin(PAGE), [[MINE, PAGE]]);
      await punching;
      assert.deepEqual(await holder.load(0, 0, 3 * PAGE), [[0, 2 * PAGE], [MINE, PAGE]]);
    });
    await subtest('a pin that may last for ever is refused', async () => {
      const { holder } = await files('registered');
      // FOLL_LONGTERM on a file system's DAX pages: check_vma_flags() or, later, folio_is_longterm_pinnable().
      await assert.rejects(holder.registerBuffer(0, 0, PAGE), { errno: /EOPNOTSUPP|ENOMEM/ });
    });
  },
});
