// SPDX-License-Identifier: GPL-2.0-only
import { closeSync } from 'node:fs';
import { BACKEND_REQUEST, encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY, u64, type Message } from './messages.ts';
import { Channel } from './channel.ts';

/** The front-end refused a mapping: a value other than 0 came back. */
export class MappingRefused extends Error {}

const MMAP_BYTES = 40;
/**
 * So many may be unanswered. QEMU answers one at a time, and waits for us in between (ADD_MEM_REG): were the
 * socket ever full, we would wait in send() for a QEMU that waits for us.
 */
const MOST_IN_FLIGHT = 16;
/** VHOST_USER_FLAG_MAP_RW: the guest may write through the mapping. */
const FLAG_MAP_RW = 1n;

export interface SharedMemoryRange {
  /** Shared memory region id of the device; the DAX window is region 0 (virtio 1.2, 5.11.6). */
  readonly shmid: number;
  readonly shmOffsetBytes: number;
  readonly lengthBytes: number;
}

interface Question {
  readonly bytes: Buffer;
  readonly fds: readonly number[];
  readonly resolve: (value: bigint) => void;
  readonly reject: (error: Error) => void;
}

/** What the back-end asks of the front-end, on the socket of SET_BACKEND_REQ_FD. Answers come in order. */
export class FrontendRequests {
  readonly #channel: Channel;
  readonly #waiting: Question[] = [];
  readonly #queued: Question[] = [];
  #ended = false;

  constructor(fd: number) {
    this.#channel = new Channel(
      fd,
      (message) => {
        this.#answered(message);
      },
      () => {
        this.#ended = true;
        for (const { reject } of [...this.#waiting.splice(0), ...this.#queued.splice(0)]) reject(new Error('the front-end closed the back-end request socket'));
      },
    );
  }

  /** SHMEM_MAP: `fd` from `fdOffsetBytes` becomes visible in the region. @throws MappingRefused */
  async map(range: SharedMemoryRange, fd: number, fdOffsetBytes: number, writable: boolean): Promise<void> {
    await this.#ask(BACKEND_REQUEST.SHMEM_MAP, encodeRange(range, fdOffsetBytes, writable), [fd], range);
  }

  /** SHMEM_UNMAP. @throws MappingRefused */
  async unmap(range: SharedMemoryRange): Promise<void> {
    await this.#ask(BACKEND_REQUEST.SHMEM_UNMAP, encodeRange(range, 0, false), [], range);
  }

  close(): void {
    this.#channel.close();
  }

  async #ask(request: number, payload: Buffer, fds: readonly number[], range: SharedMemoryRange): Promise<void> {
    if (this.#ended) throw new Error('the front-end closed the back-end request socket');
    const answer = await new Promise<bigint>((resolve, reject) => {
      this.#queued.push({ resolve, reject, bytes: encodeMessage(request, FLAG_NEED_REPLY, payload), fds });
      this.#sendMore();
    });
    if (answer !== 0n) {
      const what = request === BACKEND_REQUEST.SHMEM_MAP ? 'map' : 'unmap';
      throw new MappingRefused(`QEMU refused to ${what} ${range.lengthBytes} bytes at ${range.shmOffsetBytes} of the window; see qemu.log`);
    }
  }

  #sendMore(): void {
    while (this.#waiting.length < MOST_IN_FLIGHT) {
      const next = this.#queued.shift();
      if (next === undefined) return;
      this.#waiting.push(next);
      this.#channel.send(next.bytes, next.fds);
    }
  }

  #answered(message: Message): void {
    for (const fd of message.fds) closeSync(fd);
    if ((message.flags & FLAG_REPLY) === 0 || message.payload.length < 8) return;
    this.#waiting.shift()?.resolve(message.payload.readBigUInt64LE());
    this.#sendMore();
  }
}

function encodeRange({ shmid, shmOffsetBytes, lengthBytes }: SharedMemoryRange, fdOffsetBytes: number, writable: boolean): Buffer {
  const payload = Buffer.alloc(MMAP_BYTES);
  payload.writeUInt8(shmid, 0);
  for (const [index, value] of [fdOffsetBytes, shmOffsetBytes, lengthBytes].entries()) u64(BigInt(value)).copy(payload, 8 + 8 * index);
  u64(writable ? FLAG_MAP_RW : 0n).copy(payload, 32);
  return payload;
}
