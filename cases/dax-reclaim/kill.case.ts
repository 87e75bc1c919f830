// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 4;
/** So often we look whether the killed process is gone: a killable one is at the first or second look. */
const LOOKS = 20;

/** With no range free a fault sleeps on range_waitq (__fuse_dax_fault(), fs/fuse/dax.c). */
export default defineCase({
  title: 'SIGKILL of a process whose page fault waits for a free range',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('faults-waiting', 1)],
  run: async ({ share, guest, device, subtest, prove }) => {
    await guest.remount();
    device.store.writeFile(`${share.storeDirectory}/full`, Buffer.alloc(WINDOW_RANGES * RANGE, 0x61));
    device.store.writeFile(`${share.storeDirectory}/more`, Buffer.alloc(RANGE, 0x62));
    const [holder, victim] = [await guest.actor(), await guest.actor()];
    const worker = device.script.hold({ op: 'REMOVEMAPPING' });
    const mapped = device.script.watch({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/more` });
    await holder.open(0, `${share.guestDirectory}/full`, 'w');
    await victim.open(0, `${share.guestDirectory}/more`, 'w');
    await victim.mmap(0, 0, 0, RANGE, 'rw');
    for (let range = 0; range < WINDOW_RANGES; range++) await holder.pread(0, range * RANGE, 1);
    await worker.arrived();
    const pid = await victim.pid();
    const gone = victim.load(0, 0, 1).catch(() => undefined);
    const state = async () => /^State:\s+(\S)/m.exec((await guest.run(['cat', `/proc/${pid}/status`])).stdout)?.[1] ?? 'gone';
    // However slow the guest is, sooner or later it waits, or it asks.
    while (mapped.arrivals.length === 0 && (await state()) !== 'D');

    await subtest('the fault waits, and asks the server for nothing', async () => {
      assert.equal(await state(), 'D');
      assert.equal(mapped.arrivals.length, 0);
      prove('faults-waiting');
    });

    await subtest('SIGKILL ends the process while no range is free', async () => {
      await guest.run(['kill', '-KILL', String(pid)]);
      let last = await state();
      for (let look = 0; look < LOOKS && last === 'D'; look++) last = await state();
      assert.notEqual(last, 'D');
    });

    await subtest('it is gone once the worker has freed a range, and the others go on', async () => {
      worker.release();
      await gone;
      assert.deepEqual(await holder.pread(0, 0, 1), [[0x61, 1]]);
    });
  },
});
