// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 8;
const FILE_RANGES = 12;
const [A, B, H] = [0x41, 0x42, 0x48];

/** Two guests with a window each map the same memfds: what one stores the other sees, without msync, at once. */
export default defineCase({
  title: 'guest against guest and against the host, through two DAX windows: every store is seen at once, byte exact',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES, guests: 2, session: { entryValidSeconds: 0 } },
  proof: [mounted(), counted('exchanges', 60), counted('ranges-reclaimed', 8)],
  timeoutSeconds: 40,
  run: async ({ share, guest, peer, device, peerDevice, subtest, prove }) => {
    const [a, b] = [await guest.actor(), await peer.actor()];
    const path = `${share.guestDirectory}/shared`;
    const stored = `${share.storeDirectory}/shared`;
    let model = Buffer.alloc(FILE_RANGES * RANGE, H);
    device.store.writeFile(stored, model);
    for (const actor of [a, b]) {
      await actor.open(0, path, 'w');
      await actor.mmap(0, 0, 0, model.length, 'rw');
    }
    const host = device.store.content(stored);
    const same = () => {
      const content = host.read(0, model.length + 1);
      if (content.equals(model)) return;
      const at = content.findIndex((byte, index) => byte !== model[index]);
      assert.fail(`${content.length} bytes, byte ${at} is ${content[at] ?? ''}, the model has ${model[at] ?? ''}`);
    };
    // Around every kind of edge: the file's ends, a page's, a range's.
    const places = [0, PAGE - 1, PAGE, RANGE - 1, RANGE, RANGE + PAGE - 3, 5 * RANGE - PAGE, 7 * RANGE - 2, FILE_RANGES * RANGE - 5];

    for (const [name, from, to, byte] of [['the first guest stores, the second loads', a, b, A], ['the second stores, the first loads', b, a, B]] as const) {
      await subtest(name, async () => {
        for (const [index, at] of places.entries()) {
          await from.store(0, at, byte + index, 5);
          model.fill(byte + index, at, at + 5);
          assert.deepEqual(await to.load(0, at, 5), [[byte + index, 5]], `at ${at}`);
          prove('exchanges');
        }
        same();
      });
    }
    await subtest('write(2) on one side, read(2) on the other', async () => {
      for (const [index, at] of places.entries()) {
        const [from, to] = index % 2 === 0 ? [a, b] : [b, a];
        await from.pwrite(0, at, 0x70 + index, 5);
        model.fill(0x70 + index, at, at + 5);
        assert.deepEqual(await to.pread(0, at, 5), [[0x70 + index, 5]], `at ${at}`);
        prove('exchanges');
      }
      same();
    });
    await subtest('the host writes, both guests load', async () => {
      for (const [index, at] of places.entries()) {
        host.write([Buffer.alloc(5, 0x90 + index)], at);
        model.fill(0x90 + index, at, at + 5);
        for (const actor of [a, b]) assert.deepEqual(await actor.load(0, at, 5), [[0x90 + index, 5]], `at ${at}`);
        prove('exchanges', 2);
      }
      same();
    });
    await subtest('two guests own alternate bytes of one page', async () => {
      for (let at = 0; at < 16; at++) await (at % 2 === 0 ? a : b).store(0, 3 * RANGE + at, 0xa0 + at, 1);
      for (let at = 0; at < 16; at++) model[3 * RANGE + at] = 0xa0 + at;
      assert.deepEqual(await a.load(0, 3 * RANGE, 16), Array.from({ length: 16 }, (_, at) => [0xa0 + at, 1]));
      assert.deepEqual(await b.load(0, 3 * RANGE, 16), Array.from({ length: 16 }, (_, at) => [0xa0 + at, 1]));
      prove('exchanges', 2);
      same();
    });
    await subtest('with both windows reclaiming: a walk of each guest in opposite directions', async () => {
      for (let range = 0; range < FILE_RANGES; range++) {
        const other = FILE_RANGES - 1 - range;
        await a.store(0, range * RANGE + 64, 0xb0 + range, 1);
        model[range * RANGE + 64] = 0xb0 + range;
        await b.store(0, other * RANGE + 65, 0xc0 + range, 1);
        model[other * RANGE + 65] = 0xc0 + range;
        assert.deepEqual(await b.load(0, range * RANGE + 64, 1), [[0xb0 + range, 1]]);
        assert.deepEqual(await a.load(0, other * RANGE + 65, 1), [[0xc0 + range, 1]]);
        prove('exchanges', 2);
      }
      same();
    });
    await subtest('one guest extends the file, the other reads past the old end after a look at it', async () => {
      await a.ftruncate(0, model.length + PAGE);
      await a.pwrite(0, model.length, A, 10);
      assert.equal(await b.size(0), model.length + PAGE);
      assert.deepEqual(await b.pread(0, model.length - 1, 12), [[model.at(-1) ?? 0, 1], [A, 10], [0, 1]]);
      prove('exchanges');
      model = Buffer.concat([model, Buffer.alloc(10, A), Buffer.alloc(PAGE - 10)]);
      same();
    });
    await subtest('one guest punches a hole, the other loads zeros', async () => {
      await a.punch(0, 2 * RANGE - PAGE, 2 * PAGE);
      assert.deepEqual(await b.load(0, 2 * RANGE - PAGE, 2 * PAGE), [[0, 2 * PAGE]]);
      assert.deepEqual(await b.pread(0, 2 * RANGE, 4), [[0, 4]]);
      prove('exchanges');
      model.fill(0, 2 * RANGE - PAGE, 2 * RANGE + PAGE);
      same();
    });
    await subtest('one guest unlinks the file, the other goes on with it', async () => {
      await a.unlink(path);
      await b.store(0, 100, 0xee, 1);
      assert.deepEqual(await a.load(0, 100, 1), [[0xee, 1]]);
      prove('exchanges');
      model[100] = 0xee;
      same();
    });
    prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries'));
    await subtest('the last of them closes it, and both are unmounted and mounted again', async () => {
      await a.end();
      await b.end();
      await guest.remount();
      await peer.remount();
      await assert.rejects((await guest.actor()).stat(path), { errno: 'ENOENT' });
    });
    await subtest('neither kernel broke the protocol', () => {
      assert.deepEqual([...(device.window?.violations ?? []), ...(peerDevice.window?.violations ?? [])], []);
    });
  },
});
