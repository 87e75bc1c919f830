// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 4;

/**
 * Each subtest fills the window with its file, so that the worker starts, holds the worker's removal of the
 * first range, starts the operation, and lets the removal go once the operation is under way or done.
 */
export default defineCase({
  title: 'truncate, hole punching, rename, unlink, drop_caches and remount while a range is being reclaimed',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('reclaims-met', 5)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const filled = async (name: string) => {
      await guest.remount();
      const path = `${share.storeDirectory}/${name}`;
      device.store.writeFile(path, Buffer.alloc(WINDOW_RANGES * RANGE, 0x61));
      const [holder, other] = [await guest.actor(), await guest.actor()];
      const worker = device.script.hold({ op: 'REMOVEMAPPING', path, times: 1 });
      await holder.open(0, `${share.guestDirectory}/${name}`, 'w');
      await other.open(0, `${share.guestDirectory}/${name}`, 'w');
      await holder.mmap(0, 0, 0, WINDOW_RANGES * RANGE, 'rw');
      await holder.fill(0, RANGE, 0x62, 0, WINDOW_RANGES * RANGE);
      await worker.arrived();
      prove('reclaims-met');
      return { path, holder, other, worker, content: device.store.content(path) };
    };

    await subtest('truncate to nothing: loads are SIGBUS, and what grows back is zero', async () => {
      const { holder, other, worker, content } = await filled('truncate');
      const truncating = other.ftruncate(0, 0);
      worker.release();
      await truncating;
      assert.equal(content.sizeBytes, 0);
      await assert.rejects(holder.load(0, 0, 1), { errno: 'SIGBUS' });
      await other.ftruncate(0, WINDOW_RANGES * RANGE);
      for (let range = 0; range < WINDOW_RANGES; range++) assert.deepEqual(await holder.load(0, range * RANGE, PAGE), [[0, PAGE]]);
    });

    await subtest('truncate within a range: the rest of it stays, the tail is zero when it grows back', async () => {
      const { holder, other, worker, content } = await filled('cut');
      const truncating = other.ftruncate(0, RANGE + 100);
      worker.release();
      await truncating;
      await other.ftruncate(0, 2 * RANGE);
      assert.deepEqual(await holder.load(0, RANGE, 200), [[0x62, 1], [0x61, 99], [0, 100]]);
      assert.deepEqual(content.read(RANGE + 98, 4), Buffer.of(0x61, 0x61, 0, 0));
    });

    await subtest('punching a hole: its pages read as zeros, through mapping and descriptor', async () => {
      const { holder, other, worker, content } = await filled('punch');
      const punching = other.punch(0, RANGE - PAGE, 2 * PAGE);
      worker.release();
      await punching;
      assert.deepEqual(await holder.load(0, RANGE - PAGE - 1, 2 * PAGE + 2), [[0x61, 1], [0, 2 * PAGE], [0x61, 1]]);
      assert.deepEqual(await other.pread(0, RANGE - PAGE - 1, 2), [[0x61, 1], [0, 1]]);
      assert.deepEqual(content.read(RANGE + PAGE - 1, 2), Buffer.of(0, 0x61));
    });

    await subtest('rename does not wait for the removal, and the mapping goes with the file', async () => {
      const { holder, other, worker } = await filled('old-name');
      await other.rename(`${share.guestDirectory}/old-name`, `${share.guestDirectory}/new-name`);
      worker.release();
      await holder.store(0, 10, 0x63, 1);
      assert.equal(device.store.content(`${share.storeDirectory}/new-name`).read(10, 1)[0], 0x63);
    });

    await subtest('unlink: the open file stays whole, and its ranges go with its last descriptor', async () => {
      const { holder, other, worker } = await filled('unlinked');
      await other.unlink(`${share.guestDirectory}/unlinked`);
      worker.release();
      for (let range = 0; range < WINDOW_RANGES; range++) assert.deepEqual(await holder.load(0, range * RANGE, 2), [[0x62, 1], [0x61, 1]]);
    });

    await subtest('drop_caches meanwhile: everything reads as before', async () => {
      const { holder, worker } = await filled('dropped');
      const dropping = guest.run(['sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches']);
      worker.release();
      await dropping;
      for (let range = 0; range < WINDOW_RANGES; range++) assert.deepEqual(await holder.load(0, range * RANGE, 2), [[0x62, 1], [0x61, 1]]);
    });

    await subtest('umount is refused while a mapping exists; afterwards it leaves nothing in the window', async () => {
      const { holder, other, worker, path } = await filled('busy');
      worker.release();
      await assert.rejects(guest.remount(), /busy/i);
      await holder.munmap(0);
      await holder.close(0);
      await other.close(0);
      await guest.remount();
      assert.deepEqual(device.window?.live, []);
      assert.deepEqual(device.store.content(path).read(0, 2), Buffer.of(0x62, 0x61));
    });
  },
});
