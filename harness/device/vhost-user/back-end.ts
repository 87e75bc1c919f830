// SPDX-License-Identifier: GPL-2.0-only
import { closeSync } from 'node:fs';
import { acceptUnix, listenUnix } from '../../host/libc.ts';
import { reactor } from '../../host/reactor.ts';
import type { Scope } from '../../host/scope.ts';
import { Vring } from '../virtqueue/vring.ts';
import { Channel } from './channel.ts';
import { FrontendRequests } from './frontend-requests.ts';
import { decodeRegion, GuestMemory, REGION_BYTES } from './memory.ts';
import {
  encodeMessage,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  FRONTEND_REQUEST,
  PROTOCOL_FEATURE,
  requestName,
  u64,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_VERSION_1,
  VIRTIO_RING_F_INDIRECT_DESC,
  VRING_INDEX_MASK,
  VRING_NO_FD,
  type Message,
} from './messages.ts';

/** What QEMU 11 has of memory slots for vhost (its VHOST_USER_MAX_RAM_SLOTS): RAM, and one for each live mapping. */
const MEMORY_SLOTS = 509n;
const SHMEM_REGIONS = 256;
/** Writing 0 to the device status resets the device (virtio 1.2, 2.1). */
const STATUS_RESET = 0;

const FEATURES = VIRTIO_F_VERSION_1 | VIRTIO_RING_F_INDIRECT_DESC | VHOST_USER_F_PROTOCOL_FEATURES;
const PROTOCOL_FEATURES = Object.values(PROTOCOL_FEATURE).reduce<bigint>((bits, bit) => bits | (1n << bit), 0n);

export interface BackEndOptions {
  readonly queues: number;
  readonly config: Buffer;
  /** Size of shared memory region 0, in bytes; 0 for none. */
  readonly windowBytes: number;
  /** Chains wait in this queue. */
  readonly onKick: (queue: Vring, index: number) => void;
  /** The connection is over, orderly or not. */
  readonly onEnd: (error: unknown) => void;
  /** The driver has reset the device, or a new front-end is there: nothing of before is to be answered. */
  readonly onReset: () => void;
}

/**
 * The back-end side of vhost-user for one device and one front-end (QEMU docs/interop/vhost-user.rst).
 * The socket listens from the start; the front-end connects when QEMU starts.
 */
export class BackEnd {
  readonly memory = new GuestMemory();
  readonly vrings: readonly Vring[];
  #channel: Channel | undefined;
  #frontend: FrontendRequests | undefined;
  #status = 0n;
  #protocolFeatures = 0n;
  readonly #unwatchKicks = new Map<number, () => void>();

  private constructor(private readonly options: BackEndOptions) {
    this.vrings = Array.from({ length: options.queues }, (_, index) => new Vring(index, this.memory));
  }

  static async listen(scope: Scope, path: string, options: BackEndOptions): Promise<BackEnd> {
    const backEnd = new BackEnd(options);
    const listener = listenUnix(path);
    let unwatch: (() => void) | undefined = reactor.watch(listener, () => {
      const connection = acceptUnix(listener);
      if (connection === undefined) return;
      unwatch?.();
      unwatch = undefined;
      backEnd.#serve(connection);
    });
    await scope.defer(() => {
      unwatch?.();
      closeSync(listener);
      backEnd.close();
      backEnd.memory.end();
    });
    return backEnd;
  }

  /** The socket of SET_BACKEND_REQ_FD; absent until the front-end gave one. */
  get frontend(): FrontendRequests | undefined {
    return this.#frontend;
  }

