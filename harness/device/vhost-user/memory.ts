// SPDX-License-Identifier: GPL-2.0-only
import { closeSync } from 'node:fs';
import { Mapping } from '../../host/libc.ts';

/** A region of guest memory, as ADD_MEM_REG and SET_MEM_TABLE describe it. Addresses and sizes in bytes. */
export interface Region {
  readonly guestAddress: number;
  readonly sizeBytes: number;
  readonly userAddress: number;
  readonly mmapOffsetBytes: number;
}

export const REGION_BYTES = 32;

/** @throws Error when an address does not fit a number: no guest has memory there. */
export function decodeRegion(payload: Buffer, atByte: number): Region {
  const field = (index: number): number => {
    const value = payload.readBigUInt64LE(atByte + 8 * index);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`a memory region with ${value} in it`);
    return Number(value);
  };
  return { guestAddress: field(0), sizeBytes: field(1), userAddress: field(2), mmapOffsetBytes: field(3) };
}

interface Slot extends Region {
  readonly fd: number;
  mapping: Mapping | undefined;
}

/** Guest RAM, and what the DAX window shows of files: descriptors may point into either. */
export class GuestMemory {
  #slots: Slot[] = [];
  /** Removed while a handler may still hold a view: unmapped when everything has ended. */
  readonly #retired: Mapping[] = [];
  #last: Slot | undefined;

  add(region: Region, fd: number): void {
    if (this.#slots.some((slot) => region.guestAddress < slot.guestAddress + slot.sizeBytes && slot.guestAddress < region.guestAddress + region.sizeBytes)) {
      closeSync(fd);
      throw new Error(`a memory region at guest address ${region.guestAddress.toString(16)} overlaps another one`);
    }
    this.#slots.push({ ...region, fd, mapping: undefined });
  }

  remove(region: Region): void {
    const index = this.#slots.findIndex(({ guestAddress, sizeBytes }) => guestAddress === region.guestAddress && sizeBytes === region.sizeBytes);
    const [slot] = index < 0 ? [] : this.#slots.splice(index, 1);
    if (slot === undefined) throw new Error(`no memory region at guest address ${region.guestAddress.toString(16)} to remove`);
    this.#forget(slot);
  }

  clear(): void {
    for (const slot of this.#slots.splice(0)) this.#forget(slot);
  }

  /** @returns the bytes at a guest physical address, or undefined where they are not all in one region. */
  at(guestAddress: number, lengthBytes: number): Buffer | undefined {
    const slot = this.#find(({ guestAddress: start, sizeBytes }) => guestAddress >= start && guestAddress + lengthBytes <= start + sizeBytes);
    return slot === undefined ? undefined : view(slot, guestAddress - slot.guestAddress, lengthBytes);
  }

  /** The same for an address in the front-end's own address space: that is how vrings are placed. */
  atUserAddress(userAddress: number, lengthBytes: number): Buffer | undefined {
    const slot = this.#slots.find(({ userAddress: start, sizeBytes }) => userAddress >= start && userAddress + lengthBytes <= start + sizeBytes);
    return slot === undefined ? undefined : view(slot, userAddress - slot.userAddress, lengthBytes);
  }

  /** Ends all mappings; only when nothing can use a view any more. */
  end(): void {
    this.clear();
    for (const mapping of this.#retired.splice(0)) mapping.unmap();
  }

  #find(holds: (slot: Slot) => boolean): Slot | undefined {
    if (this.#last !== undefined && holds(this.#last)) return this.#last;
    const found = this.#slots.find(holds);
    if (found !== undefined) this.#last = found;
    return found;
  }

  #forget(slot: Slot): void {
    if (this.#last === slot) this.#last = undefined;
    closeSync(slot.fd);
    if (slot.mapping === undefined) return;
    slot.mapping.retire();
    this.#retired.push(slot.mapping);
  }
}

/** Regions of the DAX window come and go with every mapping and are hardly ever pointed into: mapped when they are. */
function view(slot: Slot, offsetBytes: number, lengthBytes: number): Buffer {
  slot.mapping ??= Mapping.shared(slot.fd, slot.mmapOffsetBytes, slot.sizeBytes);
  return slot.mapping.bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
}
