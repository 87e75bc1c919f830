// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, MANY_FILES_COUNT } from '../../harness/suite/define-case.ts';

export default defineCase({
  title: 'a directory of ten thousand files: listed, every one looked at and read',
  needs: ['erofs'],
  proof: [counted('names', MANY_FILES_COUNT), counted('entries', MANY_FILES_COUNT)],
  timeoutSeconds: 40,
  run: async ({ erofs, guest, subtest, prove }) => {
    await erofs.mount('many');
    await subtest('every name once', async () => {
      const { stdout } = await guest.run(['sh', '-c', 'ls /mnt/share/all | grep -c ^file-; ls /mnt/share/all | grep ^file- | sort -u | wc -l']);
      const [all, different] = stdout.trim().split('\n').map(Number);
      assert.equal(all, MANY_FILES_COUNT);
      assert.equal(different, MANY_FILES_COUNT);
      prove('names', all);
    });
    await subtest('a name that is not there, before, between and behind those that are', async () => {
      const actor = await guest.actor();
      for (const name of ['a', 'file-', 'file-05000x', 'zzz']) await assert.rejects(actor.stat(`/mnt/share/all/${name}`), { errno: 'ENOENT' });
      assert.equal(await actor.stat('/mnt/share/all/file-09999'), 9_999 % 50);
    });
    await subtest('every attribute and byte', async () => {
      const { entries, differences } = await erofs.compare('many');
      assert.deepEqual(differences, []);
      prove('entries', entries);
    });
  },
});
