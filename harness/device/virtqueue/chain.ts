// SPDX-License-Identifier: GPL-2.0-only
import type { GuestMemory } from '../vhost-user/memory.ts';

/** The guest's driver broke the rules of virtio 1.2, 2.7: the queue can not go on. */
export class QueueError extends Error {}

/** A descriptor chain: what the driver gave to read, and where the device may write. No byte is copied. */
export interface Chain {
  /** Index of its first descriptor: what goes into the used ring. */
  readonly head: number;
  readonly readable: readonly Buffer[];
  readonly writable: readonly Buffer[];
}

const DESCRIPTOR_BYTES = 16;
const VIRTQ_DESC_F_NEXT = 1;
const VIRTQ_DESC_F_WRITE = 2;
const VIRTQ_DESC_F_INDIRECT = 4;
/** A request of 256 pages with its headers, many times over: no driver builds longer ones. */
const LONGEST_CHAIN = 4096;

/**
 * Follows a chain from its head through the descriptor table, and through one indirect table.
 * @throws QueueError for loops, indexes or addresses out of range, and readable after writable.
 */
export function walkChain(memory: GuestMemory, table: Buffer, size: number, head: number): Chain {
  const readable: Buffer[] = [];
  const writable: Buffer[] = [];
  let [current, entries, index, indirect] = [table, size, head, false];
  for (let steps = 0; ; steps++) {
    // A chain can be no longer than its table: one that is, is a loop.
    if (steps >= (indirect ? entries : size) || steps > LONGEST_CHAIN) throw new QueueError(`descriptor chain ${head} has a loop`);
    if (index >= entries) throw new QueueError(`descriptor chain ${head} goes on at ${index} of ${entries}`);
    const at = index * DESCRIPTOR_BYTES;
    const address = current.readUInt32LE(at) + current.readUInt32LE(at + 4) * 2 ** 32;
    const lengthBytes = current.readUInt32LE(at + 8);
    const flags = current.readUInt16LE(at + 12);
    const bytes = memory.at(address, lengthBytes);
    if (bytes === undefined) throw new QueueError(`descriptor ${index} of chain ${head} points at ${lengthBytes} bytes at ${address.toString(16)}, which is no guest memory`);
    if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
      if (indirect || (flags & VIRTQ_DESC_F_NEXT) !== 0) throw new QueueError(`descriptor chain ${head} nests its indirect table`);
      if (lengthBytes === 0 || lengthBytes % DESCRIPTOR_BYTES !== 0) throw new QueueError(`descriptor chain ${head} has an indirect table of ${lengthBytes} bytes`);
      [current, entries, index, indirect] = [bytes, lengthBytes / DESCRIPTOR_BYTES, 0, true];
      steps = -1;
      continue;
    }
    if ((flags & VIRTQ_DESC_F_WRITE) !== 0) append(writable, bytes);
    else if (writable.length > 0) throw new QueueError(`descriptor chain ${head} has readable bytes after writable ones`);
    else append(readable, bytes);
    if ((flags & VIRTQ_DESC_F_NEXT) === 0) return { head, readable, writable };
    index = current.readUInt16LE(at + 14);
  }
}

/** Neighbours become one piece: pages of a large buffer often follow each other, and each piece has its price. */
function append(pieces: Buffer[], bytes: Buffer): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset)
    pieces[pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + bytes.length);
  else pieces.push(bytes);
}
