// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, LARGE } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'mounts that can not be: a blob too few, a blob too many, a blob that is not there, an option that is none',
  needs: ['erofs'],
  proof: [counted('mounts-refused', 4)],
  run: async ({ erofs, guest, subtest, prove }) => {
    const blob = erofs.backend === 'fscache' ? 'chunked.blob' : erofs.remotePath('chunked.blob');
    const refused = async (options: Parameters<typeof erofs.mount>[1]) => {
      prove('mounts-refused');
      await assert.rejects(erofs.mount('chunked', options), { errno: /^E/ });
    };
    await subtest('without its blob: refused, or every file that lies there is an error', async () => {
      prove('mounts-refused');
      const mounted = await erofs.mount('chunked', { ...erofs.fileOf('chunked'), devices: [] }).then(() => true, () => false);
      if (!mounted) return;
      const actor = await guest.actor();
      await actor.open(0, `/mnt/share/${LARGE.path}`, 'r');
      await assert.rejects(actor.sum(0, 0, 4_096), { errno: /^E/ });
      await actor.end();
      await erofs.umount();
    });
    await subtest('with a blob too many', () => refused({ ...erofs.fileOf('chunked'), devices: [blob, blob] }));
    await subtest('an option that is none', () => refused({ ...erofs.fileOf('chunked'), devices: [blob], also: ['nonsense=1'] }));
    await subtest('an image of another kind of file', async () => {
      await refused({ file: erofs.backend === 'fscache' ? 'standard.manifest' : erofs.remotePath('standard.manifest') });
    });
    await subtest('and then as it should be', async () => {
      await erofs.mount('chunked');
      assert.deepEqual((await erofs.compare('chunked')).differences, []);
    });
  },
});
