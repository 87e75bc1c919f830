// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../../define-case.ts';

export default defineCase({
  title: 'a case that asks for fio has it',
  tools: ['fio'],
  proof: [counted('bytes-verified')],
  run: async ({ guest, share, subtest, prove }) => {
    await subtest('writes and verifies 1 MiB', async () => {
      const { code, stdout, stderr } = await guest.run(['/fuselage/bin/fio', '--name=v', `--directory=${share.guestDirectory}`, '--rw=write', '--size=1m', '--verify=crc32c', '--minimal']);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^3;/m);
      prove('bytes-verified', 1024 * 1024);
    });
  },
});
