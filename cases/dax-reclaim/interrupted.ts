// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import type { Actor } from '../../harness/suite/actor.ts';
import { waits, type CaseContext } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;

/** Kills a process while `cut` waits for a page that another one has pinned; then the file must be of use as before. */
export async function killedWhileItWaits(context: CaseContext, cut: (victim: Actor, path: string) => Promise<unknown>): Promise<void> {
  const { share, guest, device, subtest, prove } = context;
  await subtest('the file is read, mapped and truncated as before', async () => {
    const path = `${share.guestDirectory}/file`;
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(RANGE, 0x61));
    const [holder, victim, clock] = [await guest.actor(), await guest.actor(), await guest.actor()];
    await holder.open(0, path, 'w');
    await holder.mmap(0, 0, 0, RANGE, 'rw');
    await holder.load(0, 0, 1);
    await holder.pin(0, 0, PAGE);
    const pid = await victim.pid();
    await victim.open(0, path, 'w');
    const cutting = cut(victim, path).catch(() => undefined);
    assert.ok(await waits(cutting, () => clock.stat('/')), 'it did not wait for the pinned page');
    await guest.run(['kill', '-KILL', String(pid)]);
    await cutting;
    prove('truncations-killed');
    assert.deepEqual(await holder.unpin(PAGE), [[0x61, PAGE]]);
    await holder.store(0, PAGE, 0x62, 1);
    assert.deepEqual(await holder.pread(0, PAGE - 1, 3), [[0x61, 1], [0x62, 1], [0x61, 1]]);
    assert.equal(await holder.ftruncate(0, PAGE), 0);
    assert.equal(await holder.size(0), PAGE);
  });
}
