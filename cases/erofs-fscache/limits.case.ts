// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

/** Documentation/filesystems/caching/cachefiles.rst: 0 <= stop < cull < run < 100, in percent of blocks and of files. */
const REFUSED = ['bcull 100%', 'brun 101%', 'bstop -1%', 'brun 7', 'fcull x%', 'frun 5%', 'bstop 5%', 'fstop 7%', 'bcull 7%'] as const;

export default defineCase({
  title: 'cull limits: those in order are taken, others refused; a cache without directory, or bound in the plain way, serves nobody',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('limits-refused', REFUSED.length), counted('limits-taken', 6)],
  run: async ({ erofs, guest, subtest, prove }) => {
    await subtest('limits out of range or out of order', async () => {
      const daemon = await erofs.openDaemon();
      for (const limit of REFUSED) {
        prove('limits-refused');
        await assert.rejects(daemon.command(limit), { errno: /^(EINVAL|ERANGE)$/ }, limit);
      }
      await daemon.end();
    });
    await subtest('limits in order, and a cache with them serves', async () => {
      const daemon = await erofs.openDaemon();
      for (const limit of ['brun 30%', 'bcull 20%', 'bstop 10%', 'frun 30%', 'fcull 20%', 'fstop 10%']) {
        await daemon.command(limit);
        prove('limits-taken');
      }
      await daemon.bind(`${erofs.directory}/limited`, 1, 'tagged');
      await erofs.mount('merged-one');
      assert.deepEqual((await erofs.compare('merged-one')).differences, []);
      await erofs.umount();
      await daemon.end();
    });
    await subtest('bind without a directory', async () => {
      const daemon = await erofs.openDaemon();
      await assert.rejects(daemon.command('bind ondemand'), { errno: 'EINVAL' });
      await assert.rejects(daemon.command('bind nonsense'), { errno: 'EINVAL' });
      await daemon.end();
    });
    await subtest('bound without "ondemand": a mount fails, and the kernel lives', async () => {
      const daemon = await erofs.openDaemon();
      await guest.run(['mkdir', '-p', `${erofs.directory}/plain`]);
      await daemon.command(`dir ${erofs.directory}/plain`);
      await daemon.command('bind');
      await assert.rejects(erofs.mount('plain'), { errno: /^E/ });
      await daemon.end();
    });
    await subtest('on a file system that can not hold a cache', async () => {
      const daemon = await erofs.openDaemon();
      await guest.run(['mkdir', '-p', '/proc/self']);
      await daemon.command('dir /proc');
      await assert.rejects(daemon.command('bind ondemand'), { errno: /^E/ });
      await daemon.end();
    });
  },
});
