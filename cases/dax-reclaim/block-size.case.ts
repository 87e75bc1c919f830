// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const BLOCK_SIZES = [512, 4096, 65_536];

/**
 * A server may give any attr.blksize (a host's NFS says 1 MiB). Where FUSE gives its DAX files a ->writepages,
 * it ends in dax_writeback_mapping_range() (fs/dax.c), which takes any other than the page size for a bug.
 */
export default defineCase({
  title: 'attr.blksize other than the page size: what was stored through a mapping can be synced',
  needs: ['dax'],
  proof: [mounted(), counted('dirty-pages', BLOCK_SIZES.length)],
  run: async ({ share, guest, device, subtest, prove }) => {
    for (const blockBytes of BLOCK_SIZES) {
      await subtest(`blocks of ${blockBytes} bytes`, async () => {
        device.session.configure({ blockBytes });
        const name = `file${blockBytes}`;
        device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(4 * PAGE, 0x61));
        const actor = await guest.actor();
        await actor.open(0, `${share.guestDirectory}/${name}`, 'w');
        assert.equal((await guest.run(['stat', '-c', '%o', `${share.guestDirectory}/${name}`])).stdout.trim(), String(blockBytes));
        await actor.mmap(0, 0, 0, 4 * PAGE, 'rw');
        await actor.store(0, PAGE, 0x62, PAGE);
        prove('dirty-pages');
        assert.equal(await actor.msync(0), 0);
        await actor.store(0, 2 * PAGE, 0x63, 1);
        assert.equal(await actor.fsync(0), 0);
        assert.deepEqual(device.store.content(`${share.storeDirectory}/${name}`).read(PAGE - 1, PAGE + 3), Buffer.concat([Buffer.of(0x61), Buffer.alloc(PAGE, 0x62), Buffer.of(0x63, 0x61)]));
      });
    }
  },
});
