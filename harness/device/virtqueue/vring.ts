// SPDX-License-Identifier: GPL-2.0-only
import { closeSync } from 'node:fs';
import { signalEventfd, takeEventfd } from '../../host/reactor.ts';
import type { GuestMemory } from '../vhost-user/memory.ts';
import { QueueError, walkChain, type Chain } from './chain.ts';

interface Addresses {
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

interface Rings {
  readonly descriptors: Buffer;
  /** flags, idx, ring[size] (virtio 1.2, 2.7.6). */
  readonly available: Uint16Array;
  /** flags and idx (2.7.8). */
  readonly used: Uint16Array;
  readonly usedElements: Buffer;
}

const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
const VIRTQ_USED_F_NO_NOTIFY = 1;
const FLAGS = 0;
const INDEX = 1;

/**
 * One split virtqueue (virtio 1.2, 2.7). EVENT_IDX is not offered: under emulation a request costs far
 * more than the notifications that it would save.
 */
export class Vring {
  enabled = false;
  #size = 0;
  #addresses: Addresses | undefined;
  #rings: Rings | undefined;
  #nextAvailable = 0;
  #usedIndex = 0;
  #kick: number | undefined;
  #call: number | undefined;
  #error: number | undefined;
  #broken = false;
  /** Rises with every stop: a chain of before must not be put into the rings of after. */
  #generation = 0;

  constructor(
    readonly index: number,
    private readonly memory: GuestMemory,
  ) {}

  get started(): boolean {
    return this.#kick !== undefined;
  }

  setSize(size: number): void {
    if (size === 0 || size > 32_768 || (size & (size - 1)) !== 0) throw new QueueError(`a queue of ${size} entries`);
    this.#size = size;
    this.#rings = undefined;
  }

  setBase(base: number): void {
    this.#nextAvailable = base & 0xffff;
    this.#usedIndex = base & 0xffff;
  }

  setAddresses(addresses: Addresses): void {
    this.#addresses = addresses;
    this.#rings = undefined;
    this.#broken = false;
  }

  setKick(fd: number | undefined): void {
    this.#kick = replace(this.#kick, fd);
  }
  setCall(fd: number | undefined): void {
    this.#call = replace(this.#call, fd);
  }
  setError(fd: number | undefined): void {
    this.#error = replace(this.#error, fd);
  }

  takeKick(): void {
    if (this.#kick !== undefined) takeEventfd(this.#kick);
  }

  /** @returns the index that the next start continues from. */
  stop(): number {
    this.#generation++;
    this.setKick(undefined);
    this.#rings = undefined;
    return this.#nextAvailable;
  }

  end(): void {
    this.stop();
    this.setCall(undefined);
    this.setError(undefined);
  }

  /**
   * Takes every chain that is available, in order, and asks for no notification in between.
   * A malformed chain ends the queue: the error descriptor is signalled, nothing more is taken.
   * @throws QueueError
   */
  *chains(): Generator<Chain> {
    if (this.#broken) return;
    try {
      const rings = this.#map();
      for (;;) {
        Atomics.store(rings.used, FLAGS, VIRTQ_USED_F_NO_NOTIFY);
        while (this.#rings === rings && this.#nextAvailable !== Atomics.load(rings.available, INDEX)) {
          const waiting = (Atomics.load(rings.available, INDEX) - this.#nextAvailable) & 0xffff;
          if (waiting > this.#size) throw new QueueError(`${waiting} chains are said to wait in a queue of ${this.#size}`);
          const head = rings.available[2 + (this.#nextAvailable & (this.#size - 1))] ?? 0;
          this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
          yield walkChain(this.memory, rings.descriptors, this.#size, head);
        }
        if (this.#rings !== rings) return;
        // The store is ordered before the load: a chain that came in between is seen by one of both sides.
        Atomics.store(rings.used, FLAGS, 0);
        if (this.#nextAvailable === Atomics.load(rings.available, INDEX)) return;
      }
    } catch (error) {
      this.#broken = true;
      if (this.#error !== undefined) signalEventfd(this.#error);
      throw error;
    }
  }

  /** What gives a chain back later: into these rings only, and nowhere once the queue was stopped. */
  completion(): (head: number, writtenBytes: number) => void {
    const generation = this.#generation;
    return (head, writtenBytes) => {
      if (generation === this.#generation) this.#complete(head, writtenBytes);
    };
  }

  #complete(head: number, writtenBytes: number): void {
    const rings = this.#rings;
    if (rings === undefined || this.#broken) return;
    const at = (this.#usedIndex & (this.#size - 1)) * 8;
    rings.usedElements.writeUInt32LE(head, at);
    rings.usedElements.writeUInt32LE(writtenBytes, at + 4);
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    Atomics.store(rings.used, INDEX, this.#usedIndex);
    if ((Atomics.load(rings.available, FLAGS) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0 && this.#call !== undefined) signalEventfd(this.#call);
  }

  #map(): Rings {
    if (this.#rings !== undefined) return this.#rings;
    const addresses = this.#addresses;
    if (addresses === undefined || this.#size === 0) throw new QueueError(`queue ${this.index} was started before it was set up`);
    const bytes = (what: string, address: number, lengthBytes: number): Buffer => {
      const found = this.memory.atUserAddress(address, lengthBytes);
      if (found === undefined) throw new QueueError(`the ${what} of queue ${this.index} is not in guest memory`);
      return found;
    };
    const available = bytes('available ring', addresses.available, 4 + 2 * this.#size);
    const used = bytes('used ring', addresses.used, 4 + 8 * this.#size);
    if (available.byteOffset % 2 !== 0 || used.byteOffset % 4 !== 0) throw new QueueError(`the rings of queue ${this.index} are not aligned`);
    this.#rings = {
      descriptors: bytes('descriptor table', addresses.descriptors, 16 * this.#size),
      available: new Uint16Array(available.buffer, available.byteOffset, 2 + this.#size),
      used: new Uint16Array(used.buffer, used.byteOffset, 2),
      usedElements: used.subarray(4),
    };
    return this.#rings;
  }
}

function replace(old: number | undefined, fd: number | undefined): number | undefined {
  if (old !== undefined) closeSync(old);
  return fd;
}
