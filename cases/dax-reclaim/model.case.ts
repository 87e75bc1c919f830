// SPDX-License-Identifier: GPL-2.0-only
import assert from 'node:assert/strict';
import { counted, defineCase, mounted } from '../../harness/suite/define-case.ts';

const PAGE = 4096;
const RANGE = 2 * 1024 * 1024;
const WINDOW_RANGES = 8;
const FILE_RANGES = 20;
const STEPS = 250;

/** xorshift32: the same steps on every kernel and in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export default defineCase({
  title: 'random reads, writes, loads and stores around range and page edges, through a window that holds two fifths of the file, against a model',
  needs: ['dax'],
  device: { windowRanges: WINDOW_RANGES },
  proof: [mounted(), counted('ranges-reclaimed', 20)],
  timeoutSeconds: 40,
  run: async ({ share, guest, device, subtest, prove }) => {
    const actor = await guest.actor();
    const next = generator(0x5eed);
    const model = Buffer.alloc(FILE_RANGES * RANGE);
    for (let range = 0; range < FILE_RANGES; range++) model.fill(range + 1, range * RANGE, (range + 1) * RANGE);
    device.store.writeFile(`${share.storeDirectory}/model`, model);
    await actor.open(0, `${share.guestDirectory}/model`, 'w');
    await actor.mmap(0, 0, 0, model.length, 'rw');
    const place = () => {
      const edge = next(3) === 0 ? next(model.length) : (1 + next(FILE_RANGES - 1)) * RANGE + (next(5) - 2) * (next(2) === 0 ? 1 : PAGE);
      const offset = Math.max(0, edge - next(2 * PAGE));
      return { offset, length: Math.min(1 + next(3 * PAGE), model.length - offset) };
    };
    /** What was read is what the model has; else where it first is not, and how far. */
    const same = (read: Buffer, offset: number, what: string) => {
      const wanted = model.subarray(offset, offset + read.length);
      const wrong = [...read.keys()].filter((index) => read[index] !== wanted[index]);
      const [first = 0] = wrong;
      assert.ok(wrong.length === 0, `${what}: ${wrong.length} bytes from ${offset + first} are wrong: ${read[first] ?? ''} for ${wanted[first] ?? ''}`);
    };
    const flat = (runs: readonly (readonly [number, number])[]) => Buffer.concat(runs.map(([byte, length]) => Buffer.alloc(length, byte)));

    await subtest(`${STEPS} steps, each seen right by the guest`, async () => {
      for (let step = 0; step < STEPS; step++) {
        const { offset, length } = place();
        const what = `step ${step} at ${offset}, ${length} bytes`;
        const byte = 1 + next(255);
        switch (next(4)) {
          case 0:
            same(flat(await actor.pread(0, offset, length)), offset, `pread, ${what}`);
            break;
          case 1:
            same(flat(await actor.load(0, offset, length)), offset, `load, ${what}`);
            break;
          case 2:
            await actor.pwrite(0, offset, byte, length);
            model.fill(byte, offset, offset + length);
            break;
          default:
            await actor.store(0, offset, byte, length);
            model.fill(byte, offset, offset + length);
        }
      }
    });

    await subtest('the file is what the model says, byte for byte', () => {
      const content = device.store.content(`${share.storeDirectory}/model`).read(0, model.length + 1);
      assert.equal(content.length, model.length);
      if (content.equals(model)) return;
      const at = content.findIndex((byte, index) => byte !== model[index]);
      assert.fail(`byte ${at} is ${content[at] ?? ''}, the model has ${model[at] ?? ''}`);
    });

    prove('ranges-reclaimed', device.trace.counter.of('REMOVEMAPPING entries'));
  },
});
