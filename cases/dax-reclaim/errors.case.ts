// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 4;
/** A fault asks more than once (for a huge page, then for a small one) before it gives up. */
const ATTEMPTS = 3;
const ERRORS = ['ENOMEM', 'EIO', 'EINTR'] as const;

export default defineCase({
  title: 'errors answered to SETUPMAPPING and REMOVEMAPPING: the right process is told, nothing hangs, nothing is lost',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('errors-answered', 14)],
  // A REMOVEMAPPING that failed leaves its range mapped at the server, and the kernel maps over it.
  ownViolations: true,
  run: async ({ share, guest, device, subtest, prove }) => {
    const file = (name: string, byte: number, ranges = 1) => {
      device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(ranges * RANGE, byte));
      return `${share.guestDirectory}/${name}`;
    };
    for (const errno of [...ERRORS, 'EAGAIN'] as const) {
      await subtest(`read(2): ${errno} to SETUPMAPPING is the reader's error, and the next read succeeds`, async () => {
        const actor = await guest.actor();
        await actor.open(0, file(`read-${errno}`, 0x51), 'r');
        const rule = device.script.on({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/read-${errno}`, times: 1 }, { kind: 'fail', errno });
        await assert.rejects(actor.pread(0, 0, 10), { errno });
        assert.deepEqual(await actor.pread(0, 0, 10), [[0x51, 10]]);
        prove('errors-answered', rule.arrivals.length);
        rule.remove();
      });
    }
    for (const errno of ERRORS) {
      await subtest(`page fault: ${errno} to SETUPMAPPING ${errno === 'ENOMEM' ? 'is tried again' : 'is a SIGBUS, and the next access succeeds'}`, async () => {
        const actor = await guest.actor();
        await actor.open(0, file(`fault-${errno}`, 0x52), 'w');
        await actor.mmap(0, 0, 0, RANGE, 'rw');
        const rule = device.script.on({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/fault-${errno}` }, { kind: 'fail', errno });
        if (errno === 'ENOMEM') {
          // VM_FAULT_OOM is not told to the process: the fault is taken again.
          const loading = actor.load(0, 0, 10);
          await rule.arrived(2 * ATTEMPTS);
          rule.remove();
          assert.deepEqual(await loading, [[0x52, 10]]);
        } else {
          await assert.rejects(actor.load(0, 0, 10), { errno: 'SIGBUS' });
          rule.remove();
          assert.deepEqual(await actor.load(0, 0, 10), [[0x52, 10]]);
        }
        prove('errors-answered', rule.arrivals.length);
        rule.remove();
      });
    }

    await subtest('an upgrade that fails leaves the range readable, and a later store succeeds', async () => {
      const actor = await guest.actor();
      await actor.open(0, file('upgrade', 0x53), 'w');
      await actor.mmap(0, 0, 0, RANGE, 'rw');
      await actor.load(0, 0, 1);
      const rule = device.script.on({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/upgrade` }, { kind: 'fail', errno: 'EIO' });
      await assert.rejects(actor.store(0, 0, 0x54, 1), { errno: 'SIGBUS' });
      rule.remove();
      assert.deepEqual(await actor.load(0, 0, 2), [[0x53, 2]]);
      await actor.store(0, 0, 0x54, 1);
      assert.deepEqual(device.store.content(`${share.storeDirectory}/upgrade`).read(0, 2), Buffer.of(0x54, 0x53));
      prove('errors-answered', rule.arrivals.length);
      rule.remove();
    });

    for (const errno of [...ERRORS, 'EAGAIN'] as const) {
      await subtest(`${errno} to REMOVEMAPPING: the range is used again, and every byte is right`, async () => {
        const actor = await guest.actor();
        const name = `remove-${errno}`;
        await actor.open(0, file(name, 0x55, 3 * WINDOW_RANGES), 'w');
        const rule = device.script.on({ op: 'REMOVEMAPPING', times: 2 }, { kind: 'fail', errno });
        for (let range = 0; range < 3 * WINDOW_RANGES; range++) {
          await actor.pwrite(0, range * RANGE, range + 1, 10);
          assert.deepEqual(await actor.pread(0, range * RANGE + 9, 2), [[range + 1, 1], [0x55, 1]]);
        }
        const content = device.store.content(`${share.storeDirectory}/${name}`);
        for (let range = 0; range < 3 * WINDOW_RANGES; range++) assert.deepEqual(content.read(range * RANGE, 11), Buffer.concat([Buffer.alloc(10, range + 1), Buffer.of(0x55)]));
        assert.ok(rule.arrivals.length > 0, 'no removal was failed');
        prove('errors-answered', rule.arrivals.length);
        rule.remove();
      });
    }
  },
});
