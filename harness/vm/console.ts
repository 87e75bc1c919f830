// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** What is kept on disk of a guest's console; a flood past it is counted and dropped. */
const LOG_LIMIT_BYTES = 32 * 1024 * 1024;
const TAIL_LINES = 400;
/** A guest that never ends its line must not fill our memory. */
const LINE_LIMIT = 4_096;

export interface ConsoleLine {
  readonly text: string;
  /** performance.now() when it came. */
  readonly atMilliseconds: number;
}

/**
 * A guest's serial console: written to a file as it comes, cut into lines for whoever listens.
 * The guest is untrusted: bytes are bounded, control characters dropped from lines (never from the file).
 */
export class Console {
  readonly #file: WriteStream;
  readonly #tail: ConsoleLine[] = [];
  readonly #listeners = new Set<(line: ConsoleLine) => void>();
  readonly #decoder = new StringDecoder('utf8');
  #partial = '';
  #writtenBytes = 0;
  #droppedBytes = 0;

  constructor(
    stream: Readable,
    readonly path: string,
  ) {
    this.#file = createWriteStream(path);
    this.#file.on('error', (error) => {
      this.writeError = error;
    });
    stream.on('data', (chunk: Buffer) => {
      this.#accept(chunk);
    });
  }

  /** Set when the log could not be written (a full disk): an infrastructure failure, told at the end. */
  writeError: Error | undefined;

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  onLine(listener: (line: ConsoleLine) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The last lines, without line ends. */
  tail(lines = 40): string[] {
    return this.#tail.slice(-lines).map(({ text }) => text);
  }

  async close(): Promise<void> {
    if (this.#partial !== '') this.#line(this.#partial);
    this.#partial = '';
    if (this.#droppedBytes > 0 && this.writeError === undefined)
      this.#file.write(`\n[fuselage: ${this.#droppedBytes} more bytes were not kept]\n`);
    await new Promise<void>((resolve) => {
      this.#file.once('close', resolve);
      this.#file.end();
      if (this.#file.destroyed) resolve();
    });
  }

  #accept(chunk: Buffer): void {
    const room = LOG_LIMIT_BYTES - this.#writtenBytes;
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, Math.max(0, room));
    if (kept.length > 0 && this.writeError === undefined) this.#file.write(kept);
    this.#writtenBytes += kept.length;
    this.#droppedBytes += chunk.length - kept.length;
    const pieces = (this.#partial + this.#decoder.write(chunk)).split('\n');
    this.#partial = (pieces.pop() ?? '').slice(-LINE_LIMIT);
    for (const piece of pieces) this.#line(piece);
  }

  #line(raw: string): void {
    // eslint-disable-next-line no-control-regex -- firmware and consoles send escape sequences
    const text = raw.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]|\u001bc|[\u0000-\u0008\u000b-\u001f\u007f]/g, '').slice(0, LINE_LIMIT);
    const line = { text, atMilliseconds: performance.now() };
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    for (const listener of this.#listeners) listener(line);
  }
}
