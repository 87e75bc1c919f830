// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const TIMES = 5;
const LONG_SECONDS = 1_000;

export default defineCase({
  title: 'entry and attribute timeouts: nothing is asked within them, everything is asked without',
  needs: ['device'],
  proof: [mounted(), counted('stats', 4 * TIMES)],
  wire: { 'LOOKUP entry 0 attr 0': 'same', 'LOOKUP entry long attr long': 'same', 'GETATTR entry long attr long': 'same' },
  run: async ({ share, guest, device, subtest, prove, counter }) => {
    const { session } = device;
    const usual = session.options;
    device.store.writeFile(`${share.storeDirectory}/d/file`, Buffer.alloc(7));
    const path = `${share.storeDirectory}/d/file`;

    for (const [entry, attr, lookups, getattrs] of [
      // A LOOKUP brings attributes as well: with both at 0 it is asked each time, and its attributes are used.
      [0, 0, TIMES, 0],
      [0, LONG_SECONDS, TIMES, 0],
      // What the LOOKUP brought was stale when it came: each stat asks.
      [LONG_SECONDS, 0, 1, TIMES],
      [LONG_SECONDS, LONG_SECONDS, 1, 0],
    ] as const) {
      const name = `entry ${entry === 0 ? 0 : 'long'} attr ${attr === 0 ? 0 : 'long'}`;
      await subtest(`${name}: ${TIMES} stats are ${lookups} LOOKUP and ${getattrs} GETATTR`, async () => {
        session.configure({ entryValidSeconds: entry, attrValidSeconds: attr });
        await guest.remount();
        const actor = await guest.actor();
        const asked = { LOOKUP: device.script.watch({ op: 'LOOKUP', path }), GETATTR: device.script.watch({ op: 'GETATTR', path }) };
        for (let time = 0; time < TIMES; time++) assert.equal(await actor.stat(`${share.guestDirectory}/d/file`), 7);
        prove('stats', TIMES);
        for (const [op, rule] of Object.entries(asked)) {
          counter(`${op} ${name}`, rule.arrivals.length);
          rule.remove();
        }
        assert.equal(asked.LOOKUP.arrivals.length, lookups, 'LOOKUP');
        // Attributes of validity 0 that came with a LOOKUP may be asked for again at once.
        if (entry !== 0) assert.equal(asked.GETATTR.arrivals.length, getattrs, 'GETATTR');
      });
    }

    await subtest('a negative entry is not asked for again within its time', async () => {
      session.configure({ entryValidSeconds: LONG_SECONDS, attrValidSeconds: LONG_SECONDS });
      await guest.remount();
      const actor = await guest.actor();
      const asked = device.script.watch({ op: 'LOOKUP', path: `${share.storeDirectory}/d/none` });
      for (let time = 0; time < TIMES; time++) await assert.rejects(actor.stat(`${share.guestDirectory}/d/none`), { errno: 'ENOENT' });
      // ENOENT as an error is never kept; only an entry with node id 0 is (fuse_lookup_name()).
      assert.equal(asked.arrivals.length, TIMES);
      asked.remove();
    });
    session.configure(usual);
    await guest.remount();
  },
});
