// SPDX-License-Identifier: GPL-2.0-only
import type { OperationName } from '../fuse/operations.ts';

/** A request and its reply, as one line of a trace file. Times are in milliseconds, latencies in microseconds. */
export interface TraceRecord {
  readonly kind: 'request';
  /** Since the trace began, by a monotonic clock. */
  readonly at: number;
  readonly guest: string;
  readonly queue: number;
  readonly unique: number;
  readonly op: string;
  readonly node: number;
  readonly path: string;
  readonly pid: number;
  readonly uid: number;
  readonly args: Readonly<Record<string, unknown>>;
  /** An errno's name; absent for success. */
  readonly error?: string;
  readonly replyBytes?: number;
  /** Absent for what was never answered. */
  readonly latency?: number;
  /** What a script did to it. */
  readonly steered?: string;
}

/** Where a case begins and ends. */
export interface TraceMark {
  readonly kind: 'mark';
  readonly at: number;
  readonly guest: string;
  readonly text: string;
}

/** Counts of what crossed the wire; only what happened is in it. */
export type WireCounts = Readonly<Record<string, number>>;

/** Counts requests by operation, entries of REMOVEMAPPING, and requests under way at once. */
export class WireCounter {
  readonly #counts = new Map<string, number>();
  readonly #outstanding = new Map<string, number>();

  readonly #waiting = new Set<() => void>();

  add(name: string, count = 1): void {
    this.#counts.set(name, this.of(name) + count);
    for (const look of [...this.#waiting]) look();
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Resolves when so many have been counted. */
  async reached(name: string, count: number): Promise<void> {
    if (this.of(name) >= count) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.of(name) < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  /** The request is under way until what is returned is called. */
  begin(op: OperationName, parent: number): () => void {
    this.add(op);
    const directory = DIRECTORY_OPERATIONS.has(op);
    this.#enter('outstanding', OUTSTANDING);
    if (directory) this.#enter(`parent ${parent}`, OUTSTANDING_IN_DIRECTORY);
    return () => {
      this.#leave('outstanding');
      if (directory) this.#leave(`parent ${parent}`);
    };
  }

  get counts(): WireCounts {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)));
  }

  #enter(key: string, most: string): void {
    const now = (this.#outstanding.get(key) ?? 0) + 1;
    this.#outstanding.set(key, now);
    if (now > (this.#counts.get(most) ?? 0)) this.#counts.set(most, now);
  }

  #leave(key: string): void {
    const now = (this.#outstanding.get(key) ?? 1) - 1;
    if (now === 0) this.#outstanding.delete(key);
    else this.#outstanding.set(key, now);
  }
}

export const OUTSTANDING = 'most outstanding';
export const OUTSTANDING_IN_DIRECTORY = 'most outstanding in a directory';
/** Entries of all REMOVEMAPPING requests together. */
export const REMOVED_RANGES = 'REMOVEMAPPING entries';

/** What PARALLEL_DIROPS lets run side by side under one parent (fuse_lock_inode(), fs/fuse/inode.c). */
const DIRECTORY_OPERATIONS: ReadonlySet<OperationName> = new Set<OperationName>(['LOOKUP', 'READDIR', 'READDIRPLUS']);

/** All that crosses the wire of one share: written as JSON lines, counted as a whole and since the last mark. */
export class Trace {
  readonly #startedMilliseconds = performance.now();
  #since = new WireCounter();

  /** @param write takes one line, without its end. */
  constructor(private readonly write?: (line: string) => void) {}

  now(): number {
    return performance.now() - this.#startedMilliseconds;
  }

  /** The counter since the last mark. */
  get counter(): WireCounter {
    return this.#since;
  }

  /** Begins a new count: what is under way belongs to the old one. */
  mark(guest: string, text: string): void {
    this.#since = new WireCounter();
    this.#put({ kind: 'mark', at: this.now(), guest, text });
  }

  record(record: TraceRecord): void {
    this.#put(record);
  }

  #put(line: TraceRecord | TraceMark): void {
    this.write?.(JSON.stringify(line, bigintAsText));
  }
}

/** For JSON, which has no bigint: hexadecimal, as flags and owners are read. */
export const bigintAsText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value);

/** A request's arguments, flat and printable: bytes are told by their number. */
export function printableArguments(request: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (typeof value === 'string') flat[name] = Buffer.from(value, 'latin1').toString();
    else if (Buffer.isBuffer(value)) flat[`${name}Bytes`] = value.length;
    else if (Array.isArray(value)) {
      const pieces = value as unknown[];
      if (pieces.every((piece) => Buffer.isBuffer(piece))) flat[`${name}Bytes`] = pieces.reduce<number>((sum, piece) => sum + piece.length, 0);
      else flat[name] = pieces.slice(0, 16);
    } else if (typeof value === 'object' && value !== null) Object.assign(flat, value);
    else flat[name] = value;
  }
  return flat;
}
