// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** fuse_out_header (len, error, unique); an error reply is nothing else. */
const HEADER_BYTES = 16;
const ERRORS = [5, -512, -100_000];

/**
 * /dev/fuse refuses an error that is positive or -512 and below (fuse_dev_do_write(), fs/fuse/dev.c).
 * virtio-fs passed it on until 7.3 (virtio_fs_verify_response()), and a positive one becomes a pointer.
 */
export default defineCase({
  title: 'a reply with an error that is no errno: the call fails with EIO, and the kernel lives',
  needs: ['device'],
  proof: [mounted(), counted('bad-errors', ERRORS.length)],
  run: async ({ share, guest, device, subtest, prove }) => {
    for (const [index, error] of ERRORS.entries()) {
      await subtest(`LOOKUP answered with error ${error}`, async () => {
        const name = `file${index}`;
        device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(1));
        const actor = await guest.actor();
        const rule = device.script.on(
          { op: 'LOOKUP', path: `${share.storeDirectory}/${name}` },
          {
            kind: 'rewrite',
            reply: (bytes) => {
              const cut = Buffer.from(bytes.subarray(0, HEADER_BYTES));
              cut.writeUInt32LE(HEADER_BYTES, 0);
              cut.writeInt32LE(error, 4);
              return cut;
            },
          },
        );
        const looking = actor.stat(`${share.guestDirectory}/${name}`);
        await rule.arrived();
        prove('bad-errors');
        await assert.rejects(looking, { errno: 'EIO' });
        rule.remove();
        assert.equal(await actor.stat(`${share.guestDirectory}/${name}`), 1);
      });
    }
  },
});
