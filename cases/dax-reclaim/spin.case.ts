// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const LOOKS = 20;

/**
 * A read of file A stops in the middle of its copy: its buffer is a mapping of B, whose SETUPMAPPING is held.
 * A's only range is in use, B's is the other one, none is free. A second reader of A finds nothing to reclaim
 * and nothing to wait for (alloc_dax_mapping_reclaim(), fs/fuse/dax.c: it sleeps only if the inode has no range).
 */
export default defineCase({
  title: 'a read that needs a range when every range of its file is in use and none is free',
  needs: ['dax'],
  device: { windowRanges: 2 },
  proof: [mounted(), counted('readers-without-a-range', 1)],
  run: async ({ share, guest, device, subtest, prove }) => {
    for (const [name, byte] of [['a', 0x61], ['b', 0x62]] as const) device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(2 * RANGE, byte));
    const [copier, reader] = [await guest.actor(), await guest.actor()];
    await copier.open(0, `${share.guestDirectory}/a`, 'r');
    await copier.open(1, `${share.guestDirectory}/b`, 'w');
    await copier.mmap(1, 1, 0, RANGE, 'rw');
    await reader.open(0, `${share.guestDirectory}/a`, 'r');
    const held = device.script.hold({ op: 'SETUPMAPPING', path: `${share.storeDirectory}/b` });
    const pid = await reader.pid();
    const state = async () => /^State:\s+(\S)/m.exec((await guest.run(['cat', `/proc/${pid}/status`])).stdout)?.[1] ?? 'gone';
    const copying = copier.preadIntoMap(0, 0, 1, 0, 10);
    await held.arrived();
    const reading = reader.pread(0, RANGE, 10).catch(() => undefined);
    const seen: string[] = [];
    for (let look = 0; look < LOOKS; look++) seen.push(await state());

    await subtest('it sleeps while it waits', () => {
      prove('readers-without-a-range');
      // Asleep in the pipe from which it takes its orders it would not be: it has one to carry out.
      const running = seen.slice(LOOKS / 2).filter((one) => one === 'R').length;
      assert.equal(running, 0, `it was running at ${running} of ${LOOKS / 2} looks`);
    });
    await subtest('SIGKILL ends it', async () => {
      await guest.run(['kill', '-KILL', String(pid)]);
      let last = await state();
      for (let look = 0; look < LOOKS && last !== 'gone'; look++) last = await state();
      assert.equal(last, 'gone');
    });
    await subtest('the first reader comes to its end once it is answered', async () => {
      held.release();
      assert.equal(await copying, 10);
      await reading;
    });
  },
});
