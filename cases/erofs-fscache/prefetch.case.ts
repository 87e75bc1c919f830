// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'what is fetched before anybody misses it is never asked for',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('megabytes-prefetched', 25), counted('entries', 1_000)],
  wire: { 'reads after a prefetch, plain': 'same', 'reads after a prefetch, chunked': 'same' },
  timeoutSeconds: 30,
  run: async ({ erofs, subtest, prove, counter }) => {
    const daemon = await erofs.startDaemon();
    for (const name of ['plain', 'chunked'] as const) {
      await subtest(`${name}: prefetched behind the first mount's back, then read in full without one question`, async () => {
        const bytes = daemon.count('bytes fetched');
        await erofs.mount(name);
        for (const open of daemon.of('open').filter(({ volume }) => volume === `erofs,${name}.img`)) await daemon.fetch(open, 0, daemon.remote(open.cookie)?.sizeBytes ?? 0);
        prove('megabytes-prefetched', Math.floor((daemon.count('bytes fetched') - bytes) / 1e6));
        const before = daemon.count('reads');
        for (let mounts = 0; mounts < 2; mounts++) {
          const { differences, entries } = await erofs.compare(name);
          assert.deepEqual(differences, []);
          prove('entries', entries);
          await erofs.umount();
          await erofs.dropCaches();
          await erofs.mount(name);
        }
        await erofs.umount();
        counter(`reads after a prefetch, ${name}`, daemon.count('reads') - before);
        assert.equal(daemon.count('reads') - before, 0);
      });
    }
    await subtest('nothing went wrong at the daemon', () => {
      assert.deepEqual(daemon.problems, []);
    });
  },
});
