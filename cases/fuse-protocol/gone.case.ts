// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const DRIVER = '/sys/bus/virtio/drivers/virtiofs';

/** As a guest sees a server that goes away: the device is taken from its driver (virtio_fs_remove()). */
export default defineCase({
  title: 'the device goes away under a mount: every call ends with an error, umount works, and so does the device\'s return',
  needs: ['detachable'],
  proof: [mounted(), counted('calls-without-a-device', 4)],
  run: async ({ share, guest, device, subtest, prove }) => {
    const path = `${share.guestDirectory}/file`;
    device.store.writeFile(`${share.storeDirectory}/file`, Buffer.alloc(10, 0x61));
    const name = (await guest.run(['sh', '-c', `ls ${DRIVER} | grep ^virtio`])).stdout.trim();
    const tell = async (file: string) => {
      const { code, stderr } = await guest.run(['sh', '-c', `echo ${name} > ${DRIVER}/${file}`]);
      assert.equal(code, 0, stderr);
    };
    await subtest('after it is gone every call fails', async () => {
      const actor = await guest.actor();
      await actor.open(0, path, 'w');
      await tell('unbind');
      for (const call of [() => actor.pwrite(0, 0, 0x62, 1), () => actor.fsync(0), () => actor.stat(`${share.guestDirectory}/none`), () => actor.open(1, `${share.guestDirectory}/new`, 'wc')]) {
        await assert.rejects(call(), { errno: /ENOTCONN|ECONNABORTED|EIO/ });
        prove('calls-without-a-device');
      }
    });
    await subtest('it comes back, and a fresh mount serves what the host has', async () => {
      await tell('bind');
      await guest.remount();
      const actor = await guest.actor();
      await actor.open(0, path, 'r');
      assert.deepEqual(await actor.pread(0, 0, 20), [[0x61, 10]]);
    });
  },
});
