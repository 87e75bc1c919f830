// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

const CHECK_MILLISECONDS = 250;

/** How long a guest that was given the processor may say nothing, on the `fast` flavor. */
export const SILENCE_LIMIT_MILLISECONDS = 1_750;

/**
 * Watches the beat that the guest's first process sends four times a second at real-time priority.
 * Silence alone proves nothing on a busy host, so time in which QEMU's threads wanted a processor
 * and got none (run delay, /proc/PID/task/TID/schedstat) is taken off: what is left is the guest's own.
 */
export class Heartbeat {
  #lastBeatMilliseconds: number | undefined;
  #delayAtLastBeat = 0;
  readonly #timer: NodeJS.Timeout;
  #silent = false;

  constructor(
    stream: Readable,
    private readonly pid: number,
    private readonly limitMilliseconds: number,
    private readonly onSilence: (silentMilliseconds: number) => void,
  ) {
    stream.on('data', () => {
      this.#lastBeatMilliseconds = performance.now();
      this.#delayAtLastBeat = runDelayMilliseconds(this.pid);
      this.#silent = false;
    });
    this.#timer = setInterval(() => {
      this.#check();
    }, CHECK_MILLISECONDS);
    this.#timer.unref();
  }

  /** Whether the guest has beaten since silence was reported. */
  get recovered(): boolean {
    return !this.#silent;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    if (this.#lastBeatMilliseconds === undefined || this.#silent) return;
    const silence = performance.now() - this.#lastBeatMilliseconds;
    if (silence < this.limitMilliseconds) return;
    const starved = runDelayMilliseconds(this.pid) - this.#delayAtLastBeat;
    if (silence - starved < this.limitMilliseconds) return;
    this.#silent = true;
    this.onSilence(silence);
  }
}

/** Time that the process's threads have spent runnable but not running, summed. */
function runDelayMilliseconds(pid: number): number {
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1] ?? 0);
  } catch {
    // The process is gone, or this kernel keeps no such statistics: then silence counts in full.
  }
  return nanoseconds / 1e6;
}
