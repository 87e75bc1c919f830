// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'a process that is killed while its request is unanswered: no INTERRUPT over virtio-fs, and nothing leaks',
  needs: ['device'],
  proof: [mounted(), counted('requests-held', 2)],
  run: async ({ share, guest, device, subtest, prove }) => {
    await guest.remount();
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(10));
    const interrupts = device.script.watch({ op: 'INTERRUPT' });

    await subtest('an OPEN whose process dies is released as soon as it is answered', async () => {
      const actor = await guest.actor();
      const pid = await actor.pid();
      const open = device.script.hold({ op: 'OPEN', path: `${share.storeDirectory}/file` });
      const release = device.script.watch({ op: 'RELEASE', path: `${share.storeDirectory}/file` });
      const opening = actor.open(0, `${share.guestDirectory}/file`, 'r').catch(() => undefined);
      await open.arrived();
      prove('requests-held');
      await guest.run(['kill', '-KILL', String(pid)]);
      open.release();
      await opening;
      await release.arrived();
      assert.equal(device.session.openHandles, 0);
      open.remove();
      release.remove();
    });

    await subtest('a LOOKUP whose process dies is answered into nothing, and the name is found afterwards', async () => {
      const actor = await guest.actor();
      const pid = await actor.pid();
      await guest.run(['sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches']);
      const lookup = device.script.hold({ op: 'LOOKUP', path: `${share.storeDirectory}/file` });
      const looking = actor.stat(`${share.guestDirectory}/file`).catch(() => undefined);
      await lookup.arrived();
      prove('requests-held');
      await guest.run(['kill', '-KILL', String(pid)]);
      lookup.remove();
      await looking;
      assert.equal((await guest.run(['stat', '-c', '%s', `${share.guestDirectory}/file`])).stdout.trim(), '10');
    });

    await subtest('no INTERRUPT was sent', () => {
      assert.equal(interrupts.arrivals.length, 0);
    });
  },
});
