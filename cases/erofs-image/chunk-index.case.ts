// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase } from '../../harness/suite/define-case.ts';

/** struct erofs_inode_chunk_index (fs/erofs/erofs_fs.h): u16 startblk_hi, u16 device_id, u32 startblk_lo. */
const DEVICE_ID_AT = 2;
const START_BLOCK_AT = 4;
/** The image is one block; with so much behind it a read in the wrong device succeeds, readahead and all. */
const IMAGE_BYTES = 1024 * 1024;
/** Of the image's root, in the upper layer; and one of the lower. */
const [CORRUPTED, LEFT] = ['replaced', 'base/second'];

export default defineCase({
  title: 'a chunk index that points to no device, or behind the end of one: an error for that file, and only for it',
  needs: ['erofs'],
  proof: [counted('chunks-corrupted', 2)],
  run: async ({ erofs, guest, subtest, prove }) => {
    // The table has two devices; the field is masked to two bits (device_id_mask).
    const WRONG = [
      // Block 0 is there on every device: only the device can be what is wrong.
      ['device 3 of 2', [[DEVICE_ID_AT, 2, 3], [START_BLOCK_AT, 4, 0]]],
      ['a block far behind the end', [[START_BLOCK_AT, 4, 0x00ff_ffff]]],
    ] as const;
    for (const [what, fields] of WRONG) {
      await subtest(what, async () => {
        const index = await erofs.chunkIndexOf('merged-one', CORRUPTED);
        const file = await erofs.corrupt('merged-one.img', async (write) => {
          for (const [at, width, value] of fields) await write(index + at, width, value);
        }, { sizeBytes: IMAGE_BYTES });
        prove('chunks-corrupted');
        await erofs.mount('merged-one', { file });
        const actor = await guest.actor();
        await actor.open(0, `/mnt/share/${CORRUPTED}`, 'r');
        await actor.open(1, `/mnt/share/${LEFT}`, 'r');
        await assert.rejects(actor.sum(0, 0, 4_096), { errno: /^(EIO|ENODEV|EINVAL|EUCLEAN|ENOBUFS)$/ });
        assert.ok((await actor.sum(1, 0, 4_096)) > 0);
        await actor.end();
        await erofs.umount();
      });
    }
  },
});
