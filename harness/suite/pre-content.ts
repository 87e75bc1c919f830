// SPDX-License-Identifier: GPL-2.0-only
import type { Trace } from '../device/trace/trace.ts';
import type { GuestShell } from '../guest/ssh.ts';
import { LineProgram } from './line-program.ts';

const PAGE_BYTES = 4096;

/** Somebody is about to read this range of a marked file and waits for an answer (FAN_PRE_ACCESS). */
export interface AccessEvent {
  readonly id: number;
  readonly pid: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
}

/** A listener for pre-content events on one file, which it fills from another. */
export class PreContentListener {
  readonly events: AccessEvent[] = [];
  readonly problems: string[] = [];
  /** What a case does instead of filling and allowing. */
  behaviour: ((event: AccessEvent) => Promise<void>) | undefined;
  readonly #program: LineProgram;
  readonly #waiting = new Set<() => void>();
  readonly #filled = new Set<number>();

  private constructor(
    remote: Awaited<ReturnType<GuestShell['start']>>,
    private readonly trace: Trace,
    private readonly source: string,
    private readonly sizeBytes: number,
  ) {
    this.#program = new LineProgram('the listener', remote, (words) => {
      this.#event(words);
    });
  }

  /** @throws OperationError where the kernel has no such events, or does not take them on this file system. */
  static async start(shell: GuestShell, options: { readonly file: string; readonly source: string; readonly sizeBytes: number; readonly trace: Trace }): Promise<PreContentListener> {
    const listener = new PreContentListener(await shell.start(['/fuselage/bin/precontent']), options.trace, options.source, options.sizeBytes);
    await listener.#program.greeting('fanotify_init FAN_CLASS_PRE_CONTENT');
    await listener.#program.ask(`mark ${options.file}`);
    await listener.#program.ask('listen 1');
    return listener;
  }

  /** Bytes put into the file so far. */
  get filledBytes(): number {
    return this.#filled.size * PAGE_BYTES;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
  }

  /** Fills the pages of an event that are not there yet. */
  async fill({ id, offset, length }: AccessEvent): Promise<void> {
    const last = Math.ceil(Math.min(offset + length, this.sizeBytes) / PAGE_BYTES);
    for (let page = Math.floor(offset / PAGE_BYTES); page < last; ) {
      let end = page;
      while (end < last && !this.#filled.has(end)) this.#filled.add(end++);
      if (end > page) {
        this.trace.counter.add('pre-content bytes fetched', (end - page) * PAGE_BYTES);
        await this.#program.ask(`pwrite ${id} ${page * PAGE_BYTES} ${(end - page) * PAGE_BYTES} ${this.source} ${page * PAGE_BYTES}`);
      }
      page = end + (end < last ? 1 : 0);
    }
  }

  async allow({ id }: AccessEvent): Promise<void> {
    await this.#program.ask(`allow ${id}`);
  }

  /** @param errnoNumber what the reader gets; 0 leaves it to the kernel (FAN_DENY, not FAN_DENY_ERRNO). */
  async deny({ id }: AccessEvent, errnoNumber: number): Promise<void> {
    await this.#program.ask(`deny ${id} ${errnoNumber}`);
  }

  /** SIGKILL; resolves when it is gone. */
  async die(): Promise<void> {
    this.#program.tell('die');
    await this.#program.exited;
  }

  async end(): Promise<void> {
    await this.#program.end();
  }

  #event([word, id, pid, offset, length]: readonly string[]): void {
    if (word !== 'access') return;
    const event = { id: Number(id), pid: Number(pid), offset: Number(offset), length: Number(length) };
    this.events.push(event);
    this.trace.counter.add('pre-content events');
    const serve = async () => {
      const at = this.trace.now();
      await (this.behaviour?.(event) ?? this.fill(event).then(() => this.allow(event)));
      this.trace.record({ kind: 'request', at, guest: 'guest', queue: 0, unique: event.id, op: 'PRE_ACCESS', node: 0, path: this.source, pid: event.pid, uid: 0, args: { offset: event.offset, length: event.length }, latency: Math.round((this.trace.now() - at) * 1_000) });
    };
    serve().catch((error: unknown) => {
      this.problems.push(error instanceof Error ? error.message : String(error));
    });
    for (const resolve of [...this.#waiting]) {
      this.#waiting.delete(resolve);
      resolve();
    }
  }
}
