// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDirents, encodeDirent } from './dirent.ts';
import { initFlagBits, initFlagsOf, INIT_FLAG, type InitFlag } from './flags.ts';
import { decodeParts, encodeParts, OPERATION_NAMES, operationNamed, OPERATIONS, Reader, type Part, type Parts } from './operations.ts';
import * as structs from './structs.ts';
import { WireError, type Struct } from './wire.ts';

/** Sizes that include/uapi/linux/fuse.h of 7.46 has. */
const SIZES: Readonly<Record<string, number>> = {
  fuse_in_header: 40,
  fuse_out_header: 16,
  fuse_attr: 88,
  fuse_statx: 256,
  fuse_kstatfs: 80,
  fuse_file_lock: 24,
  fuse_entry_out: 128,
  fuse_attr_out: 104,
  fuse_statx_in: 24,
  fuse_statx_out: 288,
  fuse_mknod_in: 16,
  fuse_setattr_in: 88,
  fuse_create_in: 16,
  fuse_open_out: 16,
  fuse_release_in: 24,
  fuse_flush_in: 24,
  fuse_read_in: 40,
  fuse_write_in: 40,
  fuse_fsync_in: 16,
  fuse_lk_in: 48,
  fuse_init_in: 64,
  fuse_init_out: 64,
  fuse_ioctl_in: 32,
  fuse_poll_in: 24,
  fuse_fallocate_in: 32,
  fuse_dirent: 24,
  fuse_lseek_in: 24,
  fuse_copy_file_range_in: 56,
  fuse_setupmapping_in: 40,
  fuse_removemapping_one: 16,
};

const all = new Map(Object.values(structs).map((one) => [one.name, one as Struct<unknown>]));

/** Any value that a structure can hold: found by reading arbitrary bytes. */
const valueOf = (of: Struct<unknown>): fc.Arbitrary<unknown> =>
  fc.uint8Array({ minLength: of.bytes, maxLength: of.bytes }).map((bytes) => {
    // The upper bytes of 64-bit counts are kept small: more than 2^53 is refused, on purpose.
    for (let at = 6; at < bytes.length; at += 8) bytes.fill(0, at, Math.min(at + 2, bytes.length));
    return of.read(Buffer.from(bytes), 0);
  });

function arbitraryOf(part: Part): fc.Arbitrary<unknown> {
  if (!('part' in part)) return valueOf(part);
  if (part.part === 'text') return fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 20 });
  if (part.part === 'bytes') return fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
  if (part.part === 'stream') return fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes) => [Buffer.from(bytes)]);
  return fc.array(valueOf(part.of), { minLength: 1, maxLength: 5 });
}

const partsArbitrary = (parts: Parts): fc.Arbitrary<Record<string, unknown>> => fc.record(Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, arbitraryOf(part)])));

/** Cuts bytes into pieces at the given places, as descriptors do. */
const pieces = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
};
const joined = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([name, one]) => [name, Array.isArray(one) && one.length > 0 && one.every((piece) => Buffer.isBuffer(piece)) ? Buffer.concat(one) : one]));

describe('structures', () => {
  it('have the sizes of fuse.h', () => {
    for (const [name, bytes] of Object.entries(SIZES)) expect([name, all.get(name)?.bytes]).toEqual([name, bytes]);
  });

  it('have the sizes that older protocols had', () => {
    expect(structs.fuse_init_in.sizeAt(35)).toBe(16);
    expect(structs.fuse_init_in.sizeAt(36)).toBe(64);
    expect([5, 22, 23, 36, 46].map((minor) => structs.fuse_init_out.sizeAt(minor))).toEqual([24, 24, 64, 64, 64]);
    expect(structs.fuse_attr.sizeAt(31)).toBe(88);
  });

  it('refuse bytes that are too few, and counts that no kernel sends', () => {
    expect(() => structs.fuse_attr.decode(Buffer.alloc(87))).toThrow(WireError);
    expect(() => structs.fuse_forget_in.decode(Buffer.alloc(8, 0xff))).toThrow(WireError);
  });

  it('keep negative times', () => {
    const attr = structs.fuse_attr.decode(Buffer.alloc(88));
    expect(structs.fuse_attr.decode(structs.fuse_attr.encode({ ...attr, atime: -1 })).atime).toBe(-1);
  });
});

