// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** Newer kernels ask by the second, which can say how much was copied in 64 bits. */
const OPERATIONS = ['COPY_FILE_RANGE', 'COPY_FILE_RANGE_64'] as const;
const PAGE = 4096;
const ASKED = 3 * PAGE + 7;
/** fuse_write_out.size follows the fuse_out_header. */
const SIZE_AT = 16;
const COUNTS = [ASKED + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** __fuse_copy_file_range() (fs/fuse/file.c) takes the server's count for its own result: it must not exceed what was asked. */
export default defineCase({
  title: 'copy_file_range: done by the server, and a count of more than was asked for is an error',
  needs: ['device'],
  proof: [mounted(), counted('ranges-copied', 1 + COUNTS.length)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const files = async () => {
      const actor = await guest.actor();
      for (const [handle, name, byte] of [[0, 'from', 0x61], [1, 'to', 0x62]] as const) {
        device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(4 * PAGE, byte));
        await actor.open(handle, `${share.guestDirectory}/${name}`, 'w');
      }
      return actor;
    };
    await subtest('unaligned, over a part of the page cache that is dirty', async () => {
      const actor = await files();
      const copies = device.script.watch({ op: OPERATIONS });
      await actor.mmap(1, 1, 0, 4 * PAGE, 'rw');
      await actor.store(1, 0, 0x63, 4 * PAGE);
      assert.equal(await actor.copyRange(0, 5, 1, 9, ASKED), ASKED);
      prove('ranges-copied', copies.arrivals.length);
      const expected = [[0x63, 9], [0x61, ASKED], [0x63, 4 * PAGE - ASKED - 9]];
      assert.deepEqual(await actor.load(1, 0, 4 * PAGE), expected);
      assert.deepEqual(await actor.pread(1, 0, 5 * PAGE), expected);
    });
    for (const count of COUNTS) {
      await subtest(`${ASKED} bytes asked for, ${count} said to be copied`, async () => {
        const actor = await files();
        const rule = device.script.on({ op: OPERATIONS }, { kind: 'rewrite', reply: (bytes) => (bytes.writeUInt32LE(count, SIZE_AT), bytes) });
        await assert.rejects(actor.copyRange(0, 0, 1, 0, ASKED), { errno: 'EIO' });
        prove('ranges-copied', rule.arrivals.length);
        rule.remove();
        assert.equal(await actor.size(1), 4 * PAGE);
      });
    }
  },
});
