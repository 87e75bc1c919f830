// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, readSync, writeSync } from 'node:fs';
import { createEventfd, PollSet } from './libc.ts';

/** A poll that nothing wakes looks again after this long, so that the pool's thread never outlives the program by more. */
const LONGEST_WAIT_MILLISECONDS = 500;

type Ready = () => void;

/**
 * Calls back when a descriptor has input: for descriptors that Node itself can not wait on (eventfds,
 * sockets that carry descriptors). One thread of libuv's pool waits for all of them together.
 */
class Reactor {
  readonly #watched = new Map<number, Ready>();
  #set: PollSet | undefined;
  #wake: number | undefined;
  #waiting = false;

  /** Level-triggered: `ready` is called for as long as there is input, so it must take it. @returns what ends the watch. */
  watch(fd: number, ready: Ready): () => void {
    this.#watched.set(fd, ready);
    this.#changed();
    if (this.#wake === undefined) void this.#run();
    return () => {
      // The number may have been closed and given out again since.
      if (this.#watched.get(fd) !== ready) return;
      this.#watched.delete(fd);
      this.#changed();
    };
  }

  #changed(): void {
    this.#set = undefined;
    if (this.#waiting && this.#wake !== undefined) writeSync(this.#wake, ONE);
  }

  async #run(): Promise<void> {
    const wake = (this.#wake = createEventfd());
    try {
      while (this.#watched.size > 0) {
        const set = (this.#set ??= new PollSet([...this.#watched.keys(), wake]));
        let ready = set.ready();
        if (ready.length === 0) {
          this.#waiting = true;
          await set.wait(LONGEST_WAIT_MILLISECONDS);
          this.#waiting = false;
          ready = set.ready();
        }
        for (const fd of ready) {
          if (fd === wake) readSync(wake, Buffer.alloc(8));
          else this.#watched.get(fd)?.();
        }
        // Everything else in the event loop has its turn, timers and connections too.
        await new Promise(setImmediate);
      }
    } finally {
      this.#waiting = false;
      this.#wake = undefined;
      closeSync(wake);
    }
  }
}

const ONE = Buffer.from(new BigUint64Array([1n]).buffer);

export const reactor = new Reactor();

/** Adds one to an eventfd: the other side is notified. */
export function signalEventfd(fd: number): void {
  writeSync(fd, ONE);
}

/** Takes an eventfd's count; 0 when nobody signalled. */
export function takeEventfd(fd: number): number {
  const count = Buffer.alloc(8);
  try {
    readSync(fd, count);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
  return Number(count.readBigUInt64LE());
}
