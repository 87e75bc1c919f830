// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const MIB = 1024 * 1024;
const READERS = 4;
/** EIO for the request that was flushed, ENOBUFS where the page is tried again and the cache is found dead. */
const DEAD = /^(EIO|ENOBUFS)$/;

/** cachefiles_daemon_release() (fs/cachefiles/daemon.c): the cache is dead, and every request in it is answered with EIO. */
export default defineCase({
  title: 'the daemon dies and nobody keeps the device: readers that wait get an error, and another daemon begins anew',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('readers-released', READERS), counted('daemons', 2)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const path = `/mnt/share/${LARGE.path}`;
    const daemon = await erofs.startDaemon();
    prove('daemons');
    await erofs.mount('chunked');
    const actors = await Promise.all(Array.from({ length: READERS }, () => guest.actor()));
    for (const actor of actors) await actor.open(0, path, 'r');
    await actors[0]?.sum(0, 0, PAGE);

    await subtest(`${READERS} readers that wait`, async () => {
      daemon.behaviour = { read: () => Promise.resolve() };
      const before = daemon.count('reads');
      const reading = actors.map((actor, index) => actor.sum(0, index * MIB + MIB / 2, PAGE).then(() => 'data', (error: unknown) => (error as { readonly errno?: string }).errno));
      await daemon.until(() => daemon.count('reads') >= before + READERS);
      daemon.die();
      await daemon.exited;
      for (const end of await Promise.all(reading)) {
        assert.match(String(end), DEAD);
        prove('readers-released');
      }
    });
    await subtest('what was read before still is; what was not is an error, at once', async () => {
      const actor = await guest.actor();
      await actor.open(0, path, 'r');
      assert.ok((await actor.sum(0, 0, PAGE)) > 0);
      await assert.rejects(actor.sum(0, 2 * MIB, PAGE), { errno: DEAD });
    });
    await subtest('another daemon on the same directory: a new mount reads all, and asks only for what is not there', async () => {
      for (const actor of actors) await actor.end();
      await erofs.umount();
      const next = await erofs.startDaemon();
      prove('daemons');
      // Exact answers tell what was kept; megabytes would hide it.
      await erofs.mount('chunked');
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
      assert.deepEqual(next.problems, []);
      assert.ok(!next.of('read', 'chunked.blob').some(({ offset }) => daemon.of('read', 'chunked.blob')[0]?.offset === offset), 'the first page was fetched twice');
    });
  },
});
