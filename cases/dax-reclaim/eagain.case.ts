// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const REFUSALS = 20;

/**
 * __fuse_dax_fault() (fs/fuse/dax.c) takes any -EAGAIN for "no free range" and tries again; with free ranges
 * there is nothing to wait for, so that it sends SETUPMAPPING again at once, and looks at no signal.
 */
export default defineCase({
  title: 'SETUPMAPPING answered EAGAIN in a page fault',
  needs: ['dax'],
  proof: [mounted(), counted('refusals', 2 * REFUSALS)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const path = `${share.storeDirectory}/file`;
    device.store.writeFile(path, Buffer.alloc(2 * RANGE, 0x61));
    const refuse = (times?: number) => device.script.on({ op: 'SETUPMAPPING', path, ...(times === undefined ? {} : { times }) }, { kind: 'fail', errno: 'EAGAIN' });

    await subtest('the fault succeeds once the server has room', async () => {
      const actor = await guest.actor();
      await actor.open(0, `${share.guestDirectory}/file`, 'w');
      await actor.mmap(0, 0, 0, RANGE, 'rw');
      const rule = refuse(REFUSALS);
      assert.deepEqual(await actor.load(0, 0, 4), [[0x61, 4]]);
      prove('refusals', rule.arrivals.length);
      rule.remove();
    });

    await subtest('SIGKILL ends a process whose fault is refused again and again', async () => {
      const actor = await guest.actor();
      const pid = await actor.pid();
      await actor.open(0, `${share.guestDirectory}/file`, 'w');
      await actor.mmap(0, 0, RANGE, RANGE, 'rw');
      const rule = refuse();
      const faulting = actor.load(0, 0, 4).catch(() => undefined);
      await rule.arrived(REFUSALS);
      await guest.run(['kill', '-KILL', String(pid)]);
      const killedAt = rule.arrivals.length;
      // A dead process asks nothing; one that goes on asking has not looked at its signal.
      const alive = async () => (await guest.run(['test', '-d', `/proc/${pid}`])).code === 0;
      while ((await alive()) && rule.arrivals.length < killedAt + 10 * REFUSALS);
      const asked = rule.arrivals.length - killedAt;
      prove('refusals', rule.arrivals.length);
      rule.remove();
      await faulting;
      assert.ok(asked < 10 * REFUSALS, `it sent SETUPMAPPING ${asked} times after SIGKILL`);
    });
  },
});
