// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const FILE_RANGES = 24;
const WINDOW_RANGES = 8;
/** What a memory file leaves of what is available; kernels differ by tens of MiB in what they take for themselves. */
const LEFT_MIB = 36;
const LEAST_EATEN_MIB = 40;
const SHORT_KIB = 48 * 1024;

export default defineCase({
  title: 'reclaim of ranges while the guest is short of memory: inodes are evicted, nothing dies, no byte is wrong',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES, memoryMiB: 192 },
  proof: [mounted(), counted('ranges-reclaimed', 40), counted('MiB-eaten', LEAST_EATEN_MIB)],
  timeoutSeconds: 40,
  run: async ({ share, guest, device, subtest, prove }) => {
    const model = Buffer.alloc(FILE_RANGES * RANGE);
    for (let range = 0; range < FILE_RANGES; range++) model.fill(range + 1, range * RANGE, (range + 1) * RANGE);
    device.store.writeFile(`${share.storeDirectory}/file`, model);
    for (let index = 0; index < 50; index++) device.store.writeFile(`${share.storeDirectory}/small/f${index}`, Buffer.alloc(4096, index));
    const actor = await guest.actor();
    await actor.open(0, `${share.guestDirectory}/file`, 'w');
    await actor.mmap(0, 0, 0, model.length, 'rw');

    const availableKib = async () => Number(/^MemAvailable:\s+(\d+)/m.exec((await guest.run(['cat', '/proc/meminfo'])).stdout)?.[1]);
    const eatenMib = Math.floor((await availableKib()) / 1024) - LEFT_MIB;

    await subtest('while memory is eaten up, stores and loads go on, and other files are opened and forgotten', async () => {
      const eaten = await guest.start(['sh', '-c', `mkdir -p /eaten && mount -t tmpfs -o size=180m eaten /eaten && dd if=/dev/zero of=/eaten/all bs=1048576 count=${eatenMib}`]);
      eaten.stdout.resume();
      eaten.stderr.resume();
      for (let round = 0; round < 2; round++)
        for (let range = 0; range < FILE_RANGES; range++) {
          const at = range * RANGE + round;
          await actor.store(0, at, 0xf0 + round, 1);
          model[at] = 0xf0 + round;
          assert.deepEqual(await actor.load(0, at + 2, 1), [[range + 1, 1]]);
        }
      const read = await guest.run(['sh', '-c', `cat ${share.guestDirectory}/small/* | wc -c`]);
      assert.equal(read.stdout.trim(), String(50 * 4096));
      const { code } = await eaten.exited;
      assert.equal(code, 0, 'memory was not eaten');
      prove('MiB-eaten', eatenMib);
      const available = await availableKib();
      assert.ok(available < SHORT_KIB, `${available} KiB are available: the guest is not short of memory`);
    });
    await subtest('the file is what the model says', () => {
      assert.ok(device.store.content(`${share.storeDirectory}/file`).read(0, model.length).equals(model));
    });
    prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries'));
    await guest.run(['umount', '/eaten']);
  },
});
