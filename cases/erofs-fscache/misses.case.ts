// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const BLOB = 'chunked.blob';

/** The point of the design: after the first access the kernel finds the data by itself. */
export default defineCase({
  title: 'a first access asks once, for what is missing; after that nobody is asked again, not even after a remount',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('first-accesses', 2), counted('accesses-without-a-question', 4)],
  wire: { 'reads of the first page': 'same', 'reads of what is there': 'same' },
  run: async ({ erofs, guest, share, subtest, prove, counter }) => {
    const daemon = await erofs.startDaemon();
    await erofs.mount('chunked');
    const path = `/mnt/share/${LARGE.path}`;
    const reads = () => daemon.of('read', BLOB);
    const asked = async (access: () => Promise<unknown>) => {
      const before = daemon.count('reads');
      await access();
      return daemon.count('reads') - before;
    };
    assert.equal(share.name, 'erofs-fscache');

    await subtest('a mount opens the image and its blob, each once', () => {
      assert.deepEqual(daemon.of('open').map(({ volume, cookie }) => `${volume} ${cookie}`).sort(), ['erofs,chunked.img chunked.blob', 'erofs,chunked.img chunked.img']);
      assert.equal(reads().length, 0);
    });
    await subtest('the first page of a file: the first READ has it', async () => {
      const actor = await guest.actor();
      await actor.open(0, path, 'r');
      const count = await asked(() => actor.sum(0, 0, PAGE));
      counter('reads of the first page', count);
      // What comes behind it may be readahead; the page itself is in the first, and in no other.
      assert.ok((reads()[0]?.length ?? 0) >= PAGE);
      assert.equal(reads().filter(({ offset }) => offset === reads()[0]?.offset).length, 1);
      prove('first-accesses');
    });
    await subtest('the same page again: no question, from the page cache and from the cache\'s file', async () => {
      const actor = await guest.actor();
      await actor.open(0, path, 'r');
      assert.equal(await asked(() => actor.sum(0, 0, PAGE)), 0);
      prove('accesses-without-a-question');
      await erofs.dropCaches();
      assert.equal(await asked(() => actor.sum(0, 0, PAGE)), 0);
      prove('accesses-without-a-question');
    });
    await subtest('everything: every byte is asked for at most once', async () => {
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
      prove('first-accesses');
      for (const cookie of [BLOB, 'chunked.img']) {
        const ranges = daemon.of('read', cookie).map(({ offset, length }) => [offset, offset + length] as const).sort(([a], [b]) => a - b);
        for (const [index, [start]] of ranges.entries()) assert.ok(index === 0 || start >= (ranges[index - 1]?.[1] ?? 0), `${cookie} was asked twice for ${start}`);
        const last = ranges.at(-1)?.[1] ?? 0;
        assert.ok(last <= Math.ceil(erofs.sizeOf(cookie) / PAGE) * PAGE, `${cookie} was asked for ${last}`);
      }
    });
    await subtest('after a full download, drop_caches and a remount ask for nothing', async () => {
      await erofs.dropCaches();
      let count = await asked(async () => { assert.deepEqual((await erofs.compare('chunked')).differences, []); });
      prove('accesses-without-a-question');
      await erofs.umount();
      await erofs.mount('chunked');
      count += await asked(async () => { assert.deepEqual((await erofs.compare('chunked')).differences, []); });
      prove('accesses-without-a-question');
      counter('reads of what is there', count);
      assert.equal(count, 0);
    });
    await subtest('nothing went wrong at the daemon', () => {
      assert.deepEqual(daemon.problems, []);
    });
  },
});
