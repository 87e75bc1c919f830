// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

const IMAGES = ['plain', 'chunked', 'merged-one', 'merged-two'] as const;
const AGAIN: ReadonlySet<string> = new Set(['plain', 'merged-one']);

export default defineCase({
  title: 'every name, attribute, xattr and byte of an image is what it was made from, before and after drop_caches',
  needs: ['erofs'],
  proof: [counted('images-compared', IMAGES.length + AGAIN.size), counted('entries', 700), counted('megabytes', 40), counted('xattrs', 300)],
  timeoutSeconds: 40,
  run: async ({ erofs, subtest, prove }) => {
    for (const name of IMAGES) {
      await subtest(name, async () => {
        await erofs.mount(name);
        // From the page cache's own files again, where an image is one file and where it is several.
        for (let round = 0; round < (AGAIN.has(name) ? 2 : 1); round++) {
          const { entries, bytes, xattrs, differences } = await erofs.compare(name);
          prove('images-compared');
          prove('entries', entries);
          prove('megabytes', Math.floor(bytes / 1e6));
          prove('xattrs', xattrs);
          assert.deepEqual(differences, []);
          await erofs.dropCaches();
        }
        await erofs.umount();
      });
    }
  },
});
