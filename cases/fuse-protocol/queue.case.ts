// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** What one request queue holds, and more than that. */
const QUEUE = 128;
const REQUESTS = 200;

export default defineCase({
  title: 'more requests than the queue holds, all unanswered: the rest waits, and all are served in the end',
  needs: ['device'],
  proof: [mounted(), counted('requests-held', QUEUE)],
  // One processor, one request queue.
  device: { cpus: 1 },
  timeoutSeconds: 40,
  run: async ({ share, guest, device, subtest, prove }) => {
    await guest.remount();
    for (let index = 0; index < REQUESTS; index++) device.store.writeFile(`${share.storeDirectory}/q/f${index}`, Buffer.alloc(1));

    await subtest(`${REQUESTS} processes look up a name each`, async () => {
      const rule = device.script.hold({ op: 'LOOKUP', path: new RegExp(`^${share.storeDirectory}/q/f`) });
      const looking = await guest.start(['sh', '-c', `cd ${share.guestDirectory}/q; i=0; while [ $i -lt ${REQUESTS} ]; do stat f$i > /dev/null || echo failed & i=$((i + 1)); done; wait`]);
      let said = '';
      looking.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      looking.stderr.resume();
      await rule.arrived(QUEUE);
      // All are there, and those that found no place wait in the guest.
      const waiting = async () => (await guest.run(['pidof', 'stat'])).stdout.split(' ').length;
      while (said === '' && (await waiting()) < REQUESTS);
      assert.equal(rule.holding, QUEUE);
      prove('requests-held', rule.holding);
      rule.release();
      await looking.exited;
      assert.equal(said, '');
      assert.equal(rule.arrivals.length, REQUESTS);
    });
  },
});
