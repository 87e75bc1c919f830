// SPDX-License-Identifier: GPL-2.0-only
import { createInterface } from 'node:readline';
import type { RemoteProcess } from '../guest/ssh.ts';
import { InfrastructureError } from '../host/errors.ts';

/** A failed operation of an actor, by the name of its errno (or of the signal that a fault raised). */
export class ActorError extends Error {
  constructor(
    readonly operation: string,
    readonly errno: string,
  ) {
    super(`${operation}: ${errno}`);
  }
}

/** Bytes as run lengths: [[65, 4096], [0, 100]] is 4096 times 'A', then 100 zeros. */
export type Runs = readonly (readonly [byte: number, length: number])[];

/**
 * A process in the guest that does one file operation a line (harness/guest/programs/actor.c).
 * Handles and maps are small numbers that the caller chooses. Offsets and lengths are in bytes.
 */
export class Actor {
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  #ended = false;

  constructor(private readonly remote: RemoteProcess) {
    createInterface({ input: remote.stdout }).on('error', () => undefined).on('line', (line) => this.#waiting.shift()?.(line));
    void remote.exited.then(() => {
      this.#ended = true;
      for (const settle of this.#waiting.splice(0)) settle(undefined);
    });
  }

  open(handle: number, path: string, flags: string): Promise<number> {
    return this.#number(`open ${handle} ${path} ${flags}`);
  }
  close(handle: number): Promise<number> {
    return this.#number(`close ${handle}`);
  }
  pread(handle: number, offset: number, length: number): Promise<Runs> {
    return this.#runs(`pread ${handle} ${offset} ${length}`);
  }
  pwrite(handle: number, offset: number, byte: number, length: number): Promise<number> {
    return this.#number(`pwrite ${handle} ${offset} ${byte} ${length}`);
  }
  ftruncate(handle: number, length: number): Promise<number> {
    return this.#number(`ftruncate ${handle} ${length}`);
  }
  fsync(handle: number): Promise<number> {
    return this.#number(`fsync ${handle}`);
  }
  size(handle: number): Promise<number> {
    return this.#number(`size ${handle}`);
  }
  mmap(map: number, handle: number, offset: number, length: number, protection: 'r' | 'rw' | 'p'): Promise<number> {
    return this.#number(`mmap ${map} ${handle} ${offset} ${length} ${protection}`);
  }
  store(map: number, offset: number, byte: number, length: number): Promise<number> {
    return this.#number(`store ${map} ${offset} ${byte} ${length}`);
  }
  load(map: number, offset: number, length: number): Promise<Runs> {
    return this.#runs(`load ${map} ${offset} ${length}`);
  }
  msync(map: number): Promise<number> {
    return this.#number(`msync ${map}`);
  }
  munmap(map: number): Promise<number> {
    return this.#number(`munmap ${map}`);
  }
  /** Stores one byte every `stride` bytes. */
  fill(map: number, stride: number, byte: number, offset: number, length: number): Promise<number> {
    return this.#number(`fill ${map} ${stride} ${byte} ${offset} ${length}`);
  }
  /** Loads a byte every `stride` bytes. @returns their sum. */
  scan(map: number, stride: number, offset: number, length: number): Promise<number> {
    return this.#number(`scan ${map} ${stride} ${offset} ${length}`);
  }
  /** pread(2) into a mapping. */
  preadIntoMap(handle: number, offset: number, map: number, mapOffset: number, length: number): Promise<number> {
    return this.#number(`preadmap ${handle} ${offset} ${map} ${mapOffset} ${length}`);
  }
  punch(handle: number, offset: number, length: number): Promise<number> {
    return this.#number(`punch ${handle} ${offset} ${length}`);
  }
  /** fcntl(2): a read or write lock, or none; refuses where it would have to wait. */
  lock(handle: number, type: 'r' | 'w' | 'u', offset: number, length: number): Promise<number> {
    return this.#number(`lock ${handle} ${type} ${offset} ${length}`);
  }
  /** The same, waiting. */
  lockWaiting(handle: number, type: 'r' | 'w' | 'u', offset: number, length: number): Promise<number> {
    return this.#number(`lockwait ${handle} ${type} ${offset} ${length}`);
  }
  /** flock(2), without waiting. */
  flock(handle: number, type: 'r' | 'w' | 'u'): Promise<number> {
    return this.#number(`flock ${handle} ${type}`);
  }
  /** The process's own id in the guest: what requests of it carry. */
  pid(): Promise<number> {
    return this.#number('pid');
  }
  stat(path: string): Promise<number> {
    return this.#number(`stat ${path}`);
  }
  unlink(path: string): Promise<number> {
    return this.#number(`unlink ${path}`);
  }
  rename(from: string, to: string): Promise<number> {
    return this.#number(`rename ${from} ${to}`);
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.remote.stdin.write('quit\n');
    await this.remote.exited;
  }

  async #number(operation: string): Promise<number> {
    return Number(await this.#ask(operation));
  }

  async #runs(operation: string): Promise<Runs> {
    const text = await this.#ask(operation);
    return text
      .split(' ')
      .filter(Boolean)
      .map((run) => {
        const [byte, length] = run.split('x').map(Number);
        return [byte ?? 0, length ?? 0] as const;
      });
  }

  async #ask(operation: string): Promise<string> {
    const line = await new Promise<string | undefined>((resolve) => {
      if (this.#ended) {
        resolve(undefined);
        return;
      }
      this.#waiting.push(resolve);
      this.remote.stdin.write(`${operation}\n`);
    });
    if (line === undefined)
      throw new InfrastructureError('guest.unreachable', `the actor ended before it answered "${operation}"`, { hint: 'see the console.log of the guest' });
    if (line.startsWith('error ')) throw new ActorError(operation, line.slice('error '.length));
    return line.replace(/^ok ?/, '');
  }
}
