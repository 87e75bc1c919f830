// SPDX-License-Identifier: GPL-2.0-only
import { ftruncateSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createEventfd, createMemfd } from '../../host/libc.ts';
import { takeEventfd } from '../../host/reactor.ts';
import { GuestMemory } from '../vhost-user/memory.ts';
import { QueueError, walkChain } from './chain.ts';
import { Vring } from './vring.ts';

const SIZE = 8;
const GUEST = 0x1000_0000;
const USER = 0x7f00_0000_0000;
const [DESCRIPTORS, AVAILABLE, USED, INDIRECT, DATA] = [0, 0x400, 0x800, 0xc00, 0x1000];
const BYTES = 0x4000;
const [NEXT, WRITE, IS_INDIRECT] = [1, 2, 4];

interface Descriptor {
  readonly address?: number;
  readonly length?: number;
  readonly flags?: number;
  readonly next?: number;
}

let memory: GuestMemory;

function guest(): { memory: GuestMemory; bytes: Buffer; put: (table: number, index: number, descriptor: Descriptor) => void } {
  memory = new GuestMemory();
  const fd = createMemfd('test');
  ftruncateSync(fd, BYTES);
  memory.add({ guestAddress: GUEST, sizeBytes: BYTES, userAddress: USER, mmapOffsetBytes: 0 }, fd);
  const bytes = memory.at(GUEST, BYTES);
  if (bytes === undefined) throw new Error('no memory');
  return {
    memory,
    bytes,
    put: (table, index, { address = GUEST + DATA, length = 16, flags = 0, next = 0 }) => {
      const at = table + index * 16;
      bytes.writeBigUInt64LE(BigInt(address), at);
      bytes.writeUInt32LE(length, at + 8);
      bytes.writeUInt16LE(flags, at + 12);
      bytes.writeUInt16LE(next, at + 14);
    },
  };
}
afterEach(() => {
  memory.end();
});

const walk = (head = 0) => walkChain(memory, memory.at(GUEST, SIZE * 16) ?? Buffer.alloc(0), SIZE, head);

describe('a descriptor chain', () => {
  it('gives readable and writable bytes in order, without a copy', () => {
    const { put, bytes } = guest();
    put(DESCRIPTORS, 3, { length: 40, flags: NEXT, next: 1 });
    put(DESCRIPTORS, 1, { address: GUEST + DATA + 64, length: 8, flags: NEXT, next: 5 });
    put(DESCRIPTORS, 5, { address: GUEST + DATA + 128, length: 100, flags: WRITE });
    const chain = walk(3);
    expect([chain.head, chain.readable.map(({ length }) => length), chain.writable.map(({ length }) => length)]).toEqual([3, [40, 8], [100]]);
    chain.writable[0]?.fill(7);
    expect(bytes[DATA + 128 + 99]).toBe(7);
  });

  it('goes on in an indirect table', () => {
    const { put } = guest();
    put(DESCRIPTORS, 0, { address: GUEST + INDIRECT, length: 48, flags: IS_INDIRECT });
    put(INDIRECT, 0, { length: 40, flags: NEXT, next: 2 });
    put(INDIRECT, 2, { length: 16, flags: WRITE });
    const chain = walk();
    expect([chain.readable.length, chain.writable.length]).toEqual([1, 1]);
  });

  it.each<[string, readonly [number, number, Descriptor][]]>([
    ['a loop of two', [[DESCRIPTORS, 0, { flags: NEXT, next: 1 }], [DESCRIPTORS, 1, { flags: NEXT, next: 0 }]]],
    ['a loop of one', [[DESCRIPTORS, 0, { flags: NEXT, next: 0 }]]],
    ['an index out of range', [[DESCRIPTORS, 0, { flags: NEXT, next: SIZE }]]],
    ['an address outside memory', [[DESCRIPTORS, 0, { address: GUEST + BYTES - 8 }]]],
    ['an address past 2^53', [[DESCRIPTORS, 0, { address: 2 ** 60 }]]],
    ['a length past the end', [[DESCRIPTORS, 0, { length: 0xffffffff }]]],
    ['readable behind writable', [[DESCRIPTORS, 0, { flags: NEXT | WRITE, next: 1 }], [DESCRIPTORS, 1, {}]]],
    ['an indirect table within another', [[DESCRIPTORS, 0, { address: GUEST + INDIRECT, length: 32, flags: IS_INDIRECT }], [INDIRECT, 0, { address: GUEST + INDIRECT, length: 32, flags: IS_INDIRECT }]]],
    ['an indirect table of odd length', [[DESCRIPTORS, 0, { address: GUEST + INDIRECT, length: 33, flags: IS_INDIRECT }]]],
    ['an empty indirect table', [[DESCRIPTORS, 0, { address: GUEST + INDIRECT, length: 0, flags: IS_INDIRECT }]]],
    ['a loop in an indirect table', [[DESCRIPTORS, 0, { address: GUEST + INDIRECT, length: 32, flags: IS_INDIRECT }], [INDIRECT, 0, { flags: NEXT, next: 1 }], [INDIRECT, 1, { flags: NEXT, next: 0 }]]],
  ])('%s is refused', (_, descriptors) => {
    const { put } = guest();
    for (const [table, index, descriptor] of descriptors) put(table, index, descriptor);
    expect(() => walk()).toThrow(QueueError);
  });

  it('of any bytes at all is a chain or a QueueError', () => {
    const { bytes } = guest();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 128, maxLength: 128 }), fc.nat({ max: SIZE - 1 }), (table, head) => {
        Buffer.from(table).copy(bytes, DESCRIPTORS);
        try {
          walk(head);
        } catch (error) {
          expect(error).toBeInstanceOf(QueueError);
        }
      }),
    );
  });
});

