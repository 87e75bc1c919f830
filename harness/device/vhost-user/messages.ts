// SPDX-License-Identifier: GPL-2.0-only
/** Message numbers and bits of the vhost-user protocol (QEMU docs/interop/vhost-user.rst). */

/** Front-end to back-end. */
export const FRONTEND_REQUEST = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  RESET_OWNER: 4,
  SET_MEM_TABLE: 5,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  GET_PROTOCOL_FEATURES: 15,
  SET_PROTOCOL_FEATURES: 16,
  GET_QUEUE_NUM: 17,
  SET_VRING_ENABLE: 18,
  SET_BACKEND_REQ_FD: 21,
  GET_CONFIG: 24,
  SET_CONFIG: 25,
  GET_MAX_MEM_SLOTS: 36,
  ADD_MEM_REG: 37,
  REM_MEM_REG: 38,
  SET_STATUS: 39,
  GET_STATUS: 40,
  GET_SHMEM_CONFIG: 44,
} as const;

/** Back-end to front-end. */
export const BACKEND_REQUEST = { SHMEM_MAP: 9, SHMEM_UNMAP: 10 } as const;

export const VIRTIO_F_VERSION_1 = 1n << 32n;
export const VIRTIO_RING_F_INDIRECT_DESC = 1n << 28n;
export const VHOST_USER_F_PROTOCOL_FEATURES = 1n << 30n;

export const PROTOCOL_FEATURE = {
  MQ: 0n,
  REPLY_ACK: 3n,
  BACKEND_REQ: 5n,
  CONFIG: 9n,
  BACKEND_SEND_FD: 10n,
  CONFIGURE_MEM_SLOTS: 15n,
  STATUS: 16n,
  SHMEM: 22n,
} as const;

export const FLAG_VERSION = 1;
export const FLAG_REPLY = 1 << 2;
export const FLAG_NEED_REPLY = 1 << 3;
const VERSION_MASK = 3;

export const HEADER_BYTES = 12;
/** No message that a front-end sends is longer than this (SET_CONFIG, SET_MEM_TABLE). */
export const LONGEST_PAYLOAD_BYTES = 4096;
/** A vring's kick or call without a descriptor sets this bit beside the index. */
export const VRING_NO_FD = 1n << 8n;
export const VRING_INDEX_MASK = 0xffn;

export interface Message {
  readonly request: number;
  readonly flags: number;
  readonly payload: Buffer;
  readonly fds: readonly number[];
}

export interface Header {
  readonly request: number;
  readonly flags: number;
  readonly sizeBytes: number;
}

/** @throws Error for what no front-end of version 1 sends. */
export function decodeHeader(bytes: Buffer): Header {
  const [request, flags, sizeBytes] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
  if ((flags & VERSION_MASK) !== FLAG_VERSION) throw new Error(`vhost-user message ${request} has version ${flags & VERSION_MASK}, expected ${FLAG_VERSION}`);
  if (sizeBytes > LONGEST_PAYLOAD_BYTES) throw new Error(`vhost-user message ${request} announces ${sizeBytes} bytes, at most ${LONGEST_PAYLOAD_BYTES} are taken`);
  return { request, flags, sizeBytes };
}

export function encodeMessage(request: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(request, 0);
  header.writeUInt32LE(flags | FLAG_VERSION, 4);
  header.writeUInt32LE(payload.length, 8);
  return Buffer.concat([header, payload]);
}

export const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

const names = new Map<number, string>(Object.entries(FRONTEND_REQUEST).map(([name, number]) => [number, name]));
export const requestName = (request: number): string => names.get(request) ?? `request ${request}`;
