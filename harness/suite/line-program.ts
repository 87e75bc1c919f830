// SPDX-License-Identifier: GPL-2.0-only
import { createInterface } from 'node:readline';
import type { RemoteProcess } from '../guest/ssh.ts';
import { InfrastructureError } from '../host/errors.ts';

/** A failed operation of a guest program, by the name of its errno (or of the signal that a fault raised). */
export class OperationError extends Error {
  constructor(
    readonly operation: string,
    readonly errno: string,
  ) {
    super(`${operation}: ${errno}`);
  }
}

const EVENT = 'event ';

/**
 * A program in the guest that takes commands a line at a time and answers each by a line, "ok VALUE" or
 * "error ERRNO-NAME"; between them lie "event ..." lines that nobody asked for.
 */
export class LineProgram {
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  #ended = false;

  /** @param name for messages: "the actor". */
  constructor(
    private readonly name: string,
    private readonly remote: RemoteProcess,
    onEvent?: (words: readonly string[]) => void,
  ) {
    createInterface({ input: remote.stdout })
      .on('error', () => undefined)
      .on('line', (line) => {
        if (line.startsWith(EVENT)) onEvent?.(line.slice(EVENT.length).split(' '));
        else this.#waiting.shift()?.(line);
      });
    void remote.exited.then(() => {
      this.#ended = true;
      for (const settle of this.#waiting.splice(0)) settle(undefined);
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when the program is gone. */
  get exited(): Promise<unknown> {
    return this.remote.exited;
  }

  /** What a program says by itself when it starts, about what it has to do first. */
  async greeting(operation: string): Promise<string> {
    return this.#value(operation, await this.#line());
  }

  /** @throws OperationError for an answered error; InfrastructureError where the program is gone. */
  async ask(operation: string): Promise<string> {
    const line = this.#line();
    if (!this.#ended) this.remote.stdin.write(`${operation}\n`);
    return this.#value(operation, await line);
  }

  /** Sends a command that nothing will answer. */
  tell(operation: string): void {
    if (!this.#ended) this.remote.stdin.write(`${operation}\n`);
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.tell('quit');
    await this.remote.exited;
  }

  #line(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#ended) resolve(undefined);
      else this.#waiting.push(resolve);
    });
  }

  #value(operation: string, line: string | undefined): string {
    if (line === undefined)
      throw new InfrastructureError('guest.unreachable', `${this.name} ended before it answered "${operation}"`, { hint: 'see the console.log of the guest' });
    if (line.startsWith('error ')) throw new OperationError(operation, line.slice('error '.length));
    return line.replace(/^ok ?/, '');
  }
}
