// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, DEFAULT_SESSION, defineCase, FOPEN, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;

/**
 * One file, two descriptors: the server gave one of them FOPEN_DIRECT_IO, the other is mapped through the page
 * cache. fuse_direct_io() (fs/fuse/file.c) writes back what is dirty and throws away what it makes stale.
 */
export default defineCase({
  title: 'FOPEN_DIRECT_IO on one descriptor, a shared mapping through another: they see each other\'s bytes',
  needs: ['device'],
  device: { session: { initFlags: [...DEFAULT_SESSION.initFlags, 'DIRECT_IO_ALLOW_MMAP'] } },
  proof: [mounted(), counted('direct-opens', 4)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const files = async (name: string) => {
      device.store.writeFile(`${share.storeDirectory}/${name}`, Buffer.alloc(4 * PAGE, 0x61));
      const [mapper, direct] = [await guest.actor(), await guest.actor()];
      device.session.configure({ openFlags: FOPEN.KEEP_CACHE });
      await mapper.open(0, `${share.guestDirectory}/${name}`, 'w');
      await mapper.mmap(0, 0, 0, 4 * PAGE, 'rw');
      device.session.configure({ openFlags: FOPEN.DIRECT_IO | FOPEN.KEEP_CACHE });
      await direct.open(0, `${share.guestDirectory}/${name}`, 'w');
      prove('direct-opens');
      return { mapper, direct };
    };
    await subtest('what is written directly is seen through the mapping', async () => {
      const { mapper, direct } = await files('written');
      assert.deepEqual(await mapper.load(0, 0, 4 * PAGE), [[0x61, 4 * PAGE]]);
      await direct.pwrite(0, PAGE - 3, 0x62, 10);
      assert.deepEqual(await mapper.load(0, 0, 4 * PAGE), [[0x61, PAGE - 3], [0x62, 10], [0x61, 3 * PAGE - 7]]);
    });
    await subtest('what is stored through the mapping is read directly', async () => {
      const { mapper, direct } = await files('stored');
      await mapper.store(0, PAGE, 0x63, PAGE);
      assert.deepEqual(await direct.pread(0, 0, 4 * PAGE), [[0x61, PAGE], [0x63, PAGE], [0x61, 2 * PAGE]]);
    });
    await subtest('a direct write into a page that is dirty keeps the rest of that page', async () => {
      const { mapper, direct } = await files('both');
      await mapper.store(0, 0, 0x64, 2 * PAGE);
      await direct.pwrite(0, 100, 0x65, 100);
      const expected = [[0x64, 100], [0x65, 100], [0x64, 2 * PAGE - 200], [0x61, 2 * PAGE]];
      assert.deepEqual(await mapper.load(0, 0, 4 * PAGE), expected);
      await mapper.msync(0);
      assert.deepEqual(await direct.pread(0, 0, 4 * PAGE), expected);
    });
    await subtest('a direct write that extends the file', async () => {
      const { mapper, direct } = await files('longer');
      assert.equal(await direct.pwrite(0, 4 * PAGE - 1, 0x66, 3), 3);
      assert.equal(await mapper.size(0), 4 * PAGE + 2);
      assert.deepEqual(await mapper.pread(0, 4 * PAGE - 2, 10), [[0x61, 1], [0x66, 3]]);
    });
  },
});
