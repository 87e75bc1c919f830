// SPDX-License-Identifier: GPL-2.0-only
/** The one table of operations: reading, writing, printing and their types all follow from it. */
import * as s from './structs.ts';
import { WireError, type Kind, type Struct } from './wire.ts';

/** A NUL-terminated name; one character of the string is one byte (latin1), for names are bytes. */
export interface TextPart {
  readonly part: 'text';
}
/** All bytes to the end of the message. */
export interface BytesPart {
  readonly part: 'bytes';
}
/** The same, as they lie in guest memory: not gathered, not copied. */
export interface StreamPart {
  readonly part: 'stream';
}
/** Structures one after another to the end of the message. */
export interface ListPart<T> {
  readonly part: 'list';
  readonly of: Struct<T>;
}
export type Part = Struct<unknown> | TextPart | BytesPart | StreamPart | ListPart<unknown>;
export type Parts = Readonly<Record<string, Part>>;

type PartValue<P> = P extends TextPart ? string : P extends BytesPart ? Buffer : P extends StreamPart ? readonly Buffer[] : P extends ListPart<infer T> ? readonly T[] : P extends Kind<infer T> ? T : never;
export type ValueOf<P extends Parts> = { readonly [N in keyof P]: PartValue<P[N]> };

export interface Operation<Q extends Parts = Parts, R extends Parts = Parts> {
  readonly code: number;
  /** The protocol's minor version that brought it. */
  readonly since: number;
  readonly request: Q;
  readonly reply: R;
  /** The kernel waits for no answer (FORGET). */
  readonly unanswered?: true;
}

const nothing = {} as const;
const text: TextPart = { part: 'text' };
const bytes: BytesPart = { part: 'bytes' };
const stream: StreamPart = { part: 'stream' };
const list = <T>(of: Struct<T>): ListPart<T> => ({ part: 'list', of });
const operation = <const Q extends Parts, const R extends Parts>(code: number, since: number, request: Q, reply: R): Operation<Q, R> => ({ code, since, request, reply });
const unanswered = <const Q extends Parts>(code: number, since: number, request: Q): Operation<Q, typeof nothing> => ({ code, since, request, reply: nothing, unanswered: true });

const entry = { entry: s.fuse_entry_out };
const attr = { attr: s.fuse_attr_out };
const open = { open: s.fuse_open_out };
export const OPERATIONS = {
  LOOKUP: operation(1, 1, { name: text }, entry),
  FORGET: unanswered(2, 1, { args: s.fuse_forget_in }),
  GETATTR: operation(3, 1, { args: s.fuse_getattr_in }, attr),
  SETATTR: operation(4, 1, { args: s.fuse_setattr_in }, attr),
  READLINK: operation(5, 1, nothing, { target: bytes }),
  SYMLINK: operation(6, 1, { name: text, target: text }, entry),
  MKNOD: operation(8, 1, { args: s.fuse_mknod_in, name: text }, entry),
  MKDIR: operation(9, 1, { args: s.fuse_mkdir_in, name: text }, entry),
  UNLINK: operation(10, 1, { name: text }, nothing),
  RMDIR: operation(11, 1, { name: text }, nothing),
  RENAME: operation(12, 1, { args: s.fuse_rename_in, name: text, newName: text }, nothing),
  LINK: operation(13, 1, { args: s.fuse_link_in, newName: text }, entry),
  OPEN: operation(14, 1, { args: s.fuse_open_in }, open),
  READ: operation(15, 1, { args: s.fuse_read_in }, { data: stream }),
  WRITE: operation(16, 1, { args: s.fuse_write_in, data: stream }, { written: s.fuse_write_out }),
  STATFS: operation(17, 1, nothing, { st: s.fuse_kstatfs }),
  RELEASE: operation(18, 1, { args: s.fuse_release_in }, nothing),
  FSYNC: operation(20, 1, { args: s.fuse_fsync_in }, nothing),
  /** With SETXATTR_EXT, eight bytes of fuse_setxattr_ext come before the name: the handler takes them apart, for it knows what was agreed on. */
  SETXATTR: operation(21, 1, { args: s.fuse_setxattr_in, rest: bytes }, nothing),
  /** Answers fuse_getxattr_out to a size of 0, else the value. */
  GETXATTR: operation(22, 1, { args: s.fuse_getxattr_in, name: text }, { value: bytes }),
  LISTXATTR: operation(23, 1, { args: s.fuse_getxattr_in }, { names: bytes }),
  REMOVEXATTR: operation(24, 1, { name: text }, nothing),
  FLUSH: operation(25, 1, { args: s.fuse_flush_in }, nothing),
  INIT: operation(26, 1, { args: s.fuse_init_in }, { init: s.fuse_init_out }),
  OPENDIR: operation(27, 1, { args: s.fuse_open_in }, open),
  READDIR: operation(28, 1, { args: s.fuse_read_in }, { entries: bytes }),
  RELEASEDIR: operation(29, 1, { args: s.fuse_release_in }, nothing),
  FSYNCDIR: operation(30, 1, { args: s.fuse_fsync_in }, nothing),
  GETLK: operation(31, 7, { args: s.fuse_lk_in }, { lock: s.fuse_lk_out }),
  SETLK: operation(32, 7, { args: s.fuse_lk_in }, nothing),
  SETLKW: operation(33, 7, { args: s.fuse_lk_in }, nothing),
  ACCESS: operation(34, 1, { args: s.fuse_access_in }, nothing),
  CREATE: operation(35, 3, { args: s.fuse_create_in, name: text }, { entry: s.fuse_entry_out, open: s.fuse_open_out }),
  INTERRUPT: unanswered(36, 8, { args: s.fuse_interrupt_in }),
  BMAP: operation(37, 8, { args: s.fuse_bmap_in }, { block: s.fuse_bmap_out }),
  DESTROY: operation(38, 1, nothing, nothing),
  IOCTL: operation(39, 11, { args: s.fuse_ioctl_in, data: bytes }, { result: s.fuse_ioctl_out, data: bytes }),
  POLL: operation(40, 11, { args: s.fuse_poll_in }, { events: s.fuse_poll_out }),
  BATCH_FORGET: unanswered(42, 16, { args: s.fuse_batch_forget_in, forgets: list(s.fuse_forget_one) }),
  FALLOCATE: operation(43, 19, { args: s.fuse_fallocate_in }, nothing),
  READDIRPLUS: operation(44, 21, { args: s.fuse_read_in }, { entries: bytes }),
  RENAME2: operation(45, 23, { args: s.fuse_rename2_in, name: text, newName: text }, nothing),
  LSEEK: operation(46, 24, { args: s.fuse_lseek_in }, { result: s.fuse_lseek_out }),
  COPY_FILE_RANGE: operation(47, 28, { args: s.fuse_copy_file_range_in }, { written: s.fuse_write_out }),
  SETUPMAPPING: operation(48, 31, { args: s.fuse_setupmapping_in }, nothing),
  REMOVEMAPPING: operation(49, 31, { args: s.fuse_removemapping_in, ranges: list(s.fuse_removemapping_one) }, nothing),
  SYNCFS: operation(50, 34, { args: s.fuse_syncfs_in }, nothing),
  TMPFILE: operation(51, 37, { args: s.fuse_create_in, name: text }, { entry: s.fuse_entry_out, open: s.fuse_open_out }),
  STATX: operation(52, 39, { args: s.fuse_statx_in }, { statx: s.fuse_statx_out }),
  COPY_FILE_RANGE_64: operation(53, 45, { args: s.fuse_copy_file_range_in }, { result: s.fuse_copy_file_range_out }),
} as const;

