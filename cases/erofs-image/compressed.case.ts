// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'an image compressed by lz4: every byte, before and after drop_caches',
  needs: ['compression', 'erofs'],
  proof: [counted('images-compared', 2)],
  timeoutSeconds: 25,
  run: async ({ erofs, subtest, prove }) => {
    await erofs.mount('compressed');
    for (const when of ['cold', 'after drop_caches']) {
      await subtest(when, async () => {
        assert.deepEqual((await erofs.compare('compressed')).differences, []);
        prove('images-compared');
        await erofs.dropCaches();
      });
    }
  },
});