describe('a split virtqueue', () => {
  const started = () => {
    const { put, bytes } = guest();
    const vring = new Vring(0, memory);
    const call = createEventfd();
    vring.setSize(SIZE);
    vring.setBase(0);
    vring.setAddresses({ descriptors: USER + DESCRIPTORS, available: USER + AVAILABLE, used: USER + USED });
    vring.setCall(call);
    const offer = (...heads: number[]) => {
      for (const head of heads) {
        const index = bytes.readUInt16LE(AVAILABLE + 2);
        bytes.writeUInt16LE(head, AVAILABLE + 4 + 2 * (index % SIZE));
        bytes.writeUInt16LE((index + 1) & 0xffff, AVAILABLE + 2);
      }
    };
    return { vring, put, bytes, call, offer, usedIndex: () => bytes.readUInt16LE(USED + 2) };
  };

  it('takes chains in order and gives them back in any', () => {
    const { vring, put, bytes, call, offer, usedIndex } = started();
    for (let index = 0; index < SIZE; index++) put(DESCRIPTORS, index, { length: index + 1 });
    offer(2, 5, 1);
    const heads = [...vring.chains()].map(({ head }) => head);
    expect(heads).toEqual([2, 5, 1]);
    expect([...vring.chains()]).toEqual([]);
    const complete = vring.completion();
    complete(1, 10);
    complete(2, 20);
    expect(usedIndex()).toBe(2);
    expect([bytes.readUInt32LE(USED + 4), bytes.readUInt32LE(USED + 8), bytes.readUInt32LE(USED + 12)]).toEqual([1, 10, 2]);
    expect(takeEventfd(call)).toBe(2);
    vring.end();
  });

  it('calls nobody who asked not to be called', () => {
    const { vring, put, bytes, call, offer } = started();
    put(DESCRIPTORS, 0, {});
    offer(0);
    for (const chain of vring.chains()) {
      bytes.writeUInt16LE(1, AVAILABLE);
      vring.completion()(chain.head, 0);
    }
    expect(takeEventfd(call)).toBe(0);
    vring.end();
  });

  it('wraps its indexes', () => {
    const { vring, put, offer, usedIndex } = started();
    for (let index = 0; index < SIZE; index++) put(DESCRIPTORS, index, {});
    for (let round = 0; round < 3 * SIZE; round++) {
      offer(round % SIZE);
      for (const chain of vring.chains()) vring.completion()(chain.head, 0);
    }
    expect(usedIndex()).toBe(3 * SIZE);
    vring.end();
  });

  it('a chain of before a stop goes nowhere', () => {
    const { vring, put, offer, usedIndex } = started();
    put(DESCRIPTORS, 0, {});
    offer(0);
    const [chain] = vring.chains();
    const complete = vring.completion();
    expect(vring.stop()).toBe(1);
    complete(chain?.head ?? 0, 5);
    expect(usedIndex()).toBe(0);
    vring.end();
  });

  it('a malformed chain ends the queue and signals its error, and the process goes on', () => {
    const { vring, put, offer } = started();
    const error = createEventfd();
    vring.setError(error);
    put(DESCRIPTORS, 0, { flags: NEXT, next: 0 });
    offer(0);
    expect(() => [...vring.chains()]).toThrow(QueueError);
    expect(takeEventfd(error)).toBe(1);
    put(DESCRIPTORS, 1, {});
    offer(1);
    expect([...vring.chains()]).toEqual([]);
    vring.end();
  });

  it('an available index that runs ahead of the ring is refused', () => {
    const { vring, bytes } = started();
    bytes.writeUInt16LE(SIZE + 1, AVAILABLE + 2);
    expect(() => [...vring.chains()]).toThrow(/wait in a queue of 8/);
    vring.end();
  });
});

describe('guest memory', () => {
  it('refuses overlapping regions, finds none for what lies across two', () => {
    guest();
    const add = (guestAddress: number) => {
      const fd = createMemfd('more');
      ftruncateSync(fd, BYTES);
      memory.add({ guestAddress, sizeBytes: BYTES, userAddress: USER + 0x10_0000, mmapOffsetBytes: 0 }, fd);
    };
    expect(() => {
      add(GUEST + BYTES - 1);
    }).toThrow(/overlaps/);
    add(GUEST + BYTES);
    expect(memory.at(GUEST + BYTES - 4, 8)).toBeUndefined();
    expect(memory.at(GUEST + BYTES, 8)).toHaveLength(8);
  });

  it('a view of a removed region reads zeros and harms nothing', () => {
    const { bytes } = guest();
    bytes.fill(1);
    memory.remove({ guestAddress: GUEST, sizeBytes: BYTES, userAddress: USER, mmapOffsetBytes: 0 });
    expect(bytes[100]).toBe(0);
    bytes[100] = 5;
    expect(memory.at(GUEST, 8)).toBeUndefined();
    expect(() => {
      memory.remove({ guestAddress: GUEST, sizeBytes: BYTES, userAddress: USER, mmapOffsetBytes: 0 });
    }).toThrow(/no memory region/);
  });
});
