// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

const THREADS = 8;

/** cachefiles_ondemand_daemon_read() with many readers: each request is given to one of them. */
export default defineCase({
  title: 'eight threads of a daemon read the device: every request is delivered once',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('requests', 40), counted('images-compared', 2)],
  timeoutSeconds: 30,
  run: async ({ erofs, subtest, prove }) => {
    const daemon = await erofs.startDaemon({ readers: THREADS });
    await subtest('two images, read at the same time', async () => {
      const images = [['chunked', '/mnt/one'], ['merged-one', '/mnt/two']] as const;
      for (const [name, at] of images) await erofs.mount(name, { at });
      for (const { differences } of await Promise.all(images.map(([name, at]) => erofs.compare(name, at)))) {
        assert.deepEqual(differences, []);
        prove('images-compared');
      }
    });
    await subtest('each id was delivered once while it was waited for', () => {
      prove('requests', daemon.requests.length);
      // Ids come round again (msg_id_next), but a request that is delivered twice would be answered twice: EINVAL.
      assert.deepEqual(daemon.problems, []);
      const ids = daemon.requests.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
    });
  },
});