export type OperationName = keyof typeof OPERATIONS;
export type RequestOf<N extends OperationName> = ValueOf<(typeof OPERATIONS)[N]['request']>;
export type ReplyOf<N extends OperationName> = ValueOf<(typeof OPERATIONS)[N]['reply']>;
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[];

const byCode = new Map<number, OperationName>(OPERATION_NAMES.map((name) => [OPERATIONS[name].code, name]));
export const operationNamed = (code: number): OperationName | undefined => byCode.get(code);

/** Takes bytes off a message that lies in several pieces. */
export class Reader {
  #index = 0;
  #at = 0;

  constructor(private readonly pieces: readonly Buffer[]) {}

  get left(): number {
    return this.pieces.slice(this.#index).reduce((sum, piece) => sum + piece.length, 0) - this.#at;
  }

  /** The next bytes; copied only where they lie in more than one piece. @throws WireError when there are fewer. */
  take(count: number): Buffer {
    const piece = this.pieces[this.#index];
    if (piece !== undefined && piece.length - this.#at > count) {
      this.#at += count;
      return piece.subarray(this.#at - count, this.#at);
    }
    if (count > this.left) throw new WireError(`${this.left} bytes left of a message, expected ${count}`);
    return gather(this.#cut(count), count);
  }

  /** What is left, as it lies. */
  rest(): Buffer[] {
    return this.#cut(this.left);
  }

  #cut(count: number): Buffer[] {
    const cut: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const piece = this.pieces[this.#index];
      if (piece === undefined) break;
      const taken = Math.min(missing, piece.length - this.#at);
      if (taken > 0) cut.push(piece.subarray(this.#at, this.#at + taken));
      missing -= taken;
      this.#at += taken;
      if (this.#at === piece.length) {
        this.#index++;
        this.#at = 0;
      }
    }
    return cut;
  }
}

const gather = (pieces: readonly Buffer[], count: number): Buffer => (pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, count));

/** Reads a message's parts in order. @throws WireError */
export function decodeParts<P extends Parts>(parts: P, reader: Reader, minor: number): ValueOf<P> {
  const value: Record<string, unknown> = {};
  // Names are read from one piece, for it is the NUL that tells where each ends.
  let tail: Buffer | undefined;
  for (const [name, part] of Object.entries(parts)) {
    if (!('part' in part)) {
      value[name] = part.decode(reader.take(part.sizeAt(minor)), minor);
      continue;
    }
    if (part.part === 'stream') {
      value[name] = reader.rest();
      continue;
    }
    tail ??= reader.take(reader.left);
    if (part.part === 'text') {
      const end = tail.indexOf(0);
      if (end < 0) throw new WireError(`${name} has no end`);
      value[name] = tail.toString('latin1', 0, end);
      tail = tail.subarray(end + 1);
    } else if (part.part === 'bytes') value[name] = Buffer.from(tail);
    else {
      const of = part.of;
      const items: unknown[] = [];
      for (let at = 0; at + of.bytes <= tail.length; at += of.bytes) items.push(of.read(tail, at));
      value[name] = items;
    }
  }
  return value as ValueOf<P>;
}

/** Writes a message's parts in order; a stream stays in its pieces. */
export function encodeParts<P extends Parts>(parts: P, value: ValueOf<P>, minor: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (const [name, part] of Object.entries(parts)) {
    const one = (value as Record<string, unknown>)[name];
    if (!('part' in part)) pieces.push((part).encode(one, minor));
    else if (part.part === 'text') pieces.push(Buffer.from(`${one as string}\0`, 'latin1'));
    else if (part.part === 'bytes') pieces.push(one as Buffer);
    else if (part.part === 'stream') pieces.push(...(one as Buffer[]));
    else for (const item of one as unknown[]) pieces.push((part.of).encode(item));
  }
  return pieces;
}
