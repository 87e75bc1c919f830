// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, DEFAULT_SESSION, defineCase, mounted } from '../../harness/suite/define-case.ts';

/** fuse_entry_out: attr follows nodeid, generation and four validities; attr.flags is its last field. */
const ATTR_FLAGS_AT = 16 + 40 + 84;
const FUSE_ATTR_SUBMOUNT = 1;

/** A directory that the server calls a submount is mounted by itself when it is walked into (fuse_dentry_automount()). */
export default defineCase({
  title: 'a submount: mounted by the walk, a device of its own, unmounted with requests behind it, and mounted again',
  needs: ['device'],
  device: { session: { initFlags: [...DEFAULT_SESSION.initFlags, 'SUBMOUNTS'] } },
  proof: [mounted(), counted('submounts', 2)],
  run: async ({ share, guest, device, subtest, prove }) => {
    device.store.writeFile(`${share.storeDirectory}/sub/file`, Buffer.from('inside'));
    device.script.on({ op: 'LOOKUP', path: `${share.storeDirectory}/sub` }, { kind: 'rewrite', reply: (bytes) => (bytes.writeUInt32LE(bytes.readUInt32LE(ATTR_FLAGS_AT) | FUSE_ATTR_SUBMOUNT, ATTR_FLAGS_AT), bytes) });
    const sub = `${share.guestDirectory}/sub`;
    const mounts = async () => (await guest.run(['cat', '/proc/mounts'])).stdout.split('\n').filter((line) => line.includes(` ${sub} `)).length;
    for (const when of ['at first', 'again']) {
      await subtest(`walked into ${when}`, async () => {
        await guest.remount();
        assert.equal((await guest.run(['cat', `${sub}/file`])).stdout, 'inside');
        assert.equal(await mounts(), 1);
        prove('submounts');
        const devices = (await guest.run(['stat', '-c', '%d', share.guestDirectory, sub])).stdout.trim().split('\n');
        assert.notEqual(devices[0], devices[1]);
      });
      await subtest(`a file of it kept open over its umount, ${when}`, async () => {
        const actor = await guest.actor();
        await actor.open(0, `${sub}/file`, 'w');
        assert.equal((await guest.run(['umount', '-l', sub])).code, 0);
        assert.equal(await mounts(), 0);
        await actor.pwrite(0, 0, 0x61, 1);
        assert.deepEqual(device.store.content(`${share.storeDirectory}/sub/file`).read(0, 6), Buffer.from('anside'));
        await actor.close(0);
        device.store.writeFile(`${share.storeDirectory}/sub/file`, Buffer.from('inside'));
      });
    }
  },
});
