// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as sleep } from 'node:timers/promises';
import { FuseError } from '../fuse/errno.ts';
import { RANGE_BYTES, type Content } from '../store/content.ts';
import type { Inode } from '../store/inode.ts';

/** QEMU shows the window as a PCI BAR: a power of two. */
export const LARGEST_WINDOW_BYTES = 1024 * 1024 * 1024;
/** Each live mapping takes one of QEMU's 509 memory slots for vhost; some are RAM's. */
const MOST_LIVE = 500;

/**
 * QEMU's emulated processors take up a new memory map a moment after QEMU has said that it is there (tcg_commit() queues
 * it for each of them), and nothing tells when they have. A guest that was answered at once now and then read zeros there,
 * or lost what it wrote, up to the end of a page: in 2 of 80 runs of two busy cases, and with the pause in none of 100.
 */
const SETTLING_MILLISECONDS = 1;

/** What a window asks of the front-end: SHMEM_MAP and SHMEM_UNMAP. */
export interface Mapper {
  map(range: { readonly shmid: number; readonly shmOffsetBytes: number; readonly lengthBytes: number }, fd: number, fdOffsetBytes: number, writable: boolean): Promise<void>;
  unmap(range: { readonly shmid: number; readonly shmOffsetBytes: number; readonly lengthBytes: number }): Promise<void>;
}

/** A range of the window that shows a range of a file. */
export interface LiveMapping {
  readonly inode: Inode;
  readonly moffsetBytes: number;
  readonly fileOffsetBytes: number;
  readonly lengthBytes: number;
  readonly writable: boolean;
}

export interface MapRequest extends LiveMapping {
  readonly content: Content;
}

/** What the guest's kernel did that a correct one does not do. */
export interface Violation {
  readonly kind: 'map-outside-window' | 'map-outside-file' | 'remove-never-mapped' | 'remove-outside-window' | 'map-over-other';
  readonly text: string;
}

export interface WindowCounts {
  maps: number;
  unmaps: number;
  /** Mapped over a live mapping of the same node and offset, to make it writable. */
  upgrades: number;
  /** Mapped over a live mapping of something else: the range was reused without a REMOVEMAPPING. */
  replacements: number;
  /** Ranges that were live at once, at most. */
  mostLive: number;
}

/** The device's shared memory region 0 (virtio 1.2, 5.11.6): what is mapped where, by the guest's requests. */
export class Window {
  readonly #live = new Map<number, LiveMapping>();
  readonly violations: Violation[] = [];
  readonly counts: WindowCounts = { maps: 0, unmaps: 0, upgrades: 0, replacements: 0, mostLive: 0 };

  constructor(
    readonly sizeBytes: number,
    private readonly mapper: () => Mapper | undefined,
  ) {}

  get live(): readonly LiveMapping[] {
    return [...this.#live.values()];
  }

  /** SETUPMAPPING. QEMU refuses to map over a mapping, so what is there is unmapped first. @throws FuseError */
  async map(request: MapRequest): Promise<void> {
    const { inode, content, moffsetBytes, fileOffsetBytes, lengthBytes, writable } = request;
    const where = `node ${inode.ino} from ${fileOffsetBytes} to the window's ${moffsetBytes}, ${lengthBytes} bytes`;
    if (!this.#holds(moffsetBytes, lengthBytes)) throw this.#violated('map-outside-window', where);
    if (fileOffsetBytes % RANGE_BYTES !== 0 || fileOffsetBytes + lengthBytes > content.paddedBytes) throw this.#violated('map-outside-file', `${where}; the file has ${content.sizeBytes}`);
    if (this.#live.size >= MOST_LIVE) throw new Error(`more than ${MOST_LIVE} ranges are mapped at once, and QEMU has no slots for more: take a smaller window`);
    const steps: Promise<void>[] = [];
    // The table changes now, before any answer: what the guest asks next is about what it asked before.
    for (const old of this.#overlapping(moffsetBytes, lengthBytes)) {
      if (old.inode === inode && old.fileOffsetBytes === fileOffsetBytes) this.counts.upgrades++;
      else {
        this.counts.replacements++;
        this.#note('map-over-other', `${where}; node ${old.inode.ino} from ${old.fileOffsetBytes} was mapped there`);
      }
      steps.push(this.#unmap(old));
    }
    this.#live.set(moffsetBytes, { inode, moffsetBytes, fileOffsetBytes, lengthBytes, writable });
    this.counts.maps++;
    this.counts.mostLive = Math.max(this.counts.mostLive, this.#live.size);
    steps.push(this.#mapper().map({ shmid: 0, shmOffsetBytes: moffsetBytes, lengthBytes }, content.fd, fileOffsetBytes, writable));
    try {
      await Promise.all(steps);
      await sleep(SETTLING_MILLISECONDS);
    } catch (error) {
      this.#live.delete(moffsetBytes);
      throw error;
    }
  }

  /** REMOVEMAPPING. @throws FuseError EINVAL, after everything that can be removed is. */
  async remove(ranges: readonly { readonly moffsetBytes: number; readonly lengthBytes: number }[]): Promise<void> {
    const steps: Promise<void>[] = [];
    let refused: FuseError | undefined;
    for (const { moffsetBytes, lengthBytes } of ranges) {
      const where = `${lengthBytes} bytes at the window's ${moffsetBytes}`;
      if (!this.#holds(moffsetBytes, lengthBytes)) {
        refused = this.#violated('remove-outside-window', where);
        continue;
      }
      const found = this.#overlapping(moffsetBytes, lengthBytes);
      if (found.length === 0) refused = this.#violated('remove-never-mapped', where);
      steps.push(...found.map((old) => this.#unmap(old)));
    }
    await Promise.all(steps);
    if (refused !== undefined) throw refused;
  }

  /** The mount is gone, and with it everything that it had mapped. */
  async clear(): Promise<void> {
    if (this.mapper() === undefined) this.#live.clear();
    await Promise.all(this.live.map((old) => this.#unmap(old)));
  }

  #unmap(old: LiveMapping): Promise<void> {
    this.#live.delete(old.moffsetBytes);
    this.counts.unmaps++;
    return this.#mapper().unmap({ shmid: 0, shmOffsetBytes: old.moffsetBytes, lengthBytes: old.lengthBytes });
  }

  #mapper(): Mapper {
    const mapper = this.mapper();
    if (mapper === undefined) throw new FuseError('ENXIO');
    return mapper;
  }

  #overlapping(moffsetBytes: number, lengthBytes: number): LiveMapping[] {
    const exact = this.#live.get(moffsetBytes);
    if (exact?.lengthBytes === lengthBytes) return [exact];
    return this.live.filter((one) => moffsetBytes < one.moffsetBytes + one.lengthBytes && one.moffsetBytes < moffsetBytes + lengthBytes);
  }

  #holds(moffsetBytes: number, lengthBytes: number): boolean {
    return lengthBytes > 0 && lengthBytes % 4096 === 0 && moffsetBytes % 4096 === 0 && moffsetBytes + lengthBytes <= this.sizeBytes;
  }

  #violated(kind: Violation['kind'], text: string): FuseError {
    this.#note(kind, text);
    return new FuseError('EINVAL');
  }

  #note(kind: Violation['kind'], text: string): void {
    this.violations.push({ kind, text });
  }
}
