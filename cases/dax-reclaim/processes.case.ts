// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 8;
const PROCESSES = 4;
const FILE_RANGES = 5;
const ROUNDS = 3;

export default defineCase({
  title: 'many processes and files compete for a window that holds less than half of what they use',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('ranges-reclaimed', 30)],
  timeoutSeconds: 30,
  run: async ({ share, guest, device, subtest, prove }) => {
    const files = Array.from({ length: PROCESSES }, (_, index) => `f${index}`);
    const mark = (process: number, round: number, range: number) => 1 + process * 60 + round * 20 + range;

    await subtest('a file each: loads and stores in step', async () => {
      await Promise.all(
        files.map(async (name, process) => {
          const actor = await guest.actor();
          await actor.open(0, `${share.guestDirectory}/${name}`, 'wct');
          await actor.ftruncate(0, FILE_RANGES * RANGE);
          await actor.mmap(0, 0, 0, FILE_RANGES * RANGE, 'rw');
          for (let round = 0; round < ROUNDS; round++)
            for (let range = 0; range < FILE_RANGES; range++) {
              if (round > 0) assert.deepEqual(await actor.load(0, range * RANGE + PAGE, 1), [[mark(process, round - 1, range), 1]]);
              await actor.store(0, range * RANGE + PAGE, mark(process, round, range), 1);
            }
        }),
      );
      for (const [process, name] of files.entries())
        for (let range = 0; range < FILE_RANGES; range++)
          assert.equal(device.store.content(`${share.storeDirectory}/${name}`).read(range * RANGE + PAGE, 1)[0], mark(process, ROUNDS - 1, range), `${name}, range ${range}`);
    });

    await subtest('one file: each process owns a page of every range, by read and write', async () => {
      device.store.writeFile(`${share.storeDirectory}/common`, Buffer.alloc(2 * WINDOW_RANGES * RANGE));
      await Promise.all(
        files.map(async (_, process) => {
          const actor = await guest.actor();
          await actor.open(0, `${share.guestDirectory}/common`, 'w');
          for (let range = 0; range < 2 * WINDOW_RANGES; range++) {
            const at = range * RANGE + process * PAGE;
            await actor.pwrite(0, at, mark(process, 0, range), PAGE);
            assert.deepEqual(await actor.pread(0, at, PAGE), [[mark(process, 0, range), PAGE]]);
          }
        }),
      );
      const content = device.store.content(`${share.storeDirectory}/common`);
      for (let process = 0; process < PROCESSES; process++)
        for (let range = 0; range < 2 * WINDOW_RANGES; range++) assert.deepEqual(content.read(range * RANGE + process * PAGE, PAGE), Buffer.alloc(PAGE, mark(process, 0, range)));
    });
    prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries'));
  },
});
