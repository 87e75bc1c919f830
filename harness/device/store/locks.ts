// SPDX-License-Identifier: GPL-2.0-only
import { FuseError } from '../fuse/errno.ts';

/** POSIX record locks and flock(2) locks do not see each other. */
export type LockKind = 'posix' | 'flock';

export interface LockRequest {
  /** Who holds it: a lock owner of one mount. */
  readonly owner: string;
  readonly pid: number;
  readonly exclusive: boolean;
  /** The first and the last byte. */
  readonly start: bigint;
  readonly end: bigint;
}

interface Waiter {
  readonly kind: LockKind;
  readonly request: LockRequest;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The advisory locks of one inode (fcntl(2), flock(2)), of all guests together. */
export class Locks {
  readonly #held: Record<LockKind, LockRequest[]> = { posix: [], flock: [] };
  #waiting: Waiter[] = [];

  /** What stands against the request, if anything. */
  conflict(kind: LockKind, request: LockRequest): LockRequest | undefined {
    return this.#held[kind].find((lock) => lock.owner !== request.owner && overlap(lock, request) && (lock.exclusive || request.exclusive));
  }

  /** @throws FuseError EAGAIN where another owner's lock stands against it. */
  set(kind: LockKind, request: LockRequest): void {
    if (this.conflict(kind, request) !== undefined) throw new FuseError('EAGAIN');
    this.#replace(kind, request, [request]);
    this.#retry(); // a lock that became shared may let others in
  }

  /** Waits for its turn; rejects with EINTR when the owner's mount goes away. */
  async wait(kind: LockKind, request: LockRequest): Promise<void> {
    if (this.conflict(kind, request) === undefined) {
      this.set(kind, request);
      return;
    }
    await new Promise<void>((resolve, reject) => this.#waiting.push({ kind, request, resolve, reject }));
  }

  unlock(kind: LockKind, range: Pick<LockRequest, 'owner' | 'start' | 'end'>): void {
    this.#replace(kind, range, []);
    this.#retry();
  }

  /** Everything of owners that begin like this: a descriptor that is closed, a mount that is gone. */
  drop(ownerPrefix: string): void {
    const gone = (owner: string) => owner.startsWith(ownerPrefix);
    for (const kind of ['posix', 'flock'] as const) this.#held[kind] = this.#held[kind].filter(({ owner }) => !gone(owner));
    for (const { request, reject } of this.#waiting) if (gone(request.owner)) reject(new FuseError('EINTR'));
    this.#waiting = this.#waiting.filter(({ request }) => !gone(request.owner));
    this.#retry();
  }

  /** Cuts a range out of an owner's locks, and puts others in its place. */
  #replace(kind: LockKind, range: Pick<LockRequest, 'owner' | 'start' | 'end'>, by: readonly LockRequest[]): void {
    this.#held[kind] = [
      ...this.#held[kind].flatMap((lock) => {
        if (lock.owner !== range.owner || !overlap(lock, range)) return [lock];
        return [
          ...(lock.start < range.start ? [{ ...lock, end: range.start - 1n }] : []),
          ...(lock.end > range.end ? [{ ...lock, start: range.end + 1n }] : []),
        ];
      }),
      ...by,
    ];
  }

  /** First come, first served, as far as they can be. */
  #retry(): void {
    const still: Waiter[] = [];
    for (const waiter of this.#waiting.splice(0)) {
      if (this.conflict(waiter.kind, waiter.request) !== undefined) still.push(waiter);
      else {
        this.#replace(waiter.kind, waiter.request, [waiter.request]);
        waiter.resolve();
      }
    }
    this.#waiting = still;
  }
}

const overlap = (a: Pick<LockRequest, 'start' | 'end'>, b: Pick<LockRequest, 'start' | 'end'>): boolean => a.start <= b.end && b.start <= a.end;
