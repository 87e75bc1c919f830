// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const RANGE = 2 * 1024 * 1024;
const FILES = 12;

/**
 * The answer to a RELEASE gives back the last reference of an unlinked file's inode, in the worker that
 * handles answers (virtio_fs_requests_done_work()). Evicting a DAX inode there sends REMOVEMAPPING and waits
 * for an answer that only this very worker could handle.
 */
export default defineCase({
  title: 'the last close of an unlinked file with ranges: its RELEASE must not wait for itself',
  needs: ['dax'],
  // One processor, one request queue: the answer that is waited for can come by no other.
  device: { cpus: 1 },
  proof: [mounted(), counted('files-released', 1)],
  timeoutSeconds: 6,
  run: async ({ share, guest, device, subtest, prove }) => {
    await subtest(`${FILES} unlinked files are closed, and their ranges removed`, async () => {
      await guest.remount();
      const actor = await guest.actor();
      const removed = device.trace.counter;
      for (let index = 0; index < FILES; index++) {
        const path = `${share.guestDirectory}/f${index}`;
        const before = removed.of('REMOVEMAPPING entries');
        const release = device.script.watch({ op: 'RELEASE' });
        await actor.open(0, path, 'wcx');
        await actor.ftruncate(0, RANGE);
        await actor.pwrite(0, 0, 0x61, 10);
        await actor.pread(0, 0, 10);
        await actor.mmap(0, 0, 0, RANGE, 'rw');
        await actor.store(0, 0, 0x62, 1);
        await actor.unlink(path);
        await actor.munmap(0);
        await actor.close(0);
        prove('files-released');
        await release.arrived();
        await removed.reached('REMOVEMAPPING entries', before + 1);
        release.remove();
        // The worker that handles answers still handles them.
        await assert.rejects(actor.stat(path), { errno: 'ENOENT' });
      }
    });
  },
});
