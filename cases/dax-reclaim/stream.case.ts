// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const MIB = 1024 * 1024;
const PAGE = 4096;
const RANGE = 2 * MIB;
const FILE = 200 * MIB;
const WINDOW_RANGES = 32;
const STORED = 0x5a;

const THRESHOLD = Math.floor(WINDOW_RANGES * 0.2);
const CHUNK = 10;

/**
 * The worker starts below 20 % of free ranges (FUSE_DAX_RECLAIM_THRESHOLD) and frees ten at a time
 * (FUSE_DAX_RECLAIM_CHUNK). Whoever takes ranges waits here whenever it runs, so that it is never started
 * twice for one shortage: 100 ranges through a window of 32 then cost exactly 80 removals.
 */
const RECLAIMED = 80;

export default defineCase({
  title: 'a 200 MiB file stored to page by page through a 64 MiB window: every byte arrives, the worker reclaims 80 ranges',
  needs: ['dax'],
  proof: [mounted(), counted('ranges-reclaimed', RECLAIMED)],
  wire: { 'SETUPMAPPING while streaming': 'same', 'REMOVEMAPPING by the worker': 'fewer', 'REMOVEMAPPING entries by the worker': 'same' },
  timeoutSeconds: 30,
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    // Ranges of files of before would be the first to go.
    await guest.remount();
    const actor = await guest.actor();
    const { counter: total } = device.trace;
    // Inodes of cases before may have been evicted since this one began.
    const before = { entries: total.of('REMOVEMAPPING entries'), REMOVEMAPPING: total.of('REMOVEMAPPING'), SETUPMAPPING: total.of('SETUPMAPPING') };
    const count = {
      setups: () => total.of('SETUPMAPPING') - before.SETUPMAPPING,
      removals: () => total.of('REMOVEMAPPING') - before.REMOVEMAPPING,
      entries: () => total.of('REMOVEMAPPING entries') - before.entries,
    };
    const removals = device.script.watch({ op: 'REMOVEMAPPING' });
    const pid = await actor.pid();

    // A request that has arrived is not yet a range that is free: the kernel thread that sent it is at rest when it is.
    const workerIsIdle = async () => {
      const worker = removals.arrivals.at(-1)?.pid ?? 0;
      const state = async () => /^State:\s+(\S)/m.exec((await guest.run(['cat', `/proc/${worker}/status`])).stdout)?.[1] ?? 'I';
      while ((await state()) !== 'I');
    };

    await subtest('each of the 51,200 pages that the guest stores to is seen by the host', async () => {
      await actor.open(0, `${share.guestDirectory}/stream`, 'wct');
      await actor.ftruncate(0, FILE);
      await actor.mmap(0, 0, 0, FILE, 'rw');
      for (let range = 0, reclaimed = 0; range < FILE / RANGE; range++) {
        await actor.fill(0, PAGE, STORED, range * RANGE, RANGE);
        const free = WINDOW_RANGES - (range + 1) + reclaimed;
        if (free < THRESHOLD) {
          await total.reached('REMOVEMAPPING entries', before.entries + (reclaimed += CHUNK));
          await workerIsIdle();
        }
      }
      const content = device.store.content(`${share.storeDirectory}/stream`);
      for (let at = 0; at < FILE; at += PAGE) assert.equal(content.read(at, 1)[0], STORED, `byte ${at}`);
    });

    await subtest('each range is mapped once, writable from its first fault', () => {
      assert.equal(count.setups(), FILE / RANGE);
      counter('SETUPMAPPING while streaming', count.setups());
    });

    await subtest('the worker gives back 80 ranges and stops', () => {
      assert.equal(count.entries(), RECLAIMED);
      prove('ranges-reclaimed', count.entries());
      counter('REMOVEMAPPING by the worker', count.removals());
      counter('REMOVEMAPPING entries by the worker', count.entries());
    });

    await subtest('no removal comes from the process itself: page faults never reclaim', () => {
      assert.ok(removals.arrivals.length > 0 && removals.arrivals.every((arrival) => arrival.pid !== pid));
    });

    await subtest('the table never holds more than the window', () => {
      const { window } = device;
      assert.ok(window !== undefined);
      assert.equal(window.live.length, FILE / RANGE - RECLAIMED);
      assert.ok(window.counts.mostLive <= WINDOW_RANGES);
    });
  },
});
