// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, DEFAULT_SESSION, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const NOBODY = 65_534;

/**
 * With write-back caching a truncate that also changes the mode (it takes away set-user-ID) first writes back what
 * is dirty: fuse_do_setattr() (fs/fuse/dir.c), with the invalidate lock held. Where that fails, the lock must go.
 */
export default defineCase({
  title: 'a truncate whose write-back fails: the file is still of use afterwards',
  needs: ['dax'],
  // Blocks that are not pages are what older kernels fail to write back (dax-reclaim/block-size).
  device: { session: { blockBytes: 512, initFlags: [...DEFAULT_SESSION.initFlags.filter((flag) => flag !== 'HANDLE_KILLPRIV_V2'), 'WRITEBACK_CACHE'] } },
  proof: [mounted(), counted('truncations', 1)],
  timeoutSeconds: 6,
  run: async ({ share, guest, device, subtest, prove }) => {
    await subtest('it is mapped, read and truncated as before', async () => {
      const path = `${share.guestDirectory}/file`;
      device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(RANGE, 0x61));
      await guest.run(['sh', '-c', `chown nobody ${path} && chmod 4755 ${path} && chmod 777 ${share.guestDirectory}`]);
      const actor = await guest.actor();
      await actor.open(0, path, 'w');
      await actor.mmap(0, 0, 0, RANGE, 'rw');
      await actor.store(0, 0, 0x62, PAGE);
      const other = await guest.actor();
      await other.become(NOBODY);
      await other.open(0, path, 'w');
      // Whether it fails is the kernel's affair; one who is not root takes set-user-ID away by it.
      await other.ftruncate(0, RANGE - PAGE).catch(() => undefined);
      prove('truncations');
      assert.deepEqual(await actor.load(0, 0, PAGE + 1), [[0x62, PAGE], [0x61, 1]]);
      await actor.store(0, PAGE, 0x63, 1);
      assert.deepEqual(await actor.pread(0, PAGE, 2), [[0x63, 1], [0x61, 1]]);
      assert.equal(await actor.ftruncate(0, PAGE), 0);
      assert.equal(await actor.size(0), PAGE);
    });
  },
});
