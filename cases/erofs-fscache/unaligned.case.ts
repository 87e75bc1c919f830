// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

/** Objects are written with direct I/O: offset, length and memory must be aligned, or the write must be refused. */
export default defineCase({
  title: 'a daemon\'s write that is not aligned is refused, or lands where it was told to',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('unaligned-writes', 3)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon();
    await erofs.mount('chunked');
    const blob = daemon.of('open', 'chunked.blob')[0];
    assert.ok(blob !== undefined);
    const actor = await guest.actor();
    await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
    for (const [what, offset, length, shift] of [
      ['memory beside a page\'s beginning', 64 * PAGE, PAGE, 8],
      ['half a page', 80 * PAGE, PAGE / 2, 0],
      ['an offset inside of a page', 96 * PAGE + 512, PAGE, 0],
    ] as const) {
      await subtest(what, async () => {
        prove('unaligned-writes');
        await daemon.fill(blob.fd, offset, length, 0x55, shift).catch(() => undefined);
        // Whatever came of it, nothing lies where it was not told to: the page before is still asked for.
        const page = Math.floor(offset / PAGE) * PAGE;
        const misplaced = await daemon.seek(blob.fd, page - PAGE, 'data').catch(() => Infinity);
        assert.ok(misplaced >= page, `data at ${misplaced}`);
        if (offset !== page) {
          const data = await daemon.seek(blob.fd, page, 'data').catch(() => Infinity);
          assert.ok(data >= offset, `data at ${data} instead of ${offset}`);
        }
      });
    }
    await subtest('the reader ends', async () => {
      await actor.sum(0, 0, 128 * PAGE).catch(() => undefined);
      assert.ok((await actor.sum(0, 200 * PAGE, PAGE)) > 0);
    });
  },
});
