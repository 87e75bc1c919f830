// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, PROGRAM_PATH } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

export default defineCase({
  title: 'a program of the image is executed, a file of it is mapped: what is missing comes by page faults',
  needs: ['erofs'],
  proof: [counted('programs-run', 3), counted('pages-mapped', 8)],
  run: async ({ erofs, guest, subtest, prove }) => {
    await erofs.mount('chunked');
    await subtest('busybox from the image, cold and again', async () => {
      for (let run = 0; run < 3; run++) {
        const { code, stdout } = await guest.run([`/mnt/share/${PROGRAM_PATH}`, 'echo', `run ${run}`]);
        assert.equal(stdout.trim(), `run ${run}`);
        assert.equal(code, 0);
        prove('programs-run');
        if (run === 1) await erofs.dropCaches();
      }
    });
    await subtest('pages of a mapping, in no order', async () => {
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      await actor.mmap(0, 0, 0, LARGE.sizeBytes, 'r');
      for (const page of [700, 3, 512, 511, 1023, 0, 256, 1024]) {
        const length = Math.min(PAGE, LARGE.sizeBytes - page * PAGE);
        assert.equal(await actor.scan(0, 1, page * PAGE, length), erofs.sumOf(LARGE, page * PAGE, length), `page ${page}`);
        prove('pages-mapped');
      }
    });
    await subtest('a write to it is refused', async () => {
      const actor = await guest.actor();
      await assert.rejects(actor.open(0, `/mnt/share/${LARGE.path}`, 'w'), { errno: 'EROFS' });
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      await assert.rejects(actor.mmap(0, 0, 0, PAGE, 'rw'), { errno: 'EACCES' });
    });
  },
});
