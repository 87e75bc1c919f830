// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

/**
 * Without FOPEN_KEEP_CACHE an open throws away the page cache (fuse_finish_open(), fs/fuse/file.c). A DAX
 * file has none: since the page reference rework of 6.15 its entries are thrown away all the same, while
 * their pages are mapped, and dax_disassociate_entry() (fs/dax.c) warns about it.
 */
export default defineCase({
  title: 'opening a DAX file that another process has mapped and dirtied, when the server does not say KEEP_CACHE',
  needs: ['dax'],
  device: { session: { openFlags: 0 } },
  proof: [mounted(), counted('opens-while-mapped', 2)],
  run: async ({ share, guest, device, subtest, prove }) => {
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(4 * PAGE, 0x61));
    const [holder, opener] = [await guest.actor(), await guest.actor()];
    await holder.open(0, `${share.guestDirectory}/file`, 'w');
    await holder.mmap(0, 0, 0, 4 * PAGE, 'rw');

    await subtest('the mapping and the new descriptor see each other\'s bytes', async () => {
      await holder.store(0, 0, 0x62, PAGE);
      await opener.open(0, `${share.guestDirectory}/file`, 'w');
      prove('opens-while-mapped');
      assert.deepEqual(await opener.pread(0, 0, 2 * PAGE), [[0x62, PAGE], [0x61, PAGE]]);
      await opener.pwrite(0, PAGE, 0x63, PAGE);
      assert.deepEqual(await holder.load(0, 0, 4 * PAGE), [[0x62, PAGE], [0x63, PAGE], [0x61, 2 * PAGE]]);
    });
    await subtest('stores after the open reach the file', async () => {
      await opener.open(1, `${share.guestDirectory}/file`, 'r');
      prove('opens-while-mapped');
      await holder.store(0, 2 * PAGE, 0x64, PAGE);
      assert.deepEqual(device.store.content(`${share.storeDirectory}/file`).read(2 * PAGE - 1, PAGE + 2), Buffer.concat([Buffer.of(0x63), Buffer.alloc(PAGE, 0x64), Buffer.of(0x61)]));
    });
  },
});
