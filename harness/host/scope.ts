// SPDX-License-Identifier: GPL-2.0-only

type End = () => Promise<void> | void;

/**
 * The one owner of what a piece of work acquires: processes, temporary directories, sockets.
 * Ends run in reverse order, all of them, on success, failure and interruption alike.
 * (Node 20 has no AsyncDisposableStack; this is the part of it that is used here.)
 */
export class Scope {
  readonly #ends: End[] = [];
  #ended = false;

  /** Runs `work` with a scope of its own and ends the scope whatever happens. */
  static async run<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const scope = new Scope();
    try {
      return await work(scope);
    } finally {
      await scope.end();
    }
  }

  /** Registers what ends a resource; a scope that has already ended ends it at once. */
  async defer(end: End): Promise<void> {
    if (this.#ended) await end();
    else this.#ends.push(end);
  }

  async end(): Promise<void> {
    this.#ended = true;
    const failures: unknown[] = [];
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'resources could not be released');
  }
}
