// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE, SECOND, waits } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'umount while a reader waits for its data, and what the daemon hears when an image goes',
  needs: ['erofs-on-demand', 'erofs'],
  proof: [counted('umounts', 3)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const daemon = await erofs.startDaemon();
    await erofs.mount('chunked');
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const [first, second] = [await guest.actor(), await guest.actor()];
    await first.open(0, `/mnt/share/${LARGE.path}`, 'r');
    await second.open(0, `/mnt/share/${SECOND.path}`, 'r');
    daemon.behaviour = {
      read: async (request) => {
        await gate;
        await daemon.serveRead(request);
      },
    };
    await subtest('EBUSY, and the reader waits on', async () => {
      const reading = first.sum(0, 0, 4_096);
      await daemon.until(() => daemon.of('read', 'chunked.blob').length > 0);
      await assert.rejects(erofs.umount(), { errno: 'EBUSY' });
      prove('umounts');
      assert.ok(await waits(reading, () => second.size(0)));
      await erofs.umount(undefined, true);
      prove('umounts');
      go();
      assert.ok((await reading) > 0);
    });
    await subtest('a lazily unmounted image serves those who have it open', async () => {
      assert.ok((await second.sum(0, 1_000_000, 4_096)) > 0);
    });
    await subtest('with the last of them gone every object is closed', async () => {
      await first.end();
      await second.end();
      await daemon.until(() => daemon.count('closes') >= daemon.count('opens'));
      assert.equal(daemon.count('closes'), daemon.count('opens'));
    });
    await subtest('and it is mounted again as if nothing had been', async () => {
      daemon.behaviour = {};
      daemon.answerBytes = 1_048_576;
      await erofs.mount('chunked');
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
      await erofs.umount();
      prove('umounts');
      assert.deepEqual(daemon.problems, []);
    });
  },
});
