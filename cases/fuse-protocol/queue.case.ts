// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** More than two request queues of 128 entries hold. */
const REQUESTS = 300;
const ONE_QUEUE = 128;

export default defineCase({
  title: 'more requests than the queues hold, all unanswered: the rest waits, and all are served in the end',
  needs: ['device'],
  proof: [mounted(), counted('requests-held', ONE_QUEUE)],
  timeoutSeconds: 40,
  run: async ({ share, guest, device, subtest, prove }) => {
    await guest.remount();
    for (let index = 0; index < REQUESTS; index++) device.store.writeFile(`${share.storeDirectory}/q/f${index}`, Buffer.alloc(1));

    await subtest(`${REQUESTS} processes look up a name each`, async () => {
      const rule = device.script.hold({ op: 'LOOKUP', path: new RegExp(`^${share.storeDirectory}/q/f`) });
      const running = guest.run(['sh', '-c', `cd ${share.guestDirectory}/q; i=0; while [ $i -lt ${REQUESTS} ]; do stat f$i > /dev/null || echo failed & i=$((i + 1)); done; wait`]);
      await rule.arrived(ONE_QUEUE);
      prove('requests-held', rule.holding);
      rule.release();
      const { stdout, code } = await running;
      assert.equal(stdout, '');
      assert.equal(code, 0);
      assert.equal(rule.arrivals.length, REQUESTS);
    });
  },
});