  /** Ends the connection, as a back-end that dies does. */
  close(error?: unknown): void {
    this.#channel?.close(error);
    this.#frontend?.close();
    for (const unwatch of this.#unwatchKicks.values()) unwatch();
    this.#unwatchKicks.clear();
    for (const vring of this.vrings) vring.end();
  }

  #serve(fd: number): void {
    this.#channel = new Channel(
      fd,
      (message) => {
        this.#handle(message);
      },
      (error) => {
        this.close();
        this.options.onEnd(error);
      },
    );
  }

  #handle(message: Message): void {
    const kept = new Set<number>();
    try {
      const reply = this.#answer(message, (fd) => kept.add(fd));
      if (reply !== undefined) this.#channel?.send(encodeMessage(message.request, FLAG_REPLY, reply));
      // An acknowledgement by the flag and never by the request: SET_STATUS comes with and without it.
      else if ((message.flags & FLAG_NEED_REPLY) !== 0) this.#channel?.send(encodeMessage(message.request, FLAG_REPLY, u64(0n)));
    } catch (cause) {
      throw new Error(`vhost-user ${requestName(message.request)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    } finally {
      for (const fd of message.fds) if (!kept.has(fd)) closeSync(fd);
    }
  }

  /** @returns the reply's payload, for requests that have one. */
  #answer({ request, payload, fds }: Message, keep: (fd: number) => void): Buffer | undefined {
    const [fd] = fds;
    switch (request) {
      case FRONTEND_REQUEST.GET_FEATURES:
        return u64(FEATURES);
      case FRONTEND_REQUEST.GET_PROTOCOL_FEATURES:
        return u64(PROTOCOL_FEATURES);
      case FRONTEND_REQUEST.SET_PROTOCOL_FEATURES:
        this.#protocolFeatures = payload.readBigUInt64LE();
        if (this.options.windowBytes > 0 && (this.#protocolFeatures & (1n << PROTOCOL_FEATURE.SHMEM)) === 0n)
          throw new Error('the front-end takes no shared memory regions (no SHMEM): a DAX window needs QEMU 11.0 or newer');
        return undefined;
      case FRONTEND_REQUEST.GET_QUEUE_NUM:
        return u64(BigInt(this.vrings.length));
      case FRONTEND_REQUEST.GET_MAX_MEM_SLOTS:
        return u64(MEMORY_SLOTS);
      case FRONTEND_REQUEST.GET_STATUS:
        return u64(this.#status);
      case FRONTEND_REQUEST.SET_STATUS:
        this.#status = payload.readBigUInt64LE();
        if (Number(this.#status) === STATUS_RESET) this.options.onReset();
        return undefined;
      case FRONTEND_REQUEST.GET_SHMEM_CONFIG:
        return this.#shmemConfig();
      case FRONTEND_REQUEST.GET_CONFIG:
        return this.#configuration(payload);
      case FRONTEND_REQUEST.SET_FEATURES:
      case FRONTEND_REQUEST.SET_OWNER:
      case FRONTEND_REQUEST.RESET_OWNER:
      case FRONTEND_REQUEST.SET_CONFIG:
        return undefined; // nothing in virtio-fs's configuration is the driver's to write
      case FRONTEND_REQUEST.SET_MEM_TABLE:
        this.memory.clear();
        for (let index = 0; index < payload.readUInt32LE(0); index++) this.#addRegion(payload, 8 + index * REGION_BYTES, fds[index], keep);
        return undefined;
      case FRONTEND_REQUEST.ADD_MEM_REG:
        this.#addRegion(payload, 8, fd, keep);
        return undefined;
      case FRONTEND_REQUEST.REM_MEM_REG:
        this.memory.remove(decodeRegion(payload, 8));
        return undefined;
      case FRONTEND_REQUEST.SET_BACKEND_REQ_FD:
        if (fd === undefined) throw new Error('no descriptor came with it');
        keep(fd);
        this.#frontend?.close();
        this.#frontend = new FrontendRequests(fd);
        return undefined;
      default:
        return this.#answerVring(request, payload, fd, keep);
    }
  }

  #answerVring(request: number, payload: Buffer, fd: number | undefined, keep: (fd: number) => void): Buffer | undefined {
    const withFd = request === FRONTEND_REQUEST.SET_VRING_KICK || request === FRONTEND_REQUEST.SET_VRING_CALL || request === FRONTEND_REQUEST.SET_VRING_ERR;
    const index = withFd ? Number(payload.readBigUInt64LE() & VRING_INDEX_MASK) : payload.readUInt32LE(0);
    const vring = this.vrings[index];
    if (vring === undefined) throw new Error(`vring ${index} of ${this.vrings.length}`);
    const given = withFd && (payload.readBigUInt64LE() & VRING_NO_FD) === 0n ? fd : undefined;
    if (given !== undefined) keep(given);
    switch (request) {
      case FRONTEND_REQUEST.SET_VRING_NUM:
        vring.setSize(payload.readUInt32LE(4));
        return undefined;
      case FRONTEND_REQUEST.SET_VRING_BASE:
        vring.setBase(payload.readUInt32LE(4));
        return undefined;
      case FRONTEND_REQUEST.SET_VRING_ADDR: {
        const [descriptors, used, available] = [8, 16, 24].map((at) => Number(payload.readBigUInt64LE(at))) as [number, number, number];
        vring.setAddresses({ descriptors, used, available });
        return undefined;
      }
      case FRONTEND_REQUEST.GET_VRING_BASE: {
        // Stops the queue: what is still being worked on is answered into nothing.
        this.#unwatchKicks.get(index)?.();
        const reply = Buffer.alloc(8);
        reply.writeUInt32LE(index, 0);
        reply.writeUInt32LE(vring.stop(), 4);
        return reply;
      }
      case FRONTEND_REQUEST.SET_VRING_CALL:
        vring.setCall(given);
        return undefined;
      case FRONTEND_REQUEST.SET_VRING_ERR:
        vring.setError(given);
        return undefined;
      case FRONTEND_REQUEST.SET_VRING_KICK:
        this.#unwatchKicks.get(index)?.();
        this.#unwatchKicks.delete(index);
        vring.setKick(given);
        if (given !== undefined)
          this.#unwatchKicks.set(
            index,
            reactor.watch(given, () => {
              vring.takeKick();
              if (vring.enabled) this.options.onKick(vring, index);
            }),
          );
        return undefined;
      case FRONTEND_REQUEST.SET_VRING_ENABLE:
        vring.enabled = payload.readUInt32LE(4) !== 0;
        // Chains may have been made available before the queue was enabled.
        if (vring.enabled && vring.started) this.options.onKick(vring, index);
        return undefined;
      default:
        throw new Error('not supported by this back-end');
    }
  }

  #addRegion(payload: Buffer, atByte: number, fd: number | undefined, keep: (fd: number) => void): void {
    if (fd === undefined) throw new Error('a memory region without a descriptor: guest RAM must be shared (memory-backend-memfd,share=on)');
    keep(fd);
    this.memory.add(decodeRegion(payload, atByte), fd);
  }

  /** struct virtio_fs_config (virtio 1.2, 5.11.4), as much of it as was asked for. */
  #configuration(payload: Buffer): Buffer {
    const [offsetBytes, sizeBytes] = [payload.readUInt32LE(0), payload.readUInt32LE(4)];
    const reply = Buffer.alloc(12 + sizeBytes);
    payload.copy(reply, 0, 0, 12);
    this.options.config.copy(reply, 12, offsetBytes, offsetBytes + sizeBytes);
    return reply;
  }

  /** nregions u32, padding u32, then a size for each region id. */
  #shmemConfig(): Buffer {
    const reply = Buffer.alloc(8 + 8 * SHMEM_REGIONS);
    reply.writeUInt32LE(this.options.windowBytes > 0 ? 1 : 0, 0);
    reply.writeBigUInt64LE(BigInt(this.options.windowBytes), 8);
    return reply;
  }
}
