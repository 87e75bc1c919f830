// SPDX-License-Identifier: GPL-2.0-only
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import { KtapParser, type KtapReport } from './ktap.ts';

/** More than any case has to say: past it the case is ended and fails. */
export const OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024;

/** One case's output: kept in a file, parsed as it streams, bounded. */
export class CaseOutput {
  readonly #file;
  readonly #parser = new KtapParser();
  readonly #decoder = new StringDecoder('utf8');
  #bytes = 0;
  #overflow: () => void = () => undefined;
  /** Resolves when the limit is passed. */
  readonly overflowed: Promise<'overflow'>;

  constructor(path: string) {
    this.#file = createWriteStream(path);
    this.#file.on('error', (error) => {
      this.writeError = error;
    });
    this.overflowed = new Promise((resolve) => {
      this.#overflow = () => {
        resolve('overflow');
      };
    });
  }

  writeError: Error | undefined;

  stdout(chunk: Buffer): void {
    if (this.#take(chunk)) this.#parser.write(this.#decoder.write(chunk));
  }

  /** Kept, and no part of the KTAP. */
  stderr(chunk: Buffer): void {
    this.#take(chunk);
  }

  async end(): Promise<KtapReport> {
    const report = this.#parser.end();
    if (this.writeError === undefined) {
      this.#file.end();
      await once(this.#file, 'close');
    }
    if (this.writeError !== undefined) throw this.writeError;
    return report;
  }

  #take(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > OUTPUT_LIMIT_BYTES) {
      this.#overflow();
      return false;
    }
    if (this.writeError === undefined) this.#file.write(chunk);
    return true;
  }
}