describe('operations', () => {
  it.each(OPERATION_NAMES)('%s: request and reply come back as they went, however they are cut', (name) => {
    const { request, reply, code } = OPERATIONS[name];
    expect(operationNamed(code)).toBe(name);
    for (const parts of [request, reply] as Parts[]) {
      fc.assert(
        fc.property(partsArbitrary(parts), fc.array(fc.nat(), { maxLength: 4 }), (value, cuts) => {
          const bytes = Buffer.concat(encodeParts(parts, value, 46));
          expect(joined(decodeParts(parts, new Reader(pieces(bytes, cuts)), 46))).toEqual(joined(value));
        }),
        { numRuns: 60 },
      );
    }
  });

  it('a name without an end, and a message that is cut short, are refused', () => {
    expect(() => decodeParts(OPERATIONS.LOOKUP.request, new Reader([Buffer.from('name')]), 46)).toThrow(WireError);
    expect(() => decodeParts(OPERATIONS.OPEN.request, new Reader([Buffer.alloc(7)]), 46)).toThrow(WireError);
  });

  it('any bytes are a message or a WireError, and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...OPERATION_NAMES), fc.uint8Array({ maxLength: 120 }), (name, bytes) => {
        try {
          decodeParts(OPERATIONS[name].request as Parts, new Reader([Buffer.from(bytes)]), 46);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});

describe('INIT flags', () => {
  it('come back from both words', () => {
    fc.assert(
      fc.property(fc.subarray(Object.keys(INIT_FLAG) as InitFlag[]), (flags) => {
        const { flags: low, flags2 } = initFlagBits(flags);
        expect(initFlagsOf(low, flags2)).toEqual(new Set(flags));
      }),
    );
  });
});

describe('directory entries', () => {
  it('come back, with and without attributes', () => {
    const entry = structs.fuse_entry_out.decode(Buffer.alloc(128, 1).fill(0, 6, 8).fill(0, 14, 16).fill(0, 22, 24).fill(0, 30, 32).fill(0, 46, 48).fill(0, 54, 56).fill(0, 62, 64));
    for (const plus of [true, false]) {
      const dirents = ['a', 'a name of some length', 'x'.repeat(255)].map((name, index) => ({ ino: index + 1, cookie: index + 10, type: 8, name, ...(plus ? { entry } : {}) }));
      expect(decodeDirents(Buffer.concat(dirents.map((dirent) => encodeDirent(dirent))), plus)).toEqual(dirents);
    }
  });
  it('that are cut short are refused', () => {
    const bytes = encodeDirent({ ino: 1, cookie: 1, type: 8, name: 'name' });
    expect(() => decodeDirents(bytes.subarray(0, 26), false)).toThrow(WireError);
  });
});

/** Requests as real kernels sent them (ci/capture.ts records them): decoded, printed, and encoded to the same bytes. */
describe.each(['6.1', '6.12', '7.3'])('captured from Linux %s', (version) => {
  interface Capture {
    readonly op: string;
    readonly minor: number;
    readonly bytes: string;
    readonly decoded: Record<string, unknown>;
  }
  const captures = JSON.parse(readFileSync(join(import.meta.dirname, `testdata/requests-${version}.json`), 'utf8')) as Capture[];

  it('holds the operations that a guest sends', () => {
    const names = new Set(captures.map(({ op }) => op));
    for (const op of ['INIT', 'LOOKUP', 'GETATTR', 'SETATTR', 'CREATE', 'OPEN', 'RELEASE', 'FLUSH', 'READDIRPLUS', 'RENAME', 'FALLOCATE', 'SETUPMAPPING', 'REMOVEMAPPING', 'FORGET', 'DESTROY']) expect(names).toContain(op);
  });

  it.each(captures.map((capture) => [capture.op, capture] as const))('%s', (op, { minor, bytes, decoded }) => {
    const raw = Buffer.from(bytes, 'hex');
    const header = structs.fuse_in_header.decode(raw);
    expect(operationNamed(header.opcode)).toBe(op);
    expect(header.len).toBe(raw.length);
    const { request } = OPERATIONS[op as keyof typeof OPERATIONS] as { request: Parts };
    const value = decodeParts(request, new Reader([raw.subarray(40)]), minor);
    expect(JSON.parse(JSON.stringify(joined(value), printable))).toEqual(decoded);
    expect(Buffer.concat([structs.fuse_in_header.encode(header), ...encodeParts(request, value, minor)]).toString('hex')).toBe(bytes);
  });
});

function printable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  const buffer = value as { readonly type?: string; readonly data?: number[] } | null;
  return buffer?.type === 'Buffer' ? Buffer.from(buffer.data ?? []).toString('hex') : value;
}
