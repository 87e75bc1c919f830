// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, waits } from '../../harness/suite/define-case.ts';

const ERRORS = [['ENOENT', 2], ['EIO', 5], ['ENOSPC', 28]] as const;

export default defineCase({
  title: 'OPEN answered by an error or by nobody: mount or read fail with an errno, and nothing waits for ever',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('opens-refused', 7)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon();
    for (const [part, cookie] of [['image', 'chunked.img'], ['blob', 'chunked.blob']] as const) {
      for (const [name, errno] of ERRORS) {
        await subtest(`the ${part}'s OPEN answered by ${name}`, async () => {
          daemon.behaviour = {
            open: async (request) => {
              if (request.cookie !== cookie) {
                await daemon.serveOpen(request);
                return;
              }
              prove('opens-refused');
              await daemon.refuse(request, errno);
            },
          };
          if (part === 'image') await assert.rejects(erofs.mount('chunked'), { errno: /^E/ });
          else {
            // Nobody waits for a blob at mount; it is missed when it is wanted.
            await erofs.mount('chunked');
            const actor = await guest.actor();
            await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
            await assert.rejects(actor.sum(0, 0, 10), { errno: /^E/ });
            await actor.end();
            await erofs.umount();
          }
        });
      }
    }
    await subtest('no answer at all: mount waits, SIGKILL or not, until the daemon is gone', async () => {
      daemon.behaviour = { open: () => Promise.resolve() };
      const [mounter, clock] = [await guest.actor(), await guest.actor()];
      const before = daemon.count('opens');
      const mounting = erofs.mount('plain', { by: mounter }).then(() => 'mounted', (error: unknown) => (error as { readonly errno?: string }).errno ?? 'gone');
      await daemon.until(() => daemon.count('opens') > before);
      prove('opens-refused');
      assert.ok(await waits(mounting, () => clock.stat('/')));
      daemon.die();
      assert.match(await mounting, /^E/);
    });
    await subtest('with no daemon at all a mount fails', async () => {
      await assert.rejects(erofs.mount('plain'), { errno: /^E/ });
    });
    await subtest('with another daemon an image is mounted and read', async () => {
      (await erofs.startDaemon()).answerBytes = 1_048_576;
      await erofs.mount('plain');
      assert.deepEqual((await erofs.compare('plain')).differences, []);
    });
  },
});
