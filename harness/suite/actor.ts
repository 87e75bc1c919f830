// SPDX-License-Identifier: GPL-2.0-only
import type { RemoteProcess } from '../guest/ssh.ts';
import { LineProgram } from './line-program.ts';

/** Bytes as run lengths: [[65, 4096], [0, 100]] is 4096 times 'A', then 100 zeros. */
export type Runs = readonly (readonly [byte: number, length: number])[];

/**
 * A process in the guest that does one file operation a line (harness/guest/programs/actor.c).
 * Handles and maps are small numbers that the caller chooses. Offsets and lengths are in bytes.
 */
export class Actor {
  readonly #program: LineProgram;

  constructor(remote: RemoteProcess) {
    this.#program = new LineProgram('the actor', remote);
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
  /** Reads a part and adds up its bytes: for content that is too varied to be told in runs. */
  sum(handle: number, offset: number, length: number): Promise<number> {
    return this.#number(`sum ${handle} ${offset} ${length}`);
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
  /** lseek(2) with SEEK_DATA. */
  seekData(handle: number, offset: number): Promise<number> {
    return this.#number(`seekdata ${handle} ${offset}`);
  }
  copyRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number> {
    return this.#number(`copyrange ${from} ${fromOffset} ${to} ${toOffset} ${length}`);
  }
  /** Hands pages of a mapping to a pipe (vmsplice(2)), which holds references to them until unpin(). */
  pin(map: number, offset: number, length: number): Promise<number> {
    return this.#number(`pin ${map} ${offset} ${length}`);
  }
  /** Reads the pinned pages' bytes from the pipe, as they are now, and with that lets the pages go. */
  unpin(length: number): Promise<Runs> {
    return this.#runs(`unpin ${length}`);
  }
  /** Registers part of a mapping as a fixed buffer of an io_uring, which is then closed. */
  registerBuffer(map: number, offset: number, length: number): Promise<number> {
    return this.#number(`register ${map} ${offset} ${length}`);
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
  /** Becomes another user and group, for good. */
  become(uid: number): Promise<number> {
    return this.#number(`become ${uid}`);
  }
  /** mount(2), read-only. Without options for none. */
  mount(source: string, target: string, type: string, options = ''): Promise<number> {
    return this.#number(`mount ${source} ${target} ${type} ${options === '' ? '-' : options}`);
  }
  umount(target: string, lazy = false): Promise<number> {
    return this.#number(`${lazy ? 'detach' : 'umount'} ${target}`);
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

  end(): Promise<void> {
    return this.#program.end();
  }

  async #number(operation: string): Promise<number> {
    return Number(await this.#program.ask(operation));
  }

  async #runs(operation: string): Promise<Runs> {
    const text = await this.#program.ask(operation);
    return text
      .split(' ')
      .filter(Boolean)
      .map((run) => {
        const [byte, length] = run.split('x').map(Number);
        return [byte ?? 0, length ?? 0] as const;
      });
  }
}
