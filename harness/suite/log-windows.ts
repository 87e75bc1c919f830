// SPDX-License-Identifier: GPL-2.0-only
import { setTimeout as sleep } from 'node:timers/promises';
import type { Splat } from '../results/schema.ts';
import { KernelLogScanner } from '../verdict/kernel-log.ts';
import type { Console } from '../vm/console.ts';

/** The windows that are no case's. */
export const BOOT_WINDOW = 'guest/boot';
export const TEARDOWN_WINDOW = 'guest/teardown';

/**
 * Cuts a guest's kernel log at the marks that the guest itself writes into it (run-case.sh), so that a
 * splat is charged to the case in whose window it came, however late the text reaches us.
 */
export class LogWindows {
  readonly #splats = new Map<string, Splat[]>();
  readonly #scanner: KernelLogScanner;
  #current: string = BOOT_WINDOW;
  #ended = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  constructor(console: Console) {
    this.#scanner = new KernelLogScanner((splat) => {
      const splats = this.#splats.get(this.#current) ?? [];
      this.#splats.set(this.#current, splats);
      splats.push(splat);
    });
    console.onLine(({ text }) => {
      this.#feed(text);
    });
  }

  /** A line of a second guest, whose own marks do not count. */
  feedOther(line: string): void {
    if (!line.includes('fuselage: ')) this.#scanner.feed(line);
  }

  /** The case that is running, by the guest's own account. */
  get current(): string {
    return this.#current;
  }

  /** Waits, for a moment at most, until the log has shown the end of a window. */
  async closed(window: string, limitMilliseconds = 2_000): Promise<void> {
    if (this.#ended.has(window)) return;
    const timer = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => this.#waiting.set(window, resolve)),
      sleep(limitMilliseconds, undefined, { signal: timer.signal }).catch(() => undefined),
    ]);
    timer.abort();
  }

  /** The splats of a window; asking closes the one that is open. */
  take(window: string): Splat[] {
    if (this.#current === window) this.#scanner.close();
    const splats = this.#splats.get(window) ?? [];
    this.#splats.delete(window);
    this.#ended.delete(window);
    return splats;
  }

  #feed(line: string): void {
    const mark = /fuselage: (begin|end|ready)(?: (\S+))?/.exec(line);
    if (mark === null) {
      this.#scanner.feed(line);
      return;
    }
    this.#scanner.close();
    const [, what, name] = mark;
    if (what === 'begin') this.#current = name ?? BOOT_WINDOW;
    else if (what === 'end' && name !== undefined) {
      this.#ended.add(name);
      this.#waiting.get(name)?.();
      this.#waiting.delete(name);
    }
  }
}
