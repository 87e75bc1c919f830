// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, SECOND } from '../../harness/suite/define-case.ts';

const ROUNDS = 3;
const RANDOM_READS = 200;
const MIB = 1024 * 1024;

/** A scenario that measures: the same work on the same files, by turns, in one guest. */
export default defineCase({
  title: 'sequential reads, random reads and a tar of the tree: ext4, loop, fscache (cold and warm) and a FUSE server',
  needs: ['comparison', 'erofs-on-demand', 'erofs'],
  proof: [counted('workloads', ROUNDS * 3 * 5), counted('on-demand-reads', 1)],
  timeoutSeconds: 60,
  run: async ({ erofs, guest, subtest, prove, measured }) => {
    await erofs.mountByLoop('chunked', '/mnt/loop');
    await erofs.mountByFuse('/mnt/fuse');
    const native = `${erofs.directory}/native`;
    await erofs.must(['mkdir', '-p', native]);
    // Files and directories alone: what a FUSE server has of it too.
    for (const name of [LARGE.path, SECOND.path, 'holes', 'bin', 'small', 'deep']) await erofs.must(['cp', '-a', `/mnt/loop/${name}`, `${native}/`]);
    await erofs.must(['sync']);

    const work = (at: string) =>
      [
        ['sequential read', ['sequential', `${at}/${LARGE.path}`, `${at}/${SECOND.path}`]],
        [`random read, ${RANDOM_READS} times 4 KiB`, ['random', String(RANDOM_READS), `${at}/${LARGE.path}`]],
        ['tar to /dev/null', ['run', 'tar', 'cf', '/dev/null', '-C', at, LARGE.path, SECOND.path, 'bin', 'small', 'deep']],
      ] as const;
    const on = async (subject: string, at: string, index: number) => {
      const [workload, words] = work(at)[index] ?? work(at)[0];
      await erofs.dropCaches();
      const { bytes, nanoseconds } = await erofs.workload(...words);
      measured(workload, subject, 'ms', nanoseconds / 1e6);
      prove('workloads');
      return bytes;
    };

    for (let round = 1; round <= ROUNDS; round++) {
      await subtest(`round ${round}: the same bytes everywhere`, async () => {
        for (let index = 0; index < 3; index++) {
          const bytes = [await on('ext4', native, index), await on('loop', '/mnt/loop', index)];
          // A cache that is empty, and a daemon that answers with a megabyte.
          const daemon = await erofs.startDaemon({ cache: `${erofs.directory}/cache-${round}-${index}` });
          daemon.answerBytes = MIB;
          await erofs.mount('chunked', { at: '/mnt/fscache' });
          const before = daemon.count('reads');
          bytes.push(await on('fscache, cold', '/mnt/fscache', index));
          const asked = daemon.count('reads') - before;
          prove('on-demand-reads', asked);
          bytes.push(await on('fscache, warm', '/mnt/fscache', index));
          const askedAgain = daemon.count('reads') - before - asked;
          assert.equal(askedAgain, 0);
          const [workload] = work('')[index] ?? [''];
          const mebibytes = (bytes[0] ?? 0) / MIB;
          if (mebibytes > 0) {
            measured(`${workload}: questions`, 'fscache, cold', 'events a MiB', asked / mebibytes);
            measured(`${workload}: questions`, 'fscache, warm', 'events a MiB', askedAgain / mebibytes);
          }
          await erofs.umount('/mnt/fscache');
          await daemon.end();
          bytes.push(await on('FUSE server', '/mnt/fuse', index));
          assert.equal(new Set(bytes).size, 1, bytes.join(', '));
        }
      });
    }
    await guest.run(['sync']);
  },
});
