// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { open, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const [A, B, H] = ['A', 'B', 'H'].map((letter) => letter.charCodeAt(0)) as [number, number, number];

export default defineCase({
  title: 'guest against host: what one has synced the other sees, close to open, both ways',
  needs: ['host-directory', 'shared-mmap'],
  proof: [mounted(), counted('host-looks', 5)],
  run: async ({ share, guest, subtest, prove }) => {
    const onHost = (name: string) => join(share.hostDirectory, name);
    const inGuest = (name: string) => `${share.guestDirectory}/${name}`;
    const guestFile = async (name: string, bytes: number) => {
      const actor = await guest.actor();
      await actor.open(0, inGuest(name), 'wct');
      await actor.pwrite(0, 0, A, bytes);
      return actor;
    };
    const hostSees = async (name: string) => {
      prove('host-looks');
      return await readFile(onHost(name));
    };

    await subtest('a guest write and fsync reach the host', async () => {
      const actor = await guestFile('fsync', 2 * PAGE);
      await actor.fsync(0);
      assert.deepEqual(await hostSees('fsync'), Buffer.alloc(2 * PAGE, A));
    });

    await subtest('a guest write and close reach the host', async () => {
      const actor = await guestFile('close', 2 * PAGE);
      await actor.close(0);
      assert.deepEqual(await hostSees('close'), Buffer.alloc(2 * PAGE, A));
    });

    await subtest('a guest store and msync reach the host', async () => {
      const actor = await guestFile('msync', 2 * PAGE);
      await actor.mmap(0, 0, 0, 2 * PAGE, 'rw');
      await actor.store(0, PAGE, B, PAGE);
      await actor.msync(0);
      assert.deepEqual(await hostSees('msync'), Buffer.concat([Buffer.alloc(PAGE, A), Buffer.alloc(PAGE, B)]));
    });

    await subtest('a guest store, munmap and close reach the host', async () => {
      const actor = await guestFile('munmap', PAGE);
      await actor.mmap(0, 0, 0, PAGE, 'rw');
      await actor.store(0, 100, B, 10);
      await actor.munmap(0);
      await actor.fsync(0);
      await actor.close(0);
      assert.deepEqual((await hostSees('munmap')).subarray(99, 111), Buffer.from(`A${'B'.repeat(10)}A`));
    });

    await subtest('a guest truncate is the host file size', async () => {
      const actor = await guestFile('truncate', 2 * PAGE);
      await actor.ftruncate(0, 100);
      prove('host-looks');
      assert.equal((await stat(onHost('truncate'))).size, 100);
    });

    await subtest('a guest rename and unlink are seen on the host', async () => {
      const actor = await guestFile('before', PAGE);
      await actor.fsync(0);
      await actor.rename(inGuest('before'), inGuest('after'));
      assert.equal((await hostSees('after')).length, PAGE);
      await actor.unlink(inGuest('after'));
      await assert.rejects(stat(onHost('after')), { code: 'ENOENT' });
    });

    await subtest('a file made on the host is read in the guest', async () => {
      await writeFile(onHost('made'), Buffer.alloc(PAGE, H));
      const actor = await guest.actor();
      await actor.open(0, inGuest('made'), 'r');
      assert.deepEqual(await actor.pread(0, 0, 2 * PAGE), [[H, PAGE]]);
    });

    await subtest('a host write is read by a guest that opens the file again', async () => {
      const actor = await guestFile('reopen', 2 * PAGE);
      await actor.fsync(0);
      await actor.pread(0, 0, 2 * PAGE);
      await actor.close(0);
      await writeAt(onHost('reopen'), PAGE, Buffer.alloc(PAGE, H));
      await actor.open(0, inGuest('reopen'), 'r');
      assert.deepEqual(await actor.pread(0, 0, 2 * PAGE), [[A, PAGE], [H, PAGE]]);
    });

    await subtest('a host write is seen by a guest that maps the file again', async () => {
      const actor = await guestFile('remap', PAGE);
      await actor.fsync(0);
      await actor.mmap(0, 0, 0, PAGE, 'r');
      assert.deepEqual(await actor.load(0, 0, PAGE), [[A, PAGE]]);
      await actor.munmap(0);
      await actor.close(0);
      await writeAt(onHost('remap'), 0, Buffer.alloc(PAGE, H));
      await actor.open(0, inGuest('remap'), 'r');
      await actor.mmap(0, 0, 0, PAGE, 'r');
      assert.deepEqual(await actor.load(0, 0, PAGE), [[H, PAGE]]);
    });

    await subtest('a host truncate is seen by a guest that opens the file again', async () => {
      const actor = await guestFile('cut', 2 * PAGE);
      await actor.fsync(0);
      await actor.close(0);
      await truncate(onHost('cut'), PAGE + 1);
      await actor.open(0, inGuest('cut'), 'r');
      assert.deepEqual(await actor.pread(0, 0, 4 * PAGE), [[A, PAGE + 1]]);
    });

    await subtest('a file that the host removed stays readable for the guest that has it open', async () => {
      const actor = await guestFile('removed', PAGE);
      await actor.fsync(0);
      await unlink(onHost('removed'));
      assert.deepEqual(await actor.pread(0, 0, PAGE), [[A, PAGE]]);
    });
  },
});

async function writeAt(file: string, offset: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}
