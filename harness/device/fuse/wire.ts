// SPDX-License-Identifier: GPL-2.0-only

/** Bytes that are no FUSE message: too short, no NUL, a value that no kernel sends. */
export class WireError extends Error {}

/** How a value lies in memory: little endian, as every guest that we start has it. */
export interface Kind<T> {
  readonly bytes: number;
  /** The protocol's minor version that brought it (include/uapi/linux/fuse.h, its change log). */
  readonly since?: number;
  /** From which minor on the bytes were there, where padding came first: 0 for always. */
  readonly paddingSince?: number;
  read(from: Buffer, at: number): T;
  write(to: Buffer, at: number, value: T): void;
}

export interface Padding {
  readonly bytes: number;
  readonly padding: true;
  readonly since?: number;
}

export const u16: Kind<number> = { bytes: 2, read: (from, at) => from.readUInt16LE(at), write: (to, at, value) => to.writeUInt16LE(value, at) };
export const u32: Kind<number> = { bytes: 4, read: (from, at) => from.readUInt32LE(at), write: (to, at, value) => to.writeUInt32LE(value >>> 0, at) };
export const i32: Kind<number> = { bytes: 4, read: (from, at) => from.readInt32LE(at), write: (to, at, value) => to.writeInt32LE(value, at) };

/** 64 bits that may all be in use: flags, owners, sizes that a user chose. */
export const u64: Kind<bigint> = {
  bytes: 8,
  read: (from, at) => from.readBigUInt64LE(at),
  write: (to, at, value) => to.writeBigUInt64LE(BigInt.asUintN(64, value), at),
};

/** 64 bits that count something and stay below 2^53: node ids, handles, sizes and offsets of what exists. */
export const n64: Kind<number> = {
  bytes: 8,
  read: (from, at) => {
    const value = from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw new WireError(`${from.readBigUInt64LE(at)} where a count is expected`);
    return value;
  },
  write: (to, at, value) => {
    to.writeUInt32LE(value % 2 ** 32, at);
    to.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  },
};

/** Seconds since 1970; before that they are negative. */
export const seconds: Kind<number> = {
  bytes: 8,
  read: (from, at) => Number(from.readBigInt64LE(at)),
  write: (to, at, value) => to.writeBigInt64LE(BigInt(value), at),
};

export const pad = (bytes: number): Padding => ({ bytes, padding: true });

/** A field that an older protocol does not have at all: what follows it does not exist there either. */
export function since<K extends Kind<unknown> | Padding>(minor: number, kind: K): K {
  return { ...kind, since: minor };
}

/** A field in a place that was padding before, since `paddingSince`. */
export function sinceInPadding<T>(minor: number, kind: Kind<T>, paddingSince = 0): Kind<T> {
  return { ...kind, since: minor, paddingSince };
}

type Fields = Readonly<Record<string, Kind<unknown> | Padding>>;
type Named<F extends Fields> = { [N in keyof F as F[N] extends Padding ? never : N]: F[N] extends Kind<infer T> ? T : never };
export type Value<K> = K extends Kind<infer T> ? T : never;

/** A structure of the protocol: its fields in order, named as in fuse.h. */
export interface Struct<T> extends Kind<T> {
  readonly name: string;
  /** Its size for a protocol minor, in bytes. */
  sizeAt(minor: number): number;
  /** @param minor of what was negotiated: younger fields are not looked for and read as 0. @throws WireError */
  decode(from: Buffer, minor?: number): T;
  encode(value: T, minor?: number): Buffer;
}

export const NEWEST_MINOR = 46;

export function struct<const F extends Fields>(name: string, fields: F): Struct<Named<F>> {
  const layout = Object.entries(fields).map(([field, kind]) => ({ field, kind: kind }));
  const sizeAt = (minor: number): number =>
    layout.reduce((sum, { kind }) => sum + ((('paddingSince' in kind ? kind.paddingSince : kind.since) ?? 0) <= minor ? kind.bytes : 0), 0);
  const bytes = sizeAt(NEWEST_MINOR);
  const readUpTo = (from: Buffer, start: number, end: number): Named<F> => {
    const value: Record<string, unknown> = {};
    let at = start;
    for (const { field, kind } of layout) {
      if (!('padding' in kind)) value[field] = at + kind.bytes <= end ? kind.read(from, at) : zeroOf(kind);
      at += kind.bytes;
    }
    return value as Named<F>;
  };
  const read = (from: Buffer, at: number): Named<F> => readUpTo(from, at, at + bytes);
  const write = (to: Buffer, start: number, value: Named<F>): void => {
    const values = value as Record<string, unknown>;
    let at = start;
    for (const { field, kind } of layout) {
      if (at + kind.bytes > to.length) return;
      if (!('padding' in kind)) kind.write(to, at, values[field]);
      at += kind.bytes;
    }
  };
  return {
    name,
    bytes,
    sizeAt,
    read,
    write,
    decode: (from, minor = NEWEST_MINOR) => {
      const expected = sizeAt(minor);
      if (from.length < expected) throw new WireError(`${name} of ${from.length} bytes, expected ${expected}`);
      return readUpTo(from, 0, expected);
    },
    encode: (value, minor = NEWEST_MINOR) => {
      const to = Buffer.alloc(sizeAt(minor));
      write(to, 0, value);
      return to;
    },
  };
}

function zeroOf(kind: Kind<unknown>): unknown {
  return kind.read(Buffer.alloc(kind.bytes), 0);
}
