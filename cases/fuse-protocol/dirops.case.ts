// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PROCESSES = 4;
/** Requests of a process that waits for nobody. */
const TRIPS = 300;

export default defineCase({
  title: 'PARALLEL_DIROPS: lookups under one directory run side by side if it was agreed on, one by one if not',
  needs: ['device'],
  proof: [mounted(), counted('lookups-held', 2)],
  wire: { 'lookups side by side, agreed': 'same', 'lookups side by side, not agreed': 'same' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    const { session } = device;
    const usual = session.options;
    for (const agreed of [true, false]) {
      await subtest(agreed ? `agreed on: ${PROCESSES} lookups are under way at once` : 'not agreed on: never more than one', async () => {
        session.configure({ initFlags: usual.initFlags.filter((flag) => flag !== 'PARALLEL_DIROPS' || agreed) });
        await guest.remount();
        const directory = `${share.storeDirectory}/${agreed ? 'parallel' : 'serial'}`;
        for (let index = 0; index < PROCESSES; index++) device.store.writeFile(`${directory}/n${index}`, Buffer.alloc(index + 1));
        const rule = device.script.hold({ op: 'LOOKUP', path: new RegExp(`^${directory}/n`) });
        const actors = await Promise.all(Array.from({ length: PROCESSES }, () => guest.actor()));
        const clock = await guest.actor();
        const sizes = actors.map((actor, index) => actor.stat(`/mnt/share${directory}/n${index}`));
        await rule.arrived();
        // Had the others been let through, they would have come long before the last of these.
        for (let trip = 0; trip < TRIPS && rule.holding < PROCESSES; trip++) await clock.stat('/mnt/share');
        const side = rule.holding;
        prove('lookups-held', side);
        counter(`lookups side by side, ${agreed ? 'agreed' : 'not agreed'}`, side);
        rule.release();
        assert.deepEqual(await Promise.all(sizes), Array.from({ length: PROCESSES }, (_, index) => index + 1));
        assert.equal(side, agreed ? PROCESSES : 1);
        assert.equal(rule.arrivals.length, PROCESSES);
        rule.remove();
      });
    }
    session.configure(usual);
    await guest.remount();
  },
});
