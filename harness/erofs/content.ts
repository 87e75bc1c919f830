// SPDX-License-Identifier: GPL-2.0-only

/**
 * Bytes that a seed and an offset alone decide, so that neither side has to carry them about: in 4 KiB blocks,
 * each a run of a linear congruential generator, which costs an emulated guest least. harness/guest/programs/tree-compare.c makes the same.
 */
export const BLOCK_BYTES = 4096;
/** Knuth and Lewis's for 32 bits (Numerical Recipes in C, 7.1). */
const MULTIPLIER = 1_664_525;
const INCREMENT = 1_013_904_223;

/** The bytes `[offset, offset + length)` of an endless content; offsets and lengths in bytes. */
export function seededBytes(seed: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let done = 0; done < length; ) {
    const at = offset + done;
    fillBlock(block, seed, Math.floor(at / BLOCK_BYTES));
    done += block.copy(bytes, done, at % BLOCK_BYTES);
  }
  return bytes;
}

function fillBlock(block: Buffer, seed: number, index: number): void {
  let state = Math.imul(seed, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b);
  for (let at = 0; at < BLOCK_BYTES; at += 4) {
    state = (Math.imul(state, MULTIPLIER) + INCREMENT) | 0;
    block.writeInt32LE(state, at);
  }
}
