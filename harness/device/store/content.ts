// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, fstatSync, ftruncateSync, readSync, readvSync, writevSync } from 'node:fs';
import { createMemfd, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fallocate, seek } from '../../host/libc.ts';
import { FuseError } from '../fuse/errno.ts';

/** A DAX range (FUSE_DAX_SHIFT, fs/fuse/dax.c): what the guest maps at a time, and QEMU maps no further than the memfd reaches. */
export const RANGE_BYTES = 2 * 1024 * 1024;
const MOST_BYTES = 2 ** 43;

/**
 * The bytes of a regular file, in a memfd that is padded to whole ranges; the true size is kept here.
 * The memfd never shrinks: a guest may still have a range of it mapped, and QEMU would die of SIGBUS.
 */
export class Content {
  readonly fd: number;
  #sizeBytes = 0;
  #paddedBytes = 0;

  constructor(name: string) {
    this.fd = createMemfd(name);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get paddedBytes(): number {
    return this.#paddedBytes;
  }

  /** In units of 512 bytes, as stat(2) has them. Ranges that a guest has mapped and touched count. */
  get blocks(): number {
    return fstatSync(this.fd).blocks;
  }

  /** readv(2) up to the file's end. @returns how many bytes. */
  readInto(pieces: readonly Buffer[], offsetBytes: number): number {
    const wanted = Math.max(0, Math.min(lengthOf(pieces), this.#sizeBytes - offsetBytes));
    return wanted === 0 ? 0 : readvSync(this.fd, cut(pieces, wanted), offsetBytes);
  }

  read(offsetBytes: number, lengthBytes: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(lengthBytes, this.#sizeBytes - offsetBytes)));
    return bytes.subarray(0, bytes.length === 0 ? 0 : readSync(this.fd, bytes, 0, bytes.length, offsetBytes));
  }

  /** writev(2); extends the file where it has to. @throws FuseError EFBIG */
  write(pieces: readonly Buffer[], offsetBytes: number): number {
    const lengthBytes = lengthOf(pieces);
    if (lengthBytes === 0) return 0;
    if (offsetBytes > this.#sizeBytes) this.#clean(this.#sizeBytes);
    this.#reach(offsetBytes + lengthBytes);
    const written = writevSync(this.fd, [...pieces], offsetBytes);
    this.#sizeBytes = Math.max(this.#sizeBytes, offsetBytes + written);
    return written;
  }

  /** What lay past the end, put there through a mapping, never surfaces. @throws FuseError EFBIG */
  resize(sizeBytes: number): void {
    this.#reach(sizeBytes);
    this.#clean(Math.min(sizeBytes, this.#sizeBytes));
    this.#sizeBytes = sizeBytes;
  }

  /** fallocate(2) with mode 0 or KEEP_SIZE. */
  allocate(offsetBytes: number, lengthBytes: number, keepSize: boolean): void {
    const end = offsetBytes + lengthBytes;
    if (!keepSize && end > this.#sizeBytes) this.resize(end);
    this.#reach(end);
    fallocate(this.fd, FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
  }

  /** Zeros, without bytes behind them. */
  punch(offsetBytes: number, lengthBytes: number): void {
    const end = Math.min(offsetBytes + lengthBytes, this.#paddedBytes);
    if (end > offsetBytes) fallocate(this.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, end - offsetBytes);
  }

  /** lseek(2). @throws FuseError ENXIO */
  seek(what: 'data' | 'hole', offsetBytes: number): number {
    if (offsetBytes >= this.#sizeBytes) throw new FuseError('ENXIO');
    const found = seek(this.fd, what, offsetBytes);
    if (what === 'hole') return Math.min(found ?? this.#sizeBytes, this.#sizeBytes);
    if (found === undefined || found >= this.#sizeBytes) throw new FuseError('ENXIO');
    return found;
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Drops everything from here to the memfd's end. */
  #clean(fromBytes: number): void {
    if (fromBytes < this.#paddedBytes) this.punch(fromBytes, this.#paddedBytes - fromBytes);
  }

  #reach(endBytes: number): void {
    if (endBytes > MOST_BYTES) throw new FuseError('EFBIG');
    if (endBytes <= this.#paddedBytes) return;
    this.#paddedBytes = Math.ceil(endBytes / RANGE_BYTES) * RANGE_BYTES;
    ftruncateSync(this.fd, this.#paddedBytes);
  }
}

const lengthOf = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0);

function cut(pieces: readonly Buffer[], lengthBytes: number): Buffer[] {
  const kept: Buffer[] = [];
  for (let left = lengthBytes, index = 0; left > 0; index++) {
    const piece = pieces[index];
    if (piece === undefined) break;
    kept.push(piece.length <= left ? piece : piece.subarray(0, left));
    left -= Math.min(left, piece.length);
  }
  return kept;
}
