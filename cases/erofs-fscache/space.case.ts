// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const MIB = 1024 * 1024;

export default defineCase({
  title: 'the cache\'s disk is full: the daemon hears it, the reader gets an error, and afterwards all is well',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('writes-refused', 1)],
  timeoutSeconds: 25,
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon();
    await erofs.mount('chunked');
    const actor = await guest.actor();
    await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
    const filler = `${erofs.directory}/filler`;
    let refusals = 0;
    daemon.behaviour = {
      read: async (request) => {
        try {
          await daemon.fetch(request, request.offset, request.length);
        } catch (error) {
          assert.match(String((error as { readonly errno?: string }).errno), /ENOSPC|ENOBUFS/);
          refusals++;
          prove('writes-refused');
        }
        await daemon.cread(request);
      },
    };
    await subtest('a read of what can not be stored fails', async () => {
      // All that is free, to the last block.
      await guest.run(['sh', '-c', `dd if=/dev/zero of=${filler} bs=1048576; dd if=/dev/zero of=${filler}2 bs=4096; sync`]);
      await assert.rejects(actor.sum(0, MIB, MIB), { errno: /^(EIO|ENOSPC|ENOBUFS)$/ });
      assert.ok(refusals > 0);
    });
    await subtest('with space again it is read in full', async () => {
      await guest.run(['sh', '-c', `rm ${filler} ${filler}2; sync`]);
      daemon.behaviour = {};
      daemon.answerBytes = MIB;
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
    });
  },
});
