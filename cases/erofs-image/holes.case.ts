// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, HOLES } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const MIB = 1024 * 1024;
/** Where data begin or end: holes' segments (trees.ts). The image with chunks has holes at those of whole chunks. */
const EDGES = [MIB, 2 * MIB, 4 * MIB, 5 * MIB];

/** One read, and the readahead behind it, over the edge of a hole: each part must come from where it lies. */
export default defineCase({
  title: 'a first read across the edge between a hole and data: neither zeros for data nor data for zeros',
  needs: ['erofs'],
  proof: [counted('edges-crossed', 2 * EDGES.length)],
  run: async ({ erofs, guest, subtest, prove }) => {
    for (const name of ['plain', 'chunked'] as const) {
      await erofs.mount(name);
      for (const edge of EDGES) {
        await subtest(`${name}: from 16 KiB before ${edge / MIB} MiB to 112 KiB behind it`, async () => {
          // Nothing of it in memory; readahead starts where the read does.
          await erofs.dropCaches();
          const actor = await guest.actor();
          await actor.open(0, `/mnt/share/${HOLES.path}`, 'r');
          prove('edges-crossed');
          assert.equal(await actor.sum(0, edge - 4 * PAGE, 32 * PAGE), erofs.sumOf(HOLES, edge - 4 * PAGE, 32 * PAGE));
        });
      }
      await erofs.umount();
    }
  },
});
