// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

/** What lies behind the end of a backing file that was cut after the mount is gone: zeros would be a lie. */
export default defineCase({
  title: 'the backing file is truncated under a mounted image: what is gone is an error, what is left is right',
  needs: ['file-backed', 'erofs'],
  proof: [counted('reads-behind-the-end', 3)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const copy = async (name: string) => {
      await erofs.must(['cp', erofs.remotePath(name), `${erofs.directory}/${name}`]);
      return `${erofs.directory}/${name}`;
    };
    const [image, blob] = [await copy('chunked.img'), await copy('chunked.blob')];
    await erofs.mount('chunked', { file: image, devices: [blob] });
    const actor = await guest.actor();
    await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
    const size = erofs.sizeOf('chunked.blob');
    const left = Math.floor(size / 2 / PAGE) * PAGE + 100;

    await subtest('before: every byte', async () => {
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
    });
    await subtest('after: no byte is wrong; what is not there is EIO', async () => {
      await erofs.must(['truncate', '-s', String(left), blob]);
      await erofs.dropCaches();
      const { differences } = await erofs.compare('chunked');
      const wrong = differences.filter((line) => !/: (read at \d+|open): (Input\/output error|I\/O error)$/.test(line));
      assert.deepEqual(wrong, []);
      assert.ok(differences.length > 0, 'nothing was missed');
      prove('reads-behind-the-end', differences.length);
    });
    await subtest('cut to nothing', async () => {
      await erofs.must(['truncate', '-s', '0', blob]);
      await erofs.dropCaches();
      await assert.rejects(actor.sum(0, 0, PAGE), { errno: 'EIO' });
      prove('reads-behind-the-end');
      await assert.rejects(actor.sum(0, LARGE.sizeBytes - PAGE, PAGE), { errno: 'EIO' });
      prove('reads-behind-the-end');
    });
  },
});
