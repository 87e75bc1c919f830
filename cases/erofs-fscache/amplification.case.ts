// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const CHUNK = 1024 * 1024;

export default defineCase({
  title: 'a daemon that answers a page with a megabyte: the neighbours are never asked for',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('megabytes-read', 8)],
  wire: { 'reads, exact answers': 'same', 'reads, a MiB each': 'same' },
  run: async ({ erofs, guest, subtest, prove, counter }) => {
    const wholeFile = async (cache: string, amplified: boolean) => {
      const daemon = await erofs.startDaemon({ cache: `${erofs.directory}/${cache}` });
      if (amplified) daemon.answerBytes = CHUNK;
      await erofs.mount('chunked');
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      const before = daemon.of('read', 'chunked.blob').length;
      for (let offset = 0; offset < LARGE.sizeBytes; offset += CHUNK) prove('megabytes-read', (await actor.sum(0, offset, CHUNK)) > 0 ? 1 : 0);
      await actor.end();
      const count = daemon.of('read', 'chunked.blob').length - before;
      assert.deepEqual(daemon.problems, []);
      await erofs.umount();
      await daemon.end();
      return count;
    };
    await subtest('five megabytes of a file: fewer questions than megabytes touched, and far fewer than exact answers need', async () => {
      const exact = await wholeFile('exact', false);
      const amplified = await wholeFile('amplified', true);
      counter('reads, exact answers', exact);
      counter('reads, a MiB each', amplified);
      // The file's chunks lie in as many megabytes of the blob as it has, and in one more where it begins inside of one.
      assert.ok(amplified >= 1 && amplified <= Math.ceil(LARGE.sizeBytes / CHUNK) + 1, `${amplified} questions`);
      assert.ok(exact >= 4 * amplified, `${exact} questions against ${amplified}`);
    });
    await subtest('a page, and then one far behind it in the same megabyte', async () => {
      const daemon = await erofs.startDaemon({ cache: `${erofs.directory}/page` });
      daemon.behaviour = {
        read: async (request) => {
          await daemon.fetch(request, request.offset, CHUNK);
          await daemon.cread(request);
        },
      };
      await erofs.mount('chunked');
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      await actor.sum(0, 0, PAGE);
      const before = daemon.count('reads');
      await actor.sum(0, CHUNK - PAGE, PAGE);
      assert.equal(daemon.count('reads'), before);
    });
  },
});
